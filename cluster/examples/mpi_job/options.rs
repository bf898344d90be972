//! The command line.

use clap::ValueEnum;

#[derive(clap::Parser)]
pub(crate) struct Options {
    /// How many items the batch has.
    #[arg(long, default_value_t = 1000)]
    pub(crate) items: usize,
    /// The items that fail.
    #[arg(long, value_delimiter = ',')]
    pub(crate) fail: Vec<usize>,
    /// How long an item computes, in microseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) cost: u64,
    /// How much an item computes, in thousands of steps: the same work also where cores are short.
    #[arg(long, default_value_t = 0)]
    pub(crate) work: u64,
    /// The items after the first that fails wait for the news.
    #[arg(long)]
    pub(crate) sleep: bool,
    /// The threads of each rank.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// The time limit of each rank's group, in milliseconds.
    #[arg(long)]
    pub(crate) timeout: Option<u64>,
    /// What goes wrong, beside items that fail.
    #[arg(long)]
    pub(crate) fault: Option<Fault>,
    /// The item in which it goes wrong.
    #[arg(long, default_value_t = 0)]
    pub(crate) at: usize,
    /// The rank on which it goes wrong, for faults outside of the items.
    #[arg(long, default_value_t = 1)]
    pub(crate) rank: usize,
    /// Runs so many random batches instead, and compares each with the sequential loop.
    #[arg(long)]
    pub(crate) random: Option<usize>,
    /// The seed of the random batches.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Divides the batch into blocks beforehand, and joins the answers with one blocking allreduce:
    /// to compare with.
    #[arg(long)]
    pub(crate) allreduce: bool,
    /// Measures so many times how long it takes until the other ranks are told of a failure.
    #[arg(long)]
    pub(crate) latency: Option<usize>,
    /// Prints how long it took.
    #[arg(long)]
    pub(crate) time: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// The item sends SIGKILL to its process.
    Kill,
    /// The item calls `abort`.
    Abort,
    /// The item ends its process with status 3.
    Exit,
    /// The item panics.
    Panic,
    /// The item waits, and does not look at its token.
    Hang,
    /// A rank panics after the start of MPI, outside of the items.
    PanicOutside,
    /// A rank starts late.
    Late,
    /// A rank ends before MPI starts.
    DeadBeforeInit,
    /// A rank has another number of items.
    OtherBatch,
}

impl Options {
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    pub(crate) fn more_on_rank(&self, rank: usize) -> usize {
        usize::from(self.fault == Some(Fault::OtherBatch) && rank == self.rank)
    }
}
