//! `Handle`: the references behind a `Scope`, with their lifetimes erased.
//!
//! A scope refers to rayon's scope and to what its tasks share. The references live shorter than
//! `'scope`, by lifetimes that no caller can name; as parameters of [`Scope`] they would be part of
//! every function that takes one. So a handle has pointers instead, as rayon's own `Scope` has.
//!
//! Invariants:
//!
//! 1. Handles are made in this file only: by [`in_place_scope`] for its body, and by
//!    [`Handle::spawn`] for a task. Each is a field of a `Scope`, which is a local variable of the
//!    closure that rayon calls, is lent for that call only, and is neither `Clone` nor
//!    constructible elsewhere. So a handle ends before the reference to rayon's scope that it was
//!    made of.
//! 2. What `shared` points to is borrowed by the caller of `in_place_scope`, which returns, or
//!    unwinds, only after rayon has run every task. So it outlives all handles.
//! 3. `shared` points to a `Shared<'_, 'scope, E>` with the `'scope` and the `E` of the handle.
//!
//! The pointer to `Shared` has no type, because a job of rayon must outlive `'scope`, and with its
//! type the job would need `E: 'scope`. Both pointers are `NonNull`: without that niche the
//! compiler arranges a job differently, which costs a tree of tasks a fifth of its time (a store of
//! two halves that is loaded as a whole).

use std::marker::PhantomData;
use std::ptr::NonNull;

use rayon::ThreadPool;

use super::{Scope, Shared};

pub(super) struct Handle<'scope, E> {
    rayon: NonNull<rayon::Scope<'scope>>,
    shared: NonNull<()>,
    /// Given to a task, and not to the body. A task already holds a permit, so spawning from it
    /// never waits, on whichever thread it spawns.
    pub(super) is_task: bool,
    /// Invariant in `'scope`, as rayon's: if it could shrink, the body could spawn a task that
    /// borrows its own variables. Invariant in `E`, as `Run<E>` is.
    marker: PhantomData<Invariant<'scope, E>>,
}

type Invariant<'scope, E> = fn(&'scope (), E) -> (&'scope (), E);

// SAFETY: a handle stands for `&rayon::Scope` and `&Shared<E>`. rayon's scope is `Sync`, and
// `Shared<E>` is `Sync` if `E` is `Send` (asserted in `mod.rs`), so references to them may be sent.
unsafe impl<E: Send> Send for Handle<'_, E> {}
// SAFETY: as above, and a handle has no interior mutability of its own.
unsafe impl<E: Send> Sync for Handle<'_, E> {}

/// The pointer to `Shared` on its way into a job.
struct SharedPointer(NonNull<()>);

// SAFETY: made in `Handle::spawn` only, where `E: Send`; see `Handle`.
unsafe impl Send for SharedPointer {}

impl SharedPointer {
    /// By value, so that a closure captures the whole, which is `Send`, and not its field.
    fn get(self) -> NonNull<()> {
        self.0
    }
}

impl<'scope, E> Handle<'scope, E> {
    fn new(rayon: &rayon::Scope<'scope>, shared: NonNull<()>, is_task: bool) -> Self {
        Handle {
            rayon: NonNull::from(rayon),
            shared,
            is_task,
            marker: PhantomData,
        }
    }

    fn rayon(&self) -> &rayon::Scope<'scope> {
        // SAFETY: made of a reference that outlives this handle (invariant 1).
        unsafe { self.rayon.as_ref() }
    }

    pub(super) fn shared(&self) -> &Shared<'_, 'scope, E> {
        // SAFETY: the type is right (invariant 3), and the borrow lasts longer than this handle
        // (invariant 2), so it may be shortened to that of `self`.
        unsafe { self.shared.cast::<Shared<'_, 'scope, E>>().as_ref() }
    }

    /// Queues a task, which is given a scope of its own.
    pub(super) fn spawn<F>(&self, task: F)
    where
        F: FnOnce(&Scope<'scope, E>) + Send + 'scope,
        E: Send,
    {
        let shared = SharedPointer(self.shared);
        self.rayon().spawn(move |rayon| {
            let handle = Handle::new(rayon, shared.get(), true);
            task(&Scope { handle });
        });
    }
}

/// Runs `body` on this thread, and returns when it and every task that was spawned have ended. The
/// tasks run on `pool`, or on the current one.
pub(super) fn in_place_scope<'scope, E, R>(
    pool: Option<&ThreadPool>,
    shared: &Shared<'_, 'scope, E>,
    body: impl FnOnce(&Scope<'scope, E>) -> R,
) -> R {
    let body = |rayon: &rayon::Scope<'scope>| {
        let handle = Handle::new(rayon, NonNull::from(shared).cast(), false);
        body(&Scope { handle })
    };
    match pool {
        Some(pool) => pool.in_place_scope(body),
        None => rayon::in_place_scope(body),
    }
}

