//! A cancellation on its way down the tree: what may be seen of it before it has come everywhere.
//!
//! A walk takes a lane with all that hangs on it before it takes the next lane. So a lane with very
//! many children makes it long enough to be watched from another lane.

use std::sync::{Barrier, Mutex};
use std::thread;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, prelude::*};

use crate::common::on_pool;

/// How many children a lane has. To flag them takes a thousand times as long as to look.
const MANY: usize = 100_000;

/// Runs two items on two lanes. When the walk of a cancellation from outside has reached one of
/// them, the other one, which it has not, does `meanwhile`. When the run has ended, and while the walk
/// may still go on, `afterwards` is given the tokens of both.
fn halfway(meanwhile: impl Fn(&CancelToken) + Sync, afterwards: impl Fn(Vec<CancelToken>)) {
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop);
    let (tokens, children) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (both, ready) = (Barrier::new(2), Barrier::new(3));
    thread::scope(|scope| {
        scope.spawn(|| {
            ready.wait();
            stop.cancel();
        });
        let items = (0..1000_usize).into_par_iter().with_max_len(1).in_order();
        let result = items.with_group(&group).try_for_each(|token, n| {
            if n > 1 {
                return Ok(());
            }
            tokens.lock().unwrap().push(token.clone());
            let own: Vec<_> = (0..MANY).map(|_| token.child()).collect();
            children.lock().unwrap().push(own);
            both.wait();
            let others = tokens.lock().unwrap().clone();
            let other = others.iter().find(|other| *other != token).unwrap();
            ready.wait();
            while !other.is_cancelled() && !token.is_cancelled() {}
            if !token.is_cancelled() {
                meanwhile(token);
            }
            Ok::<_, ()>(())
        });
        result.unwrap_err();
        afterwards(tokens.into_inner().unwrap());
    });
}

/// Law 4: when a run has ended, its token is released, and says what was returned.
#[test]
fn a_run_that_has_ended_leaves_nothing_to_the_walk() {
    for _ in 0..5 {
        on_pool(2, || {
            let check = |tokens: Vec<CancelToken>| {
                for token in tokens {
                    assert!(token.is_cancelled());
                    assert!(matches!(token.cause(), Some(Cause::Parent(_))));
                    assert!(token.done().try_recv().unwrap_err().is_disconnected());
                }
            };
            halfway(|_| (), check);
        });
    }
}

/// CC23: on the return of `cancel` the token is cancelled, whoever was the one.
#[test]
fn a_token_is_cancelled_after_its_cancel() {
    for _ in 0..5 {
        on_pool(2, || {
            let cancel = |token: &CancelToken| {
                assert!(!token.cancel(), "it is outside that has cancelled");
                assert!(token.is_cancelled());
                assert!(matches!(token.cause(), Some(Cause::Parent(_))));
            };
            halfway(cancel, drop);
        });
    }
}
