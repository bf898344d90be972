//! What a program is: a run, whose items are made of steps, some of which are runs.

use std::fmt;

/// A whole program.
#[derive(Clone)]
pub(crate) struct Program {
    /// How many threads the pool has.
    pub(crate) threads: usize,
    /// Whether it is called on a worker of the pool. If not, only a run with threads of its own is.
    pub(crate) inside: bool,
    /// At which moment another thread cancels the outside token.
    pub(crate) cancel_at: Option<usize>,
    pub(crate) run: Run,
}

/// One call of the crate.
#[derive(Clone)]
pub(crate) struct Run {
    /// `None` for the calls that take none.
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

/// The token of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    None,
    /// The token of the item that this run is a step of.
    Enclosing,
    /// The program's.
    Outside,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Timeout {
    None,
    /// An hour.
    Long,
    /// So many microseconds.
    Short(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Threads {
    Current,
    Own(usize),
    /// Those of the nearest run around that has threads of its own, if there is one.
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
    /// A range, mapped, so that an item is made when it is its turn.
    Range,
    /// A range without an end, of which the items behind those of the program succeed.
    Endless,
    /// Lets two of three items through.
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
    /// With the sink's call that does something.
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
    /// Works for so many microseconds.
    Work(u64),
    /// Waits, for a short time, until so many items of the run have begun.
    Meet(usize),
    /// Waits, for a short time, for the cancellation, and fails if it comes.
    Linger,
    /// Sleeps on the token for so many microseconds, and fails if it is woken.
    Sleep(u64),
    /// Waits for the cancellation. As `Linger`, if it is not certain to come.
    Await,
    /// Registers a callback: until the end of the run, or else of the item.
    OnCancel {
        keep: bool,
    },
    /// A run, whose error is passed on, or swallowed.
    Nested(Box<Run>, bool),
    Spawn(Item),
    TrySpawn(Item),
    /// If its scope is cancelled, waits for the end of the body, as far as that waits for no task.
    AfterBody,
}

impl Item {
    pub(crate) const PLAIN: Item = Item {
        steps: Vec::new(),
        end: End::Ok,
    };

    /// Whether it fails, if that depends on nothing but itself.
    pub(crate) fn verdict(&self) -> Option<bool> {
        let is_pure = |step: &Step| {
            matches!(
                step,
                Step::Work(_) | Step::Meet(_) | Step::OnCancel { .. } | Step::CancelOutside
            )
        };
        match self.end {
            End::Panic => None,
            end => self.steps.iter().all(is_pure).then_some(end == End::Fail),
        }
    }
}

impl Run {
    /// The items that are given to the call, and none of a scope.
    pub(crate) fn items(&self) -> &[Item] {
        match &self.work {
            Work::Each(_, _, items) | Work::Ordered(_, _, items) => items,
            Work::Scope(_) => &[],
        }
    }

    /// How many items are let through, if there is an end of them and they are no tasks.
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

    /// The failure with this number cancels the run.
    pub(crate) fn max_errors(&self) -> usize {
        self.policy.map_or(1, |policy| policy.max_errors)
    }

    /// Whether a panic counts as an error.
    pub(crate) fn bears_panics(&self) -> bool {
        self.policy
            .is_some_and(|policy| policy.catch_panics && policy.max_errors > 1)
    }

    pub(crate) fn has_short_timeout(&self) -> bool {
        self.policy
            .is_some_and(|policy| matches!(policy.timeout, Timeout::Short(_)))
    }

    /// Whether an item at this position is let through.
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
