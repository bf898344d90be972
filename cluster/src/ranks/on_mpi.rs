//! `Ranks`: the ranks of an MPI job, by the crate `mpi` (rsmpi).

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::thread;
use std::time::Duration;

use mpi::Threading;
use mpi::point_to_point::MatchedReceiveVec;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, Source};
use rayon_errgroup::{CancelToken, ErrGroup};

use super::Transport;
use super::drive::{self, PANICKED};
use super::ended::{Ended, RanksError};

/// All ranks of an MPI communicator, to run batches on.
///
/// # Panics
///
/// While there is a `Ranks`, a panic that unwinds through its drop ends the whole job with status
/// 101. Without that the job would hang: the panic would drop the `Universe` next, whose
/// `MPI_Finalize` waits for the other ranks. So make it right after the universe, and keep it to
/// the end of `main`.
///
/// # Examples
///
/// ```no_run
/// use mpi::Threading;
/// use rayon_errgroup::ErrGroup;
/// use rayon_errgroup_cluster::{Ranks, Verdict};
///
/// let (universe, _) = mpi::initialize_with_threading(Threading::Funneled).unwrap();
/// let ranks = Ranks::new(&universe.world())?;
/// let ended = ranks.run(4000, &ErrGroup::new(), |_, index| {
///     if index == 3000 { Err("bad") } else { Ok(()) }
/// })?;
/// // On every rank, and of any number of ranks:
/// let failed = Verdict::Failed { index: 3000, error: "bad".into() };
/// assert_eq!(ended.verdict(), &failed);
/// assert_eq!(ended.to_string(), "3000 ok, 1 failed, 999 skipped");
/// # Ok::<_, rayon_errgroup_cluster::RanksError>(())
/// ```
pub struct Ranks {
    communicator: SimpleCommunicator,
    runs: Cell<usize>,
    waited: Cell<Duration>,
    /// MPI is called by the thread that has initialized it, and by no other.
    not_send: PhantomData<*const ()>,
}

impl Ranks {
    /// Makes the ranks of this communicator, which is duplicated: messages of the caller's own do
    /// not get in the way. All ranks have to call this, at the same place.
    ///
    /// # Errors
    ///
    /// [`RanksError::NoThreads`], if MPI was initialized without support for threads. Only the
    /// calling thread calls MPI, but there are others.
    pub fn new(communicator: &impl Communicator) -> Result<Self, RanksError> {
        if mpi::environment::threading_support() < Threading::Funneled {
            return Err(RanksError::NoThreads);
        }
        Ok(Ranks {
            communicator: communicator.duplicate(),
            runs: Cell::new(0),
            waited: Cell::new(Duration::ZERO),
            not_send: PhantomData,
        })
    }

    /// Returns the number of this rank.
    #[must_use]
    pub fn rank(&self) -> usize {
        Transport::rank(self)
    }

    /// Returns how many ranks there are.
    #[must_use]
    pub fn size(&self) -> usize {
        Transport::size(self)
    }

    /// Calls `f` for each index below `items`, on all ranks together, and stops at the lowest index
    /// that fails. All ranks have to call this with the same batch. It returns on each when the
    /// batch has ended on all.
    ///
    /// # Order
    ///
    /// Rank 0 hands out chunks of the batch in ascending order over all ranks. On each rank they
    /// run in [order](rayon_errgroup::InOrder), on the pool of the group or the current one, while
    /// the calling thread speaks to the other ranks. What comes back is the sequential loop's: the
    /// index that failed, its error and the account, on any number of ranks.
    ///
    /// # Cancellation
    ///
    /// A failure cancels the items above it on all ranks, and none below. Other ranks hear of it
    /// within about a millisecond. If the token or the deadline of one rank's group stops that
    /// rank, all ranks stop, unless a failure has decided the batch. It may be
    /// [undecided](crate::Verdict::Undecided) then, and says which items are to run again. The
    /// limits of a group on errors do not count here: the first failure stops the batch.
    ///
    /// The [callbacks](CancelToken::on_cancel) of items that another rank's news cancels run on the
    /// calling thread. Until they return, it does not speak to the other ranks, so they should be
    /// quick: a slow one on rank 0 holds up all ranks.
    ///
    /// # Panics
    ///
    /// The panic of an item is the failure of that item, with the text `panicked: ` and its
    /// message. Any other ends the whole job with status 101: there is nobody to tell the other
    /// ranks.
    ///
    /// # Errors
    ///
    /// [`RanksError::DifferentBatches`] on every rank, if the ranks differ in the number of items,
    /// in the place of this call in the source, in the name of the closure's type or in how many
    /// batches they have run. What a closure has captured is not compared. Two closures of one
    /// function have one type name: if a helper passes both on to one call, that is not noticed.
    ///
    /// # Cost
    ///
    /// Between two looks at its messages the calling thread sleeps for up to 0.35 ms. The next
    /// chunk is asked for one chunk ahead, and a chunk lasts for some 20 ms. An item costs some
    /// tenths of a microsecond, and 16 bytes until the batch has ended.
    #[track_caller]
    pub fn run<F, E>(&self, items: usize, group: &ErrGroup, f: F) -> Result<Ended, RanksError>
    where
        F: Fn(&CancelToken, usize) -> Result<(), E> + Sync + Send,
        E: fmt::Display,
    {
        let run = self.runs.replace(self.runs.get() + 1);
        let (ended, waited) = drive::run(self, run, items, group, &f)?;
        self.waited.set(waited);
        Ok(ended)
    }

    /// Returns how long the pool of this rank has waited, in the last run, for chunks that came
    /// late. Not for the first.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited.get()
    }
}

impl Drop for Ranks {
    fn drop(&mut self) {
        if thread::panicking() {
            self.communicator.abort(PANICKED);
        }
    }
}

impl fmt::Debug for Ranks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ranks")
            .field("rank", &self.rank())
            .field("size", &self.size())
            .finish_non_exhaustive()
    }
}

impl Transport for Ranks {
    fn rank(&self) -> usize {
        unsigned(self.communicator.rank())
    }

    fn size(&self) -> usize {
        unsigned(self.communicator.size())
    }

    fn send(&self, to: usize, message: &[u8]) {
        let to = i32::try_from(to).unwrap_or_else(|_| unreachable!("ranks are below the size"));
        self.communicator.process_at_rank(to).send(message);
    }

    fn try_recv(&self) -> Option<(usize, Vec<u8>)> {
        let arrived = self.communicator.any_process().immediate_matched_probe()?;
        let (bytes, status) = arrived.matched_receive_vec();
        Some((unsigned(status.source_rank()), bytes))
    }

    fn abort(&self, status: i32) -> ! {
        self.communicator.abort(status)
    }
}

fn unsigned(rank: i32) -> usize {
    usize::try_from(rank).unwrap_or_else(|_| unreachable!("MPI counts ranks from 0"))
}
