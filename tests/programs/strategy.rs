//! The proptest strategy that generates and shrinks programs.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::program::{
    Call, End, Item, Link, OrderedCall, OrderedSource, Policy, Program, Run, Source, Step, Threads,
    Timeout, Work,
};

/// The maximum depth of nested runs.
const DEPTH: u32 = 3;

pub(crate) fn programs() -> impl Strategy<Value = Program> {
    let cancel_at = prop::option::weighted(0.3, 0..60_usize);
    let inside = prop_oneof![5 => Just(true), 1 => Just(false)];
    (1..=4_usize, inside, cancel_at, runs(DEPTH)).prop_map(|(threads, inside, cancel_at, run)| {
        Program {
            threads,
            inside,
            cancel_at,
            run,
        }
    })
}

/// What the items of a run may do. If they could do everything everywhere, few runs would get far.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// They succeed or fail, independently of everything else.
    Pure,
    /// The same, but most of them fail.
    Failing,
    /// They also look at their tokens, and nest runs.
    Calm,
    /// They also panic, and cancel.
    Wild,
}

fn runs(depth: u32) -> BoxedStrategy<Run> {
    let mood = prop_oneof![
        4 => Just(Mood::Pure),
        2 => Just(Mood::Failing),
        4 => Just(Mood::Calm),
        6 => Just(Mood::Wild),
    ];
    mood.prop_flat_map(move |mood| (maybe_policies(mood), works(depth, mood)))
        .prop_map(|(policy, work)| Run { policy, work })
        .boxed()
}

fn maybe_policies(mood: Mood) -> BoxedStrategy<Option<Policy>> {
    if let Mood::Failing = mood {
        // Where most items fail, only a run that tolerates some failures gets far.
        let tolerant = (policies(), 2..=5_usize).prop_map(|(policy, max_errors)| Policy {
            max_errors,
            ..policy
        });
        return tolerant.prop_map(Some).boxed();
    }
    prop::option::weighted(0.7, policies()).boxed()
}

fn policies() -> impl Strategy<Value = Policy> {
    let link = prop_oneof![
        1 => Just(Link::None),
        3 => Just(Link::Enclosing),
        1 => Just(Link::Outside),
    ];
    let timeout = prop_oneof![
        7 => Just(Timeout::None),
        1 => Just(Timeout::Long),
        2 => (0..2000_u64).prop_map(Timeout::Short),
    ];
    let threads = prop_oneof![
        5 => Just(Threads::Current),
        3 => (1..=3_usize).prop_map(Threads::Own),
        1 => Just(Threads::Shared),
    ];
    let max_errors = prop_oneof![4 => Just(1), 2 => 2..=5_usize, 1 => Just(usize::MAX)];
    (link, timeout, threads, any::<bool>(), max_errors).prop_map(
        |(link, timeout, threads, catch_panics, max_errors)| Policy {
            link,
            timeout,
            threads,
            catch_panics,
            max_errors,
        },
    )
}

fn works(depth: u32, mood: Mood) -> BoxedStrategy<Work> {
    let source = prop_oneof![
        Just(Source::Vector),
        Just(Source::Single),
        Just(Source::Single),
        Just(Source::Range),
        Just(Source::Endless),
        Just(Source::Filter),
        Just(Source::Chain),
        Just(Source::Bridge),
    ];
    let ordered_source = prop_oneof![
        Just(OrderedSource::Vector),
        Just(OrderedSource::Single),
        Just(OrderedSource::Range),
        Just(OrderedSource::Lazy),
        Just(OrderedSource::Bursts),
        Just(OrderedSource::LazyEndless),
    ];
    let sink = prop::option::of((0..8_usize, sink_items()));
    let ordered_call = prop_oneof![
        2 => calls().prop_map(OrderedCall::Plain),
        1 => sink.prop_map(OrderedCall::Stream),
        1 => Just(OrderedCall::Outcome),
    ];
    prop_oneof![
        3 => (source, calls(), lists(depth, mood))
            .prop_map(|(source, call, items)| Work::Each(source, call, items)),
        4 => (ordered_source, ordered_call, lists(depth, mood))
            .prop_map(|(source, call, items)| Work::Ordered(source, call, items)),
        3 => tasks(depth, mood, 2, 0..7).prop_map(Work::Scope),
    ]
    .boxed()
}

fn calls() -> impl Strategy<Value = Call> {
    prop_oneof![1 => Just(Call::ErrGroup), 3 => Just(Call::ForEach), 3 => Just(Call::Map)]
}

