//! A shape of call, and how many places have it.

pub(crate) enum Verdict {
    Direct,
    /// Why.
    Contorted(&'static str),
    Impossible(&'static str),
}

pub(crate) struct Shape {
    pub(crate) class: &'static str,
    pub(crate) sites: u32,
    pub(crate) verdict: Verdict,
    /// The call, or the detour.
    pub(crate) check: Option<fn()>,
}

impl Shape {
    pub(crate) fn describe(&self) -> String {
        let (verdict, why) = match self.verdict {
            Verdict::Direct => ("direct", ""),
            Verdict::Contorted(why) => ("contorted: ", why),
            Verdict::Impossible(why) => ("not possible: ", why),
        };
        format!("{}, {} sites, {verdict}{why}", self.class, self.sites)
    }
}

pub(crate) const fn direct(class: &'static str, sites: u32, check: fn()) -> Shape {
    Shape {
        class,
        sites,
        verdict: Verdict::Direct,
        check: Some(check),
    }
}

pub(crate) const fn contorted(
    class: &'static str,
    sites: u32,
    why: &'static str,
    check: Option<fn()>,
) -> Shape {
    Shape {
        class,
        sites,
        verdict: Verdict::Contorted(why),
        check,
    }
}

pub(crate) const fn impossible(class: &'static str, sites: u32, why: &'static str) -> Shape {
    Shape {
        class,
        sites,
        verdict: Verdict::Impossible(why),
        check: None,
    }
}
