//! Guarantee 7, by `on_cancel`: an item does not notice that a later item has failed, although
//! callbacks of later items may stop what it uses.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Barrier, Mutex};

use crate::common::{cancelled, on_pool, payload_of, pool, shared};
use rayon::prelude::*;
use rayon_errgroup::{CancelRegistration, CancelToken, Cause, ErrGroup, GroupError, prelude::*};

type Item<'f> = &'f (dyn Fn(&CancelToken) -> Result<(), &'static str> + Sync);

type Run<'f> = dyn Fn([Item<'_>; 3]) -> Result<(), GroupError<&'static str>> + 'f;

/// Runs three items at the same time: in order, lazily, and as a stream.
///
/// Each of them goes on when all have begun. Otherwise the worker of a quick item could claim the
/// other two as one chunk, of which the second begins when the first has ended.
fn on_three_threads(body: fn(&Run<'_>)) {
    for threads in [3, 8] {
        on_pool(threads, move || {
            let (group, begun) = (&ErrGroup::new(), &Barrier::new(3));
            let call = |token: &CancelToken, item: Item<'_>| {
                begun.wait();
                item(token)
            };
            body(&|items| {
                let items = items.into_par_iter().in_order().with_group(group);
                items.try_for_each(call)
            });
            body(&|items| {
                let items = items.into_iter().par_in_order().with_group(group);
                items.try_for_each(call)
            });
            body(&|items| {
                let items = items.into_par_iter().in_order().with_group(group);
                items.try_stream(call, |()| Ok(()))
            });
        });
    }
}

/// What items share, such as an HTTP client: the callback of one stops it for all.
#[derive(Clone, Default)]
struct Client(Arc<AtomicBool>);

impl Client {
    fn stop_on_cancel(&self, token: &CancelToken) -> CancelRegistration {
        let client = self.clone();
        token.on_cancel(move || client.0.store(true, SeqCst))
    }

    fn is_stopped(&self) -> bool {
        self.0.load(SeqCst)
    }

    /// Fails if the callback of another item has stopped the client before.
    fn use_after(&self, event: &Event) -> Result<(), &'static str> {
        event.wait();
        if self.is_stopped() {
            Err("stopped")
        } else {
            Ok(())
        }
    }
}

/// Happens once. One item waits for it.
struct Event((Mutex<Sender<()>>, Mutex<Receiver<()>>));

impl Event {
    fn new() -> Self {
        Event(shared())
    }

    fn happen(&self) {
        self.0.0.lock().unwrap().send(()).unwrap();
    }

    fn wait(&self) {
        self.0.1.lock().unwrap().recv().unwrap();
    }
}

#[test]
fn a_failure_runs_no_callback_while_an_earlier_item_runs() {
    on_three_threads(|run| {
        let (client, kept) = (Client::default(), Mutex::new(Vec::new()));
        let (begun, woken) = (Event::new(), Event::new());
        let result = run([
            &|_| client.use_after(&woken),
            &|_| {
                begun.wait();
                Err("the root")
            },
            &|token| {
                let early = client.stop_on_cancel(token);
                begun.happen();
                // The token itself reacts at once.
                token.done().recv().unwrap_err();
                assert!(token.is_cancelled() && token.child().is_cancelled());
                let late = client.stop_on_cancel(token);
                let below = client.stop_on_cancel(&token.child());
                kept.lock().unwrap().extend([early, late, below]);
                woken.happen();
                Err("a consequence")
            },
        ]);
        assert_eq!(result.unwrap_err().into_error(), Some("the root"));
        assert!(client.is_stopped(), "the callbacks run at the end");
        for registration in kept.into_inner().unwrap() {
            assert!(!registration.unregister(), "each of them has run");
        }
    });
}

#[test]
fn a_callback_runs_once_no_earlier_item_is_left() {
    on_three_threads(|run| {
        let (begun, unblock) = (Event::new(), Arc::new(Event::new()));
        let result = run([
            &|_| Ok(()),
            &|_| {
                begun.wait();
                Err("the root")
            },
            &|token| {
                let unblocks = Arc::clone(&unblock);
                let _registration = token.on_cancel(move || unblocks.happen());
                begun.happen();
                unblock.wait();
                Err("a consequence")
            },
        ]);
        assert_eq!(result.unwrap_err().into_error(), Some("the root"));
    });
}

