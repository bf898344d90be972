//! States under the schedules of loom, and under many schedules of shuttle.

use std::sync::Arc;
// Counters of the model, no part of what is tried.
use std::sync::atomic::{AtomicUsize, Ordering};

use super::idle_states::IdleStates;
use crate::sync::thread;

/// States that are numbered, and how many calls have run at once.
struct Model {
    idle: IdleStates<usize>,
    running: AtomicUsize,
    most_running: AtomicUsize,
    made: AtomicUsize,
}

impl Model {
    fn new() -> Arc<Self> {
        Arc::new(Model {
            idle: IdleStates::new(),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
        })
    }

    /// A call begins, on the thread with this number.
    fn begin(&self, thread: usize) -> Box<usize> {
        self.begin_with(|idle| idle.take(thread))
    }

    fn begin_with(
        &self,
        take: impl FnOnce(&IdleStates<usize>) -> Option<Box<usize>>,
    ) -> Box<usize> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_running.fetch_max(running, Ordering::SeqCst);
        take(&self.idle).unwrap_or_else(|| {
            let state = self.made.fetch_add(1, Ordering::SeqCst);
            let most_running = self.most_running.load(Ordering::SeqCst);
            assert!(state < most_running, "a state was idle");
            Box::new(state)
        })
    }

    fn end(&self, thread: usize, state: Box<usize>) {
        self.idle.put(thread, state);
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    /// Each state that was made is there, once.
    fn check(self: Arc<Self>) {
        let Model { idle, made, .. } = Arc::into_inner(self).unwrap();
        let mut states: Vec<usize> = idle.into_iter().map(|state| *state).collect();
        states.sort_unstable();
        assert!(states.into_iter().eq(0..made.into_inner()));
    }
}

fn with(model: &Arc<Model>, body: impl FnOnce(&Model) + Send + 'static) -> thread::JoinHandle<()> {
    let model = Arc::clone(model);
    thread::spawn(move || body(&model))
}

/// While one thread searches, a call gives its state back, and after that another call takes the
/// other state. So one of the two is idle at each moment, and the search must find it. (One thread
/// is both calls: two would be ordered by counters that loom does not know.)
fn search_while_states_move() {
    let model = Model::new();
    let first = model.begin(0);
    let second = model.begin(1);
    model.end(1, second);
    let other = with(&model, move |model| {
        model.end(0, first);
        let second = model.begin(1);
        model.end(1, second);
    });
    let found = model.begin_with(|idle| idle.search(2));
    model.end(2, found);
    other.join().unwrap();
    model.check();
}

#[cfg(model = "loom")]
#[test]
fn no_state_is_made_while_another_is_idle() {
    use crate::sync::explore;

    explore(
        "no state is made while another is idle",
        search_while_states_move,
    );
}

#[cfg(model = "shuttle")]
#[test]
fn models() {
    use crate::sync::explore;

    const SCHEDULES: usize = 10_000;

    explore("a search for a state", SCHEDULES, search_while_states_move);
    // Nested calls, and more threads than slots.
    explore("states of nested calls", SCHEDULES, || {
        let model = Model::new();
        let threads: Vec<_> = (0..4)
            .map(|number| {
                with(&model, move |model| {
                    for _ in 0..2 {
                        let outer = model.begin(number);
                        let inner = model.begin(number);
                        assert_ne!(outer, inner);
                        model.end(number, inner);
                        model.end(number, outer);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        model.check();
    });
}
