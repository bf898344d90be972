//! A batch that runs on all ranks of a parallel job.
//!
//! Rank 0 is the hub: it hands out chunks of the batch, in ascending order over all ranks, and
//! keeps the lowest index that failed. That is the claiming engine of `rayon-errgroup` one level
//! up. Each rank feeds its chunks to a run in order of its own.
//!
//! A run on one rank has two threads besides the pool's. The calling thread speaks to the other
//! ranks (`drive`). A second one waits for the local run (`local`). What the local run has to say
//! comes as an [`Event`]; what the others say, as a [`Message`](message::Message). Two state
//! machines decide what follows: [`Hub`](hub::Hub) and [`Member`](member::Member). They know
//! neither threads nor transports, so the models can try schedules on them.

mod claims;
mod drive;
mod ended;
mod hub;
mod local;
mod member;
mod message;
#[cfg(test)]
mod models;
#[cfg(feature = "mpi")]
mod on_mpi;
#[cfg(test)]
mod tests;

pub use self::ended::{Ended, RanksError};
#[cfg(feature = "mpi")]
pub use self::on_mpi::Ranks;

/// How the ranks of a job reach each other.
trait Transport {
    /// The number of this rank.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Messages from one rank to another arrive in the order in which they were sent.
    fn send(&self, to: usize, message: &[u8]);

    /// The next message and its sender, if one has arrived.
    fn try_recv(&self) -> Option<(usize, Vec<u8>)>;

    /// Ends the whole job, all ranks of it.
    fn abort(&self, status: i32) -> !;
}

/// What a local run has to say.
#[derive(Debug)]
enum Event {
    /// It would take another chunk, of so many items.
    Wants(usize),
    /// The item with this index in the batch has failed.
    Failed(usize, String),
    /// It is over. What it knows: see [`LocalEnd`].
    Ended(LocalEnd),
    /// It has panicked outside of the items.
    Panicked,
}

/// What came of a local run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct LocalEnd {
    /// How many of its items, from its first on, have succeeded or failed on their own.
    known: usize,
    ok: usize,
    failed: usize,
    cancelled: usize,
    /// What has cancelled it, if anything has.
    stopped_by: Option<String>,
}