#[test]
fn a_registration_that_is_dropped_meanwhile_never_runs() {
    on_three_threads(|run| {
        let (client, begun, woken) = (Client::default(), Event::new(), Event::new());
        let result = run([
            &|_| {
                woken.wait();
                Ok(())
            },
            &|_| {
                begun.wait();
                Err("the root")
            },
            &|token| {
                let early = client.stop_on_cancel(token);
                begun.happen();
                token.done().recv().unwrap_err();
                drop((early, client.stop_on_cancel(token)));
                woken.happen();
                Err("a consequence")
            },
        ]);
        assert_eq!(result.unwrap_err().into_error(), Some("the root"));
        assert!(!client.is_stopped());
    });
}

/// Only a failure waits for the items before it.
#[test]
fn a_cancellation_from_outside_runs_callbacks_at_once() {
    for threads in [3, 8] {
        on_pool(threads, || {
            let (client, kept, stop) = (Client::default(), Mutex::new(None), CancelToken::new());
            let (begun, woken) = (Event::new(), Event::new());
            let group = ErrGroup::new().token(&stop);
            let items = (0..3).into_par_iter().in_order().with_group(&group);
            let result = items.try_for_each(|token, item| match item {
                0 => {
                    woken.wait();
                    assert!(!client.is_stopped());
                    stop.cancel();
                    assert!(client.is_stopped());
                    Err("stopped")
                }
                1 => {
                    begun.wait();
                    Err("a failure")
                }
                _ => {
                    *kept.lock().unwrap() = Some(client.stop_on_cancel(token));
                    begun.happen();
                    token.done().recv().unwrap_err();
                    woken.happen();
                    Err("a consequence")
                }
            });
            // Item 0 failed after the run was cancelled, and the failure of item 1 counted before.
            assert_eq!(result.unwrap_err().into_error(), Some("a failure"));
        });
    }
}

#[test]
fn a_callback_that_panics_is_the_result() {
    on_three_threads(|run| {
        let (begun, kept) = (Event::new(), Mutex::new(None));
        let payload = payload_of(|| {
            run([
                &|_| Ok(()),
                &|_| {
                    begun.wait();
                    Err("the root")
                },
                &|token| {
                    *kept.lock().unwrap() = Some(token.on_cancel(|| panic!("a callback")));
                    begun.happen();
                    token.done().recv().unwrap_err();
                    Err("a consequence")
                },
            ])
        });
        assert_eq!(payload.downcast_ref(), Some(&"a callback"));
    });
}

/// The end of a run below an item that a failure has cancelled does not run its callbacks early.
#[test]
fn a_run_below_a_cancelled_item_leaves_its_callbacks_held_back() {
    on_three_threads(|run| {
        let (begun, woken) = (Event::new(), Event::new());
        let (client, kept) = (Client::default(), Mutex::new(None));
        let result = run([
            &|_| client.use_after(&woken),
            &|_| {
                begun.wait();
                Err("the root")
            },
            &|token| {
                let group = ErrGroup::new().token(token);
                let nested = group.scope(|s| {
                    *kept.lock().unwrap() = Some(client.stop_on_cancel(s.token()));
                    begun.happen();
                    s.token().done().recv().unwrap_err();
                    Err::<(), _>("woken")
                });
                assert!(matches!(cancelled(nested).root(), Cause::Failed));
                woken.happen();
                Err("a consequence")
            },
        ]);
        assert_eq!(result.unwrap_err().into_error(), Some("the root"));
        assert!(client.is_stopped());
    });
}

/// An item on top of an earlier one, which cannot end before: nothing is held back for it.
#[test]
fn a_callback_of_an_item_on_top_of_an_earlier_one_runs_at_once() {
    on_pool(3, || {
        let io = pool(1);
        // One of three threads has other work, so the third worker starts on top of item 0.
        let (is_busy, end_work) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let (begins_work, ends_work) = (Arc::clone(&is_busy), Arc::clone(&end_work));
        rayon::spawn(move || {
            begins_work.wait();
            ends_work.wait();
        });
        is_busy.wait();
        let (begun, unblock) = (Event::new(), Arc::new(Event::new()));
        let tops = Event::new();
        let result = (0..3)
            .into_par_iter()
            .in_order()
            .try_for_each(|token, item| match item {
                0 => {
                    // This thread runs item 2 meanwhile.
                    io.install(|| tops.wait());
                    Ok(())
                }
                1 => {
                    begun.wait();
                    Err("the root")
                }
                _ => {
                    let unblocks = Arc::clone(&unblock);
                    let _registration = token.on_cancel(move || unblocks.happen());
                    tops.happen();
                    begun.happen();
                    unblock.wait();
                    Err("a consequence")
                }
            });
        end_work.wait();
        assert_eq!(result, Err("the root"));
    });
}
