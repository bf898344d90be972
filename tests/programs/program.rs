//! A program is a run. Its items consist of steps, some of which are nested runs.

use std::fmt;

/// A whole program.
#[derive(Clone)]
pub(crate) struct Program {
    /// The number of threads of the pool.
    pub(crate) threads: usize,
    /// Whether it is called on a pool thread. This can be `false` only if the run has its own
    /// threads.
    pub(crate) inside: bool,
    /// The moment at which another thread cancels the outside token.
    pub(crate) cancel_at: Option<usize>,
    pub(crate) run: Run,
}

/// One call of the crate.
#[derive(Clone)]
pub(crate) struct Run {
    /// `None` for calls without a group.
    pub(crate) policy: Option<Policy>,
    pub(crate) work: Work,
}

#[derive(Clone, Copy)]
pub(crate) struct Policy {
    pub(crate) link: Link,
    pub(crate) timeout: Timeout,
    pub(crate) threads: Threads,
    pub(crate) catch_panics: bool,
    /// `usize::MAX` is `keep_going`.
    pub(crate) max_errors: usize,
}

/// The token that a policy is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    None,
    /// The token of the item that this run is a step of.
    Enclosing,
    /// The outside token of the program.
    Outside,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Timeout {
    None,
    /// An hour.
    Long,
    /// This many microseconds.
    Short(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Threads {
    Current,
    Own(usize),
    /// The threads of the nearest enclosing run that has its own, if there is one.
    Shared,
}

#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// In any order.
    Each(Source, Call, Vec<Item>),
    /// In order.
    Ordered(OrderedSource, OrderedCall, Vec<Item>),
    /// The body of a scope; its steps spawn the tasks.
    Scope(Item),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Vector,
    /// With leaves of one item.
    Single,
    /// A mapped range, which creates each item when it is needed.
    Range,
    /// A range without an end. The items after those of the program succeed.
    Endless,
    /// A filter that passes two of three items.
    Filter,
    Chain,
    Bridge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderedSource {
    Vector,
    Single,
    Range,
    Lazy,
    /// Its `next` waits now and then, for items that it has given.
    Bursts,
    LazyEndless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `err_group`, whose closure is given no token.
    ErrGroup,
    ForEach,
    Map,
}

#[derive(Clone, Debug)]
pub(crate) enum OrderedCall {
    Plain(Call),
    /// With the one call of the sink that does something, if there is one.
    Stream(Option<(usize, Item)>),
    Outcome,
}

/// An item, a task, a body, or a call of a sink.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Ok,
    Fail,
    Panic,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Fails if the token is cancelled.
    Check,
    CancelOwn,
    CancelOutside,
    /// Keeps the thread busy for this many microseconds.
    Work(u64),
    /// Waits a short time until this many items of the run have begun.
    Meet(usize),
    /// Waits a short time for the cancellation, and fails if it comes.
    Linger,
    /// Sleeps on the token for this many microseconds, and fails if it is woken.
    Sleep(u64),
    /// Waits for the cancellation if it is certain to come; otherwise does what `Linger` does.
    Await,
    /// Registers a callback until the end of the run if `keep`, otherwise until the end of the
    /// item. The callback may call rayon.
    OnCancel {
        keep: bool,
        calls_rayon: bool,
    },
    /// Queues a job of the pool that is not part of the run, and takes this many microseconds.
    Unrelated(u64),
    /// A nested run, and whether the item returns its error or ignores it.
    Nested(Box<Run>, bool),
    Spawn(Item),
    TrySpawn(Item),
    /// If the scope is cancelled, waits for the end of its body, unless the body needs a thread
    /// that runs tasks.
    AfterBody,
}

impl Item {
    pub(crate) const PLAIN: Item = Item {
        steps: Vec::new(),
        end: End::Ok,
    };

    /// Whether it fails, if that depends only on the item itself.
    pub(crate) fn verdict(&self) -> Option<bool> {
        let is_pure = |step: &Step| {
            matches!(
                step,
                Step::Work(_)
                    | Step::Meet(_)
                    | Step::OnCancel { .. }
                    | Step::Unrelated(_)
                    | Step::CancelOutside
            )
        };
        match self.end {
            End::Panic => None,
            end => self.steps.iter().all(is_pure).then_some(end == End::Fail),
        }
    }
}

impl Run {
    /// The items that are given to the call. A scope has none.
    pub(crate) fn items(&self) -> &[Item] {
        match &self.work {
            Work::Each(_, _, items) | Work::Ordered(_, _, items) => items,
            Work::Scope(_) => &[],
        }
    }

    /// How many items pass the filter, unless the source is endless or the run is a scope.
    pub(crate) fn count(&self, may_be_endless: bool) -> Option<usize> {
        match &self.work {
            Work::Scope(_) => None,
            Work::Each(Source::Endless, ..) | Work::Ordered(OrderedSource::LazyEndless, ..)
                if may_be_endless =>
            {
                None
            }
            _ => Some(
                (0..self.items().len())
                    .filter(|at| self.lets_through(*at))
                    .count(),
            ),
        }
    }

    pub(crate) fn is_ordered(&self) -> bool {
        matches!(self.work, Work::Ordered(..))
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.work, Work::Ordered(_, OrderedCall::Stream(_), _))
    }

    pub(crate) fn is_scope(&self) -> bool {
        matches!(self.work, Work::Scope(_))
    }

    /// The number of failures that cancels the run.
    pub(crate) fn max_errors(&self) -> usize {
        self.policy.map_or(1, |policy| policy.max_errors)
    }

    /// Whether a panic counts as an error.
    pub(crate) fn tolerates_panics(&self) -> bool {
        self.policy
            .is_some_and(|policy| policy.catch_panics && policy.max_errors > 1)
    }

    pub(crate) fn has_short_timeout(&self) -> bool {
        self.policy
            .is_some_and(|policy| matches!(policy.timeout, Timeout::Short(_)))
    }

    /// Whether the item with this index passes the filter.
    pub(crate) fn lets_through(&self, index: usize) -> bool {
        !matches!(self.work, Work::Each(Source::Filter, ..)) || index % 3 != 1
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "on {} threads", self.threads)?;
        if !self.inside {
            f.write_str(", called from outside")?;
        }
        if let Some(moment) = self.cancel_at {
            write!(f, ", cancelled from outside at moment {moment}")?;
        }
        write!(f, ": {:?}", self.run)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.work {
            Work::Each(source, call, _) => write!(f, "{call:?}({source:?})")?,
            Work::Ordered(source, call, _) => write!(f, "in order {call:?}({source:?})")?,
            Work::Scope(body) => write!(f, "scope {body:?}")?,
        }
        if let Some(policy) = &self.policy {
            write!(f, " with [{policy:?}]")?;
        }
        if !self.is_scope() {
            // A long tail of equal items is common.
            let items = self.items();
            let plain = |item: &&Item| item.steps.is_empty() && item.end == End::Ok;
            let tail = items.iter().rev().take_while(plain).count();
            write!(f, " {:?}", &items[..items.len() - tail])?;
            if tail > 0 {
                write!(f, " and {tail} Ok")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (link, timeout, threads) = (self.link, self.timeout, self.threads);
        write!(f, "link {link:?}, timeout {timeout:?}, threads {threads:?}")?;
        if self.catch_panics {
            f.write_str(", catch_panics")?;
        }
        match self.max_errors {
            1 => Ok(()),
            usize::MAX => f.write_str(", keep_going"),
            errors => write!(f, ", max_errors {errors}"),
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for step in &self.steps {
            write!(f, "{step:?}; ")?;
        }
        write!(f, "{:?}}}", self.end)
    }
}
