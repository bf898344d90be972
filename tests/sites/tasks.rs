//! Classes L, M and N: closures of different kinds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use rayon_errgroup::{ErrGroup, GroupError, join, prelude::*, scope};

use crate::fixture::{BAD, GOOD, failure, number};
use crate::shape::{Shape, contorted, direct, impossible};

pub(crate) const SHAPES: &[Shape] = &[
    direct("L", 15, both),
    impossible("L", 1, "both errors are wanted: rayon's `join`"),
    direct("M", 9, a_slot_for_the_error),
    direct("M", 1, a_limit),
    direct("M", 1, an_executor),
    direct("M", 1, pushed_in_order),
    direct("M", 3, on_a_pool),
    contorted(
        "M",
        3,
        "values or the error by position",
        Some(values_by_position),
    ),
    direct("N", 1, a_semaphore),
    contorted(
        "N",
        9,
        "a stream, where the source is `Send`",
        Some(read_in_order),
    ),
    impossible("N", 17, "the tasks go on after the caller has returned"),
];

// polars (7) on its own pool, meilisearch (4), wild, cargo-deny, foundry and rerun.
fn evaluate(left: &str, right: &str) -> Result<u32, String> {
    let (left, right) = join(|_| number(left), |_| number(right))?;
    Ok(left + right)
}

fn evaluate_on(pool: &ThreadPool, left: &str, right: &str) -> Result<(u32, u32), String> {
    pool.install(|| join(|_| number(left), |_| number(right)))
}

fn both() {
    assert_eq!(evaluate("1", "2"), Ok(3));
    assert_eq!(evaluate("1", "x"), failure());
    let pool = crate::common::pool(2);
    assert_eq!(evaluate_on(&pool, "1", "2"), Ok((1, 2)));
    assert_eq!(evaluate_on(&pool, "x", "2"), failure());
}

// jj, wild (3), rustic, cargo-deny (2), nushell and ty: a `OnceLock`, a queue or a lock with the
// error.
fn walk(words: &[&str], total: &AtomicU32) -> Result<(), String> {
    scope(|s| {
        for word in words {
            s.spawn(|_| Ok(_ = total.fetch_add(number(word)?, Ordering::Relaxed)));
        }
        Ok(())
    })
}

fn a_slot_for_the_error() {
    let total = AtomicU32::new(0);
    assert_eq!(walk(&GOOD, &total), Ok(()));
    assert_eq!(total.into_inner(), 15);
    assert_eq!(walk(&BAD, &AtomicU32::new(0)), failure());
}

// rustic makes a pool for as many tasks as the storage can serve.
fn warm_up(words: &[&str], readers: usize) -> Result<(), Option<String>> {
    let result = ErrGroup::new().concurrency(readers).scope(|s| {
        for word in words {
            s.spawn(|_| number(word).map(drop));
        }
        Ok(())
    });
    result.map_err(GroupError::into_error)
}

fn a_limit() {
    assert_eq!(warm_up(&GOOD, 2), Ok(()));
    assert_eq!(warm_up(&BAD, 2), Err(Some("x".to_owned())));
}

// tantivy sends the results with their positions over a channel, and sorts them.
fn execute<A: Send>(
    f: impl Fn(A) -> Result<u32, String> + Sync + Send,
    args: Vec<A>,
) -> Result<Vec<u32>, String> {
    args.into_par_iter().in_order().try_map(|_, arg| f(arg))
}

fn an_executor() {
    assert_eq!(execute(number, GOOD.to_vec()), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(execute(number, BAD.to_vec()), failure());
}

// qdrant has a condition variable for each thread, to push vectors in order.
fn encode<'a>(
    words: impl Iterator<Item = &'a str> + Send,
    storage: &mut Vec<u32>,
) -> Result<(), String> {
    words
        .par_in_order()
        .try_stream(|_, word| number(word), |n| Ok(storage.push(n)))
}

fn pushed_in_order() {
    let mut storage = Vec::new();
    assert_eq!(encode(GOOD.into_iter(), &mut storage), Ok(()));
    assert_eq!(storage, [1, 2, 3, 4, 5]);
    assert_eq!(encode(BAD.into_iter(), &mut storage), failure());
}

// reth writes three stores on a pool of its own. The body is not `Send`.
fn save(pool: &Arc<ThreadPool>, words: &[&str; 2]) -> Result<[u32; 2], Option<String>> {
    let mut saved = [0; 2];
    let [first, second] = &mut saved;
    let result = ErrGroup::new().pool(pool).scope(|s| {
        s.spawn(|_| Ok(*first = number(words[0])?));
        *second = number(words[1])?;
        Ok(())
    });
    result.map(|()| saved).map_err(GroupError::into_error)
}

fn on_a_pool() {
    let pool = Arc::new(ThreadPoolBuilder::new().num_threads(1).build().unwrap());
    assert_eq!(save(&pool, &["1", "2"]), Ok([1, 2]));
    assert_eq!(save(&pool, &["x", "2"]), Err(Some("x".to_owned())));
}

// polars reads the parts of a file, whose bounds it finds while it spawns; reth and wild.
fn read_parts(words: &[&str]) -> Result<Vec<u32>, String> {
    let mut slots = vec![None; words.len()];
    scope(|s| -> Result<(), String> {
        for (slot, word) in slots.iter_mut().zip(words) {
            s.spawn(move |_| Ok(*slot = Some(number(word)?)));
        }
        Ok(())
    })?;
    Ok(slots.into_iter().flatten().collect())
}

fn values_by_position() {
    assert_eq!(read_parts(&GOOD), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(read_parts(&BAD), failure());
}

// fclones has a semaphore, and calls its tasks `'static`, since a scope must not block.
fn scan_devices(words: &[&str]) -> Result<u32, Option<String>> {
    let found = AtomicU32::new(0);
    let result = ErrGroup::new().concurrency(2).scope(|s| {
        for word in words {
            s.spawn(|_| Ok(_ = found.fetch_add(number(word)?, Ordering::Relaxed)));
        }
        Ok(())
    });
    result
        .map(|()| found.into_inner())
        .map_err(GroupError::into_error)
}

fn a_semaphore() {
    assert_eq!(scan_devices(&GOOD), Ok(15));
    assert_eq!(scan_devices(&BAD), Err(Some("x".to_owned())));
}

// reth and meilisearch spawn a task for each chunk that a cursor has read, and read the channels in
// order. The whole function turns into a stream, and the cursor must be `Send`.
fn read_in_order() {
    let mut hashed = Vec::new();
    let chunks = GOOD.chunks(2).par_in_order();
    let result = chunks.try_stream(
        |_, chunk| {
            chunk
                .iter()
                .map(|word| number(word))
                .sum::<Result<u32, _>>()
        },
        |sum| Ok(hashed.push(sum)),
    );
    assert_eq!((result, hashed), (Ok(()), vec![3, 7, 5]));
}
