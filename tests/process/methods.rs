//! `try_process`: any of rayon's methods on the values, with the guarantees of a run.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::panic::panic_any;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use proptest::collection::btree_set;
use proptest::prelude::*;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, prelude::*};

use crate::common::cases;

/// What the body does with the values. The answer is the same whatever the order of evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Sum,
    Max,
    Count,
    HashMap,
    BTreeMap,
    String,
    VecDeque,
    Unzip,
    Partition,
    Reduce,
    FoldReduce,
    MinByKey,
    Flatten,
    Filter,
    ForEachInit,
    MapWith,
    All,
    Any,
    FindAny,
    FindFirst,
    FindLast,
}

use Method::*;

const METHODS: [Method; 21] = [
    Sum,
    Max,
    Count,
    HashMap,
    BTreeMap,
    String,
    VecDeque,
    Unzip,
    Partition,
    Reduce,
    FoldReduce,
    MinByKey,
    Flatten,
    Filter,
    ForEachInit,
    MapWith,
    All,
    Any,
    FindAny,
    FindFirst,
    FindLast,
];

impl Method {
    /// Whether it may leave out items.
    fn is_short(self) -> bool {
        matches!(self, All | Any | FindAny | FindFirst | FindLast)
    }
}

fn is_wanted(value: u64) -> bool {
    value % 7 == 3
}

/// Joins two texts: associative, and not commutative.
fn join(mut left: std::string::String, mut right: std::string::String) -> std::string::String {
    left.extend(right.drain(..));
    left
}

fn in_parallel(method: Method, values: impl ParallelIterator<Item = u64>) -> std::string::String {
    match method {
        Sum => values.sum::<u64>().to_string(),
        Max => format!("{:?}", values.max()),
        Count => values.count().to_string(),
        HashMap => {
            let map: HashMap<u64, u64> = values.map(|n| (n % 10, n)).collect();
            format!("{:?}", map.into_iter().collect::<BTreeMap<_, _>>())
        }
        BTreeMap => format!(
            "{:?}",
            values.map(|n| (n % 10, n)).collect::<BTreeMap<_, _>>()
        ),
        String => values.map(|n| n.to_string()).collect(),
        VecDeque => format!("{:?}", values.collect::<VecDeque<_>>()),
        Unzip => {
            let (left, right): (Vec<_>, Vec<_>) = values.map(|n| (n, n % 3)).unzip();
            format!("{left:?} {right:?}")
        }
        Partition => {
            let (left, right): (Vec<_>, Vec<_>) = values.partition(|n| n % 2 == 0);
            format!("{left:?} {right:?}")
        }
        Reduce => values.map(|n| n.to_string()).reduce(Default::default, join),
        FoldReduce => {
            let folds = values.fold(Vec::new, |mut all, n| {
                all.push(n);
                all
            });
            let all = folds.reduce(Vec::new, |mut left, right| {
                left.extend(right);
                left
            });
            format!("{all:?}")
        }
        MinByKey => format!("{:?}", values.min_by_key(|n| n % 10)),
        Flatten => {
            let all: Vec<u64> = values
                .map(|n| vec![n; (n % 3) as usize])
                .flatten()
                .collect();
            format!("{all:?}")
        }
        Filter => format!("{:?}", values.filter(|n| is_wanted(*n)).collect::<Vec<_>>()),
        ForEachInit => {
            let all = Mutex::new(BTreeSet::new());
            values.for_each_init(|| &all, |all, n| _ = all.lock().unwrap().insert(n));
            format!("{:?}", all.into_inner().unwrap())
        }
        MapWith => {
            let values = values.map_with(Vec::new(), |buffer, n| {
                buffer.push(n);
                buffer.pop().unwrap()
            });
            format!("{:?}", values.collect::<Vec<_>>())
        }
        All => values.all(|n| !is_wanted(n)).to_string(),
        Any => values.any(is_wanted).to_string(),
        FindAny => values.find_any(|n| is_wanted(*n)).is_some().to_string(),
        FindFirst => format!("{:?}", values.find_first(|n| is_wanted(*n))),
        FindLast => format!("{:?}", values.find_last(|n| is_wanted(*n))),
    }
}