#[cfg(all(test, not(any(model = "loom", model = "shuttle"))))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::GroupError;
    use crate::run::Run;
    use crate::scope::run_tasks;

    fn run<'scope, E: Send, R>(
        threads: usize,
        body: impl FnOnce(&Scope<'scope, E>) -> Result<R, E>,
    ) -> Result<R, GroupError<E>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let (run, pool) = (Run::bare(), pool.unwrap());
        let result = run_tasks(&run, Some(&pool), body);
        run.finish(result).into_result()
    }

    /// Tasks that spawn tasks, each with a borrow that lives longer than the scope.
    fn tree<'scope>(
        s: &Scope<'scope, &'scope str>,
        depth: u32,
        leaves: &'scope AtomicUsize,
        failing: Option<&'scope str>,
    ) -> Result<(), &'scope str> {
        if depth == 0 {
            leaves.fetch_add(1, Ordering::Relaxed);
            return failing.map_or(Ok(()), Err);
        }
        for _ in 0..2 {
            s.spawn(move |s| tree(s, depth - 1, leaves, failing));
        }
        Ok(())
    }

    #[test]
    fn tasks_borrow_from_the_caller() {
        for threads in [1, 2] {
            let leaves = AtomicUsize::new(0);
            let result = run(threads, |s| tree(s, 3, &leaves, None));
            assert!(result.is_ok());
            assert_eq!(leaves.into_inner(), 8);
        }
    }

    #[test]
    fn an_error_may_be_borrowed() {
        let (text, leaves) = (String::from("borrowed"), AtomicUsize::new(0));
        let result = run(2, |s| tree(s, 3, &leaves, Some(&text)));
        assert!(matches!(
            result,
            Err(GroupError::Failed {
                error: "borrowed",
                ..
            })
        ));
    }

    #[test]
    fn a_panic_ends_the_tasks_before_the_scope() {
        let ended = AtomicUsize::new(0);
        let result = run(2, |s| -> Result<(), ()> {
            for _ in 0..4 {
                s.spawn(|s| {
                    s.spawn(|_| Ok(()));
                    ended.fetch_add(1, Ordering::Relaxed);
                    panic!("a task")
                });
            }
            Ok(())
        });
        let Err(GroupError::Panicked(panicked)) = result else {
            unreachable!()
        };
        assert_eq!(panicked.message(), Some("a task"));
        assert!((1..=4).contains(&ended.into_inner()));
    }

    #[test]
    fn another_thread_may_spawn() {
        let ran = AtomicUsize::new(0);
        let result = run(2, |s| -> Result<(), ()> {
            std::thread::scope(|threads| {
                for _ in 0..2 {
                    threads.spawn(|| {
                        s.spawn(|_| {
                            ran.fetch_add(1, Ordering::Relaxed);
                            Ok(())
                        });
                    });
                }
            });
            Ok(())
        });
        assert!(result.is_ok());
        assert_eq!(ran.into_inner(), 2);
    }
}