/// A few items that do something, sometimes followed by many that do nothing.
fn lists(depth: u32, mood: Mood) -> impl Strategy<Value = Vec<Item>> {
    let working = Item {
        steps: vec![Step::Work(60)],
        ..Item::PLAIN
    };
    let slow = Item {
        steps: vec![Step::Work(400)],
        ..Item::PLAIN
    };
    // More items than a thread may have open, each with a run on other threads.
    let nests = prop_oneof![Just(Threads::Shared), Just(Threads::Own(1))].prop_map(waiting_item);
    let most: usize = if depth == DEPTH { 200 } else { 1 };
    let tail = prop_oneof![
        10 => Just(Vec::new()),
        1 => (0..100_usize, 0..8_usize).prop_map(move |(quick, tail)| {
            [vec![Item::PLAIN; quick], vec![slow.clone(); tail]].concat()
        }),
        1 => (nests, 0..most).prop_map(|(item, len)| vec![item; len]),
        2 => (0..300_usize).prop_map(|len| vec![Item::PLAIN; len]),
        // More items than a stream has chunks in flight.
        2 => (0..60_usize).prop_map(move |len| vec![working.clone(); len]),
    ];
    (vec(items(depth, mood), 0..12), tail).prop_map(|(mut items, tail)| {
        items.extend(tail);
        items
    })
}

fn waiting_item(threads: Threads) -> Item {
    let policy = Policy {
        link: Link::Enclosing,
        timeout: Timeout::None,
        threads,
        catch_panics: false,
        max_errors: 1,
    };
    let items = vec![Item::PLAIN; 2];
    let run = Run {
        policy: Some(policy),
        work: Work::Each(Source::Single, Call::ForEach, items),
    };
    Item {
        steps: vec![Step::Nested(Box::new(run), true)],
        ..Item::PLAIN
    }
}

fn ends(mood: Mood) -> impl Strategy<Value = End> {
    let (fails, panics) = match mood {
        Mood::Pure | Mood::Calm => (4, 0),
        Mood::Failing => (36, 0),
        Mood::Wild => (4, 1),
    };
    prop_oneof![12 => Just(End::Ok), fails => Just(End::Fail), panics => Just(End::Panic)]
}

fn items(depth: u32, mood: Mood) -> BoxedStrategy<Item> {
    if let Mood::Failing = mood {
        // Quick items, so that a worker claims several at once, and some that wait.
        let waiting = (4..10_usize).prop_map(|items| vec![Step::Meet(items)]);
        let steps = prop_oneof![3 => Just(Vec::new()), 1 => waiting];
        return (steps, ends(mood))
            .prop_map(|(steps, end)| Item { steps, end })
            .boxed();
    }
    (vec(steps(depth, mood), 0..3), ends(mood))
        .prop_map(|(steps, end)| Item { steps, end })
        .boxed()
}

/// What a call of a sink does. It has no token.
fn sink_items() -> impl Strategy<Value = Item> {
    let step = prop_oneof![Just(Step::CancelOutside), (0..100_u64).prop_map(Step::Work)];
    let end = prop_oneof![Just(End::Ok), Just(End::Fail), Just(End::Panic)];
    (vec(step, 0..2), end).prop_map(|(steps, end)| Item { steps, end })
}

/// A task that spawns tasks, up to a depth.
fn tasks(depth: u32, mood: Mood, levels: u32, many: std::ops::Range<usize>) -> BoxedStrategy<Item> {
    if levels == 0 {
        // This task keeps its permit until the body has ended.
        let blocking = Item {
            steps: vec![Step::CancelOwn, Step::AfterBody],
            end: End::Ok,
        };
        let blocking_weight = match mood {
            Mood::Wild => 1,
            Mood::Pure | Mood::Failing | Mood::Calm => 0,
        };
        return prop_oneof![9 => items(depth, mood), blocking_weight => Just(blocking)].boxed();
    }
    let task = prop_oneof![
        2 => tasks(depth, mood, levels - 1, 0..3),
        1 => tasks(depth, mood, 0, 0..3),
    ]
    .boxed();
    let step = prop_oneof![
        3 => task.clone().prop_map(Step::Spawn),
        1 => task.prop_map(Step::TrySpawn),
        1 => steps(depth, mood),
    ];
    (vec(step, many), ends(mood))
        .prop_map(|(steps, end)| Item { steps, end })
        .boxed()
}

fn steps(depth: u32, mood: Mood) -> BoxedStrategy<Step> {
    let pure = prop_oneof![
        (0..100_u64).prop_map(Step::Work),
        (2..10_usize).prop_map(Step::Meet),
        (any::<bool>(), any::<bool>())
            .prop_map(|(keep, calls_rayon)| Step::OnCancel { keep, calls_rayon }),
        (0..1000_u64).prop_map(Step::Unrelated),
    ];
    let calm = prop_oneof![
        Just(Step::Check),
        Just(Step::Linger),
        (0..300_u64).prop_map(Step::Sleep),
        Just(Step::Await),
    ];
    let wild = prop_oneof![
        Just(Step::CancelOwn),
        Just(Step::CancelOutside),
        Just(Step::AfterBody),
    ];
    let (calms, wilds, nested) = match mood {
        Mood::Pure | Mood::Failing => (0, 0, 0),
        Mood::Calm => (6, 0, 2),
        Mood::Wild => (4, 1, 2),
    };
    if depth == 0 {
        return prop_oneof![6 => pure, calms => calm, wilds => wild].boxed();
    }
    let run = (runs(depth - 1), any::<bool>())
        .prop_map(|(run, passes_on)| Step::Nested(Box::new(run), passes_on));
    prop_oneof![6 => pure, calms => calm, wilds => wild, nested => run].boxed()
}
