//! The loop of the thread that speaks to the other ranks.

use std::any::type_name;
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rayon_errgroup::{CancelToken, ErrGroup};

use super::ended::{Ended, RanksError};
use super::hub::Hub;
use super::local::{self, Reins};
use super::member::{Local, Member};
use super::message::{Batch, Message};
use super::{Event, Transport};

/// The rank that is the hub.
const HUB: usize = 0;

/// The exit status of a job of which one rank has panicked, as that of a program that has.
pub(super) const PANICKED: i32 = 101;

/// How long the thread sleeps between two looks for messages, at first and at most. An event wakes
/// it. At most, two looks are between a failure and the news of it on another rank.
const SHORTEST_WAIT: Duration = Duration::from_micros(50);
const LONGEST_WAIT: Duration = Duration::from_micros(350);

/// Where the events of the local run come from.
pub(super) trait Events {
    fn try_next(&self) -> Option<Event>;

    /// Waits for the next event, but not for long. `idle` says how often in a row nothing happened.
    fn wait(&self, idle: u32) -> Option<Event>;
}

impl Events for Receiver<Event> {
    fn try_next(&self) -> Option<Event> {
        self.try_recv().ok()
    }

    fn wait(&self, idle: u32) -> Option<Event> {
        let time = (SHORTEST_WAIT * (1 << idle.min(3))).min(LONGEST_WAIT);
        match self.recv_timeout(time) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            // After the last event.
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(time);
                None
            }
        }
    }
}

/// Runs the batch, on all ranks at once, and returns what came of it on each of them. If something
/// other than an item panics, the job is aborted.
#[track_caller]
pub(super) fn run<T, F, E>(
    transport: &T,
    run: usize,
    items: usize,
    group: &ErrGroup,
    f: &F,
) -> Result<(Ended, Duration), RanksError>
where
    T: Transport,
    F: Fn(&CancelToken, usize) -> Result<(), E> + Sync + Send,
    E: fmt::Display,
{
    let batch = Batch {
        run,
        items,
        closure: type_name::<F>().to_owned(),
        place: Location::caller().to_string(),
    };
    let reins = Reins::default();
    let ended = thread::scope(|scope| {
        let (sender, events) = channel();
        let reins = &reins;
        scope.spawn(move || local::run(reins, &sender, group, f));
        // The scope would wait for the local run, and that for chunks.
        catch_unwind(AssertUnwindSafe(|| drive(transport, batch, reins, &events))).unwrap_or_else(
            |_| {
                // For an `abort` that unwinds, as that of the tests does.
                reins.close();
                transport.abort(PANICKED)
            },
        )
    })?;
    Ok((ended, reins.chunks.waited()))
}

/// Until the hub says that the batch has ended.
pub(super) fn drive<T: Transport, L: Local>(
    transport: &T,
    batch: Batch,
    local: L,
    events: &impl Events,
) -> Result<Ended, RanksError> {
    let me = transport.rank();
    let mut hub = (me == HUB).then(|| Hub::new(batch.clone(), transport.size()));
    let mut member = Member::new(local);
    // What this rank says to itself.
    let mut own: VecDeque<Message> = VecDeque::new();
    let (mut to_hub, mut from_hub) = (vec![Message::Hello(batch)], Vec::new());
    let mut idle = 0;
    loop {
        // Messages of this rank, in the order in which they came up.
        for message in to_hub.drain(..) {
            match &mut hub {
                Some(hub) => hub.on_message(me, message, &mut from_hub),
                None => transport.send(HUB, &message.encode()),
            }
        }
        for (to, message) in from_hub.drain(..) {
            if to == me {
                own.push_back(message);
            } else {
                transport.send(to, &message.encode());
            }
        }
        if let Some(message) = own.pop_front() {
            member.on_message(message, &mut to_hub);
            continue;
        }
        if !to_hub.is_empty() {
            continue;
        }
        if let Some(ended) = member.take_ended() {
            return ended;
        }
        let event = if let Some((from, bytes)) = transport.try_recv() {
            let message = Message::decode(&bytes);
            let message = message.unwrap_or_else(|| panic!("rank {from} sent no message"));
            match &mut hub {
                Some(hub) => hub.on_message(from, message, &mut from_hub),
                None => member.on_message(message, &mut to_hub),
            }
            idle = 0;
            events.try_next()
        } else if let Some(event) = events.try_next() {
            Some(event)
        } else {
            idle += 1;
            events.wait(idle)
        };
        match event {
            Some(Event::Panicked) => transport.abort(PANICKED),
            Some(event) => {
                idle = 0;
                member.on_event(event, &mut to_hub);
            }
            None => {}
        }
    }
}