fn in_a_loop(method: Method, mut values: impl Iterator<Item = u64>) -> std::string::String {
    match method {
        Sum => values.sum::<u64>().to_string(),
        Max => format!("{:?}", values.max()),
        Count => values.count().to_string(),
        HashMap | BTreeMap => {
            format!(
                "{:?}",
                values.map(|n| (n % 10, n)).collect::<BTreeMap<_, _>>()
            )
        }
        String | Reduce => values.map(|n| n.to_string()).collect(),
        VecDeque | FoldReduce | MapWith => format!("{:?}", values.collect::<Vec<_>>()),
        Unzip => {
            let (left, right): (Vec<_>, Vec<_>) = values.map(|n| (n, n % 3)).unzip();
            format!("{left:?} {right:?}")
        }
        Partition => {
            let (left, right): (Vec<_>, Vec<_>) = values.partition(|n| n % 2 == 0);
            format!("{left:?} {right:?}")
        }
        MinByKey => format!("{:?}", values.min_by_key(|n| n % 10)),
        Flatten => {
            let all: Vec<u64> = values.flat_map(|n| vec![n; (n % 3) as usize]).collect();
            format!("{all:?}")
        }
        Filter => format!("{:?}", values.filter(|n| is_wanted(*n)).collect::<Vec<_>>()),
        ForEachInit => format!("{:?}", values.collect::<BTreeSet<_>>()),
        All => values.all(|n| !is_wanted(n)).to_string(),
        Any | FindAny => (values.any(is_wanted) != (method == All)).to_string(),
        FindFirst => format!("{:?}", values.find(|n| is_wanted(*n))),
        FindLast => format!("{:?}", values.filter(|n| is_wanted(*n)).last()),
    }
}

#[derive(Clone, Copy, Debug)]
enum Engine {
    Stealing,
    Filtered,
    Group,
    InOrder,
    ParInOrder,
    InOrderGroup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Fails,
    Panics,
    Cancels,
}

#[derive(Clone, Debug)]
struct Case {
    len: usize,
    method: Method,
    engine: Engine,
    acts: BTreeMap<usize, Act>,
    /// How long the items spin, by turns.
    costs: Vec<u32>,
}

fn any_case() -> impl Strategy<Value = Case> {
    let engine = prop::sample::select(vec![
        Engine::Stealing,
        Engine::Filtered,
        Engine::Group,
        Engine::InOrder,
        Engine::ParInOrder,
        Engine::InOrderGroup,
    ]);
    let len = prop_oneof![4 => 0..20_usize, 3 => 0..300_usize, 1 => 0..3000_usize];
    let cost = prop_oneof![4 => Just(0_u32), 2 => 0..50_u32, 1 => 0..2000_u32];
    let costs = prop_oneof![Just(vec![0]), prop::collection::vec(cost, 1..9)];
    (len, costs).prop_flat_map(move |(len, costs)| {
        let act =
            prop_oneof![6 => Just(Act::Fails), 2 => Just(Act::Panics), 1 => Just(Act::Cancels)];
        let acts = prop_oneof![
            1 => Just(BTreeMap::new()),
            1 => (btree_set(0..len.max(1), 0..4), prop::collection::vec(act, 4))
                .prop_map(|(places, acts)| places.into_iter().zip(acts).collect()),
        ];
        let method = prop::sample::select(METHODS.to_vec());
        (acts, method, engine.clone()).prop_map(move |(acts, method, engine)| Case {
            len,
            method,
            engine,
            acts,
            costs: costs.clone(),
        })
    })
}

/// How a run has ended, by the number of the item that decided it.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    Answer(std::string::String),
    Failed(usize),
    Panicked(usize),
    Cancelled,
}

