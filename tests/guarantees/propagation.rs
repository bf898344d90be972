//! Guarantee 4: what can be seen of a cancellation before it has reached the whole tree.
//!
//! The propagation cancels the token of a worker with all its descendants before the token of the
//! next worker. So a worker token with very many children slows the propagation down enough to be
//! watched from another worker.

use std::sync::{Barrier, Mutex};
use std::thread;

use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cause, ErrGroup, prelude::*};

use crate::common::on_pool;

/// How many children a worker token has. To cancel them takes a thousand times as long as to check
/// a token.
const MANY: usize = 100_000;

/// Runs two items on two workers. When a cancellation from outside has reached the token of one of
/// them, the other one, which it has not reached, calls `meanwhile`. When the run has ended, and
/// while the propagation may still go on, `afterwards` gets the tokens of both.
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

/// When a run has ended, its token is released, and its cause is what was returned.
#[test]
fn the_token_of_an_ended_run_is_cancelled_before_the_propagation_ends() {
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

/// When `cancel` returns, the token is cancelled, whichever call cancelled it.
#[test]
fn a_token_is_cancelled_when_cancel_returns() {
    for _ in 0..5 {
        on_pool(2, || {
            let cancel = |token: &CancelToken| {
                assert!(!token.cancel(), "the cancellation came from outside");
                assert!(token.is_cancelled());
                assert!(matches!(token.cause(), Some(Cause::Parent(_))));
            };
            halfway(cancel, drop);
        });
    }
}
