//! `Shard`: which part of a batch this process has.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::ops::Range;

use crate::launcher;

/// One of several parts of a batch: block `index` of `count`.
///
/// # Examples
///
/// ```
/// use rayon_errgroup_cluster::Shard;
///
/// let shard = Shard::new(1, 3)?;
/// assert_eq!(shard.range(10), 3..6);
/// # Ok::<_, rayon_errgroup_cluster::ShardError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Makes shard `index`, counted from 0, of `count`.
    ///
    /// # Errors
    ///
    /// If `index` is not below `count`.
    pub fn new(index: usize, count: usize) -> Result<Self, ShardError> {
        if index < count {
            Ok(Shard { index, count })
        } else {
            Err(ShardError::OutOfRange { index, count })
        }
    }

    /// The shard that the launcher of this process has chosen, or `None` if no launcher has.
    ///
    /// Looked for, and the first that is there counts:
    ///
    /// 1. `SHARD`, as `i/n`, counted from 1: for GNU parallel, `SHARD={#}/{##}`.
    /// 2. What the elements of an array and the ranks inside of one say. If there are both, the
    ///    batch is divided twice: into blocks by element, and each of these by rank.
    ///
    /// | elements | variables |
    /// | --- | --- |
    /// | Google Cloud Run jobs | `CLOUD_RUN_TASK_INDEX`, `CLOUD_RUN_TASK_COUNT` |
    /// | AWS Batch array jobs | `AWS_BATCH_JOB_ARRAY_INDEX`, `AWS_BATCH_JOB_ARRAY_SIZE` |
    /// | Kubernetes indexed jobs | `JOB_COMPLETION_INDEX`, and `JOB_COMPLETIONS` from the pod template |
    /// | Slurm arrays | `SLURM_ARRAY_TASK_ID`, `_COUNT`, `_MIN`, `_MAX`, `_STEP` |
    ///
    /// | ranks | variables |
    /// | --- | --- |
    /// | Open MPI | `OMPI_COMM_WORLD_RANK`, `OMPI_COMM_WORLD_SIZE` |
    /// | MPICH and others | `PMI_RANK`, `PMI_SIZE` |
    /// | Slurm's `srun` | `SLURM_PROCID`, `SLURM_STEP_NUM_TASKS`, in a real step |
    ///
    /// In the batch script of Slurm itself, outside of `srun`, `SLURM_PROCID` is 0 and
    /// `SLURM_NTASKS` may be 2, and there is one process: these variables count only if
    /// `SLURM_STEP_ID` is that of a real step.
    ///
    /// To run one element of an array again with `--array=3` makes an array of one element, which
    /// has the whole batch. Set `SHARD` for that, or run the ranges that a
    /// [`Verdict`](crate::Verdict) names.
    ///
    /// # Errors
    ///
    /// If one variable of a pair is there without the other, or a value makes no sense. The message
    /// names the variable. Nothing is guessed.
    pub fn from_env() -> Result<Option<Self>, ShardError> {
        Shard::from_vars(|name| env::var_os(name))
    }

    /// The same with variables from elsewhere.
    ///
    /// ```
    /// use rayon_errgroup_cluster::Shard;
    ///
    /// let shard = Shard::from_vars(|name| (name == "SHARD").then(|| "2/3".into()))?;
    /// assert_eq!(shard, Some(Shard::new(1, 3)?));
    /// # Ok::<_, rayon_errgroup_cluster::ShardError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_env`](Shard::from_env).
    pub fn from_vars(
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, ShardError> {
        launcher::find(&launcher::Variables(&variable))
    }

    /// Returns its number among the shards, counted from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.index
    }

    /// Returns how many shards there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.count
    }

    /// Returns the range of its items, in a batch of so many: a block of consecutive ones, so that
    /// the order of the shards is that of the items. The blocks of all shards are the whole batch,
    /// and their lengths differ by one at most. A block is empty if there are more shards than
    /// items.
    #[must_use]
    pub fn range(self, items: usize) -> Range<usize> {
        let start = |index: usize| {
            let whole = items / self.count * index;
            // The remainder is below `count`, so this is below it, too, but the product may not
            // fit.
            let rest = (items % self.count) as u128 * index as u128 / self.count as u128;
            whole + usize::try_from(rest).unwrap_or(usize::MAX)
        };
        start(self.index)..start(self.index + 1)
    }

    /// Each shard divided into `parts.count`, and of these the one with its index.
    pub(crate) fn divided(self, part: Shard) -> Result<Self, ShardError> {
        let count = self.count.checked_mul(part.count);
        match count {
            Some(count) => Shard::new(self.index * part.count + part.index, count),
            None => Err(ShardError::TooMany),
        }
    }
}

impl fmt::Display for Shard {
    /// As `SHARD` is written: counted from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index + 1, self.count)
    }
}

/// The reason why there is no shard, although a launcher has set some of the variables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// One variable is there without the other.
    #[error("{present} is set and {missing} is not{hint}")]
    Half {
        /// The one that is set.
        present: &'static str,
        /// The one that is not.
        missing: &'static str,
        /// What to do about it, or nothing.
        hint: &'static str,
    },
    /// A value is not what it should be.
    #[error("{name} is {value:?}, which is not {expected}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The index of a shard is not below their number.
    #[error("there is no shard with index {index} among {count}")]
    OutOfRange {
        /// The index, counted from 0.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// An index of this pair of variables is not below its count.
    #[error("{name} is {index}, and {count_name} is {count}")]
    Beyond {
        /// The variable with the index.
        name: &'static str,
        /// Its value.
        index: usize,
        /// The variable with the count.
        count_name: &'static str,
        /// Its value.
        count: usize,
    },
    /// The id of an element is not within its array.
    #[error("{name} is {index}, and the array goes from {min} to {max}")]
    Outside {
        /// The variable with the id.
        name: &'static str,
        /// Its value.
        index: usize,
        /// The lowest id.
        min: usize,
        /// The highest id.
        max: usize,
    },
    /// The elements of a Slurm array are not evenly spaced, so an element cannot tell how many come
    /// before it.
    #[error(
        "the Slurm array has {count} elements from {min} to {max} by {step}, which are not evenly \
         spaced: set SHARD instead"
    )]
    Uneven {
        /// `SLURM_ARRAY_TASK_COUNT`
        count: usize,
        /// `SLURM_ARRAY_TASK_MIN`
        min: usize,
        /// `SLURM_ARRAY_TASK_MAX`
        max: usize,
        /// `SLURM_ARRAY_TASK_STEP`
        step: usize,
    },
    /// Elements times ranks are too many to be counted.
    #[error("there are more shards than can be counted")]
    TooMany,
}