fn check(case: &Case, _threads: usize) {
    let (len, method) = (case.len, case.method);
    let ran: Vec<_> = (0..len).map(|_| AtomicUsize::new(0)).collect();
    let f = |token: &CancelToken, item: usize| {
        ran[item].fetch_add(1, SeqCst);
        (0..case.costs[item % case.costs.len()]).for_each(|_| std::hint::spin_loop());
        match case.acts.get(&item) {
            Some(Act::Fails) => return Err(item),
            Some(Act::Panics) => panic_any(item),
            Some(Act::Cancels) => _ = token.cancel(),
            None => {}
        }
        Ok(value_of(item))
    };
    let group = ErrGroup::new();
    let items = (0..len).into_par_iter();
    let body = |values: &mut dyn FnMut() -> Result<std::string::String, Ending>| {
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(values)) {
            Ok(Ok(answer)) => Ending::Answer(answer),
            Ok(Err(ending)) => ending,
            Err(payload) => Ending::Panicked(*payload.downcast().unwrap()),
        }
    };
    let of_group = |error| match error {
        GroupError::Failed { error, .. } => Ending::Failed(error),
        _ => Ending::Cancelled,
    };
    // A run without a policy has no error for a cancellation by its own closure.
    let cancels = case.acts.values().any(|act| *act == Act::Cancels);
    let engine = match case.engine {
        Engine::Stealing | Engine::Filtered if cancels => Engine::Group,
        Engine::InOrder | Engine::ParInOrder if cancels => Engine::InOrderGroup,
        engine => engine,
    };
    let ending = body(&mut || match engine {
        Engine::Stealing => (items.clone())
            .try_process_group(f, |values| in_parallel(method, values))
            .map_err(Ending::Failed),
        Engine::Filtered => (items.clone().filter(|_| true))
            .try_process_group(f, |values| in_parallel(method, values))
            .map_err(Ending::Failed),
        Engine::Group => (items.clone().with_group(&group))
            .try_process(f, |values| in_parallel(method, values))
            .map_err(of_group),
        Engine::InOrder => (items.clone().in_order())
            .try_process(f, |values| in_parallel(method, values))
            .map_err(Ending::Failed),
        Engine::ParInOrder => ((0..len).par_in_order())
            .try_process(f, |values| in_parallel(method, values))
            .map_err(Ending::Failed),
        Engine::InOrderGroup => (items.clone().in_order().with_group(&group))
            .try_process(f, |values| in_parallel(method, values))
            .map_err(|error| {
                if let GroupError::Failed { index, error } = &error {
                    assert_eq!(*index, Some(*error));
                }
                of_group(error)
            }),
    });
    let is_in_order = matches!(
        engine,
        Engine::InOrder | Engine::ParInOrder | Engine::InOrderGroup
    );
    assert!(
        ran.iter().all(|ran| ran.load(SeqCst) <= 1),
        "an item ran twice"
    );
    let has_run = |item: usize| ran[item].load(SeqCst) == 1;
    let acted = |what: Act| {
        let acts = case
            .acts
            .iter()
            .filter(move |(item, act)| **act == what && **item < len);
        acts.map(|(item, _)| *item)
            .filter(|item| has_run(*item))
            .collect::<Vec<_>>()
    };
    let (failed, panicked, cancelled) =
        (acted(Act::Fails), acted(Act::Panics), acted(Act::Cancels));
    if is_in_order && case.acts.values().all(|act| *act == Act::Fails) {
        // The loop would have come to the first failure before the match.
        let is_match = |item: &usize| method.is_short() && is_wanted(value_of(*item));
        let found = (0..len).find(is_match).filter(|_| method != FindLast);
        let first = case.acts.keys().next().filter(|first| **first < len);
        if let Some(first) = first.filter(|first| found.is_none_or(|found| **first <= found)) {
            assert_eq!(ending, Ending::Failed(*first), "not the error of the loop");
        }
    }
    match &ending {
        Ending::Answer(answer) => {
            assert_eq!(*answer, in_a_loop(method, (0..len).map(value_of)));
            assert!(failed.is_empty() && panicked.is_empty());
            if !method.is_short() {
                assert!((0..len).all(has_run), "an item was skipped");
            }
        }
        Ending::Failed(item) => {
            assert!(failed.contains(item) && panicked.is_empty());
            if is_in_order && cancelled.is_empty() {
                assert_eq!(Some(item), failed.first(), "not the lowest index");
            }
        }
        Ending::Panicked(item) => assert!(panicked.contains(item)),
        Ending::Cancelled => {
            assert!(!cancelled.is_empty() && panicked.is_empty());
            assert!(
                !failed.is_empty() || (0..len).any(|item| !has_run(item)),
                "nothing was skipped"
            );
        }
    }
}

fn value_of(item: usize) -> u64 {
    (item as u64).wrapping_mul(0x9E37_79B9) % 1009
}

#[test]
fn any_method_gives_the_answer_of_the_loop() {
    cases(2500, any_case, &[1, 2, 3, 8], check);
}
