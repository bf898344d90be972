//! What launchers say in environment variables: see [`Shard::from_env`].

use std::ffi::OsString;

use crate::shard::{Shard, ShardError};

const NUMBER: &str = "a number";

/// From here on, step ids mean other things than a step: the batch script, an interactive shell,
/// one that waits. (`SLURM_MAX_NORMAL_STEP_ID` in slurm.h)
const FIRST_SPECIAL_STEP: usize = 0xffff_fff0;

pub(crate) struct Variables<'v>(pub(crate) &'v dyn Fn(&str) -> Option<OsString>);

pub(crate) fn find(variables: &Variables<'_>) -> Result<Option<Shard>, ShardError> {
    if let Some(shard) = variables.shard()? {
        return Ok(Some(shard));
    }
    match (variables.element()?, variables.rank()?) {
        (Some(element), Some(rank)) => element.divided(rank).map(Some),
        (element, rank) => Ok(element.or(rank)),
    }
}

impl Variables<'_> {
    fn text(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Option<String>, ShardError> {
        let text = (self.0)(name).map(OsString::into_string).transpose();
        text.map_err(|value| ShardError::Malformed {
            name,
            value: value.to_string_lossy().into_owned(),
            expected,
        })
    }

    fn number(&self, name: &'static str) -> Result<Option<usize>, ShardError> {
        let text = self.text(name, NUMBER)?;
        text.map(|value| {
            let number = value.trim().parse();
            number.map_err(|_| ShardError::Malformed {
                name,
                value,
                expected: NUMBER,
            })
        })
        .transpose()
    }

    /// The number in a variable that has to be there, since `present` is.
    fn required(
        &self,
        present: &'static str,
        missing: &'static str,
        hint: &'static str,
    ) -> Result<usize, ShardError> {
        self.number(missing)?.ok_or(ShardError::Half {
            present,
            missing,
            hint,
        })
    }

    fn shard(&self) -> Result<Option<Shard>, ShardError> {
        let (name, expected) = ("SHARD", "i/n, with i from 1 to n");
        let Some(value) = self.text(name, expected)? else {
            return Ok(None);
        };
        let parse = |value: &str| {
            let (number, count) = value.trim().split_once('/')?;
            let (number, count): (usize, usize) = (number.parse().ok()?, count.parse().ok()?);
            Shard::new(number.checked_sub(1)?, count).ok()
        };
        match parse(&value) {
            Some(shard) => Ok(Some(shard)),
            None => Err(ShardError::Malformed {
                name,
                value,
                expected,
            }),
        }
    }

    fn element(&self) -> Result<Option<Shard>, ShardError> {
        let cloud_run = self.pair("CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT", "")?;
        let aws = self.pair("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", "")?;
        let kubernetes = self.pair(
            "JOB_COMPLETION_INDEX",
            "JOB_COMPLETIONS",
            ": Kubernetes does not say how many there are, so the pod template has to",
        )?;
        let slurm = self.slurm_array()?;
        Ok(cloud_run.or(aws).or(kubernetes).or(slurm))
    }

    fn rank(&self) -> Result<Option<Shard>, ShardError> {
        let open_mpi = self.pair("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "")?;
        let pmi = self.pair("PMI_RANK", "PMI_SIZE", "")?;
        let rank = open_mpi.or(pmi).or(self.slurm_step()?);
        if rank.is_none() {
            // `PMIx` has no variable for the number of ranks.
            self.absent("PMI_RANK", "PMIX_RANK")?;
        }
        Ok(rank)
    }

    fn pair(
        &self,
        name: &'static str,
        count_name: &'static str,
        hint: &'static str,
    ) -> Result<Option<Shard>, ShardError> {
        let Some(index) = self.number(name)? else {
            return self.absent(name, count_name);
        };
        let count = self.required(name, count_name, hint)?;
        let shard = Shard::new(index, count).map_err(|_| ShardError::Beyond {
            name,
            index,
            count_name,
            count,
        })?;
        Ok(Some(shard))
    }

    /// There is no shard if the count is missing, too.
    fn absent(
        &self,
        missing: &'static str,
        count_name: &'static str,
    ) -> Result<Option<Shard>, ShardError> {
        match self.number(count_name)? {
            Some(_) => Err(ShardError::Half {
                present: count_name,
                missing,
                hint: "",
            }),
            None => Ok(None),
        }
    }

    fn slurm_array(&self) -> Result<Option<Shard>, ShardError> {
        let [id, count, min, max, step] = [
            "SLURM_ARRAY_TASK_ID",
            "SLURM_ARRAY_TASK_COUNT",
            "SLURM_ARRAY_TASK_MIN",
            "SLURM_ARRAY_TASK_MAX",
            "SLURM_ARRAY_TASK_STEP",
        ];
        let Some(task) = self.number(id)? else {
            for present in [count, min, max, step] {
                self.absent(id, present)?;
            }
            return Ok(None);
        };
        let [count, min, max, step] = [
            self.required(id, count, "")?,
            self.required(id, min, "")?,
            self.required(id, max, "")?,
            self.required(id, step, "")?,
        ];
        if !(min..=max).contains(&task) {
            return Err(ShardError::Outside {
                name: id,
                index: task,
                min,
                max,
            });
        }
        let last = (max - min).checked_div(step);
        let elements = last.and_then(|last| last.checked_add(1));
        let is_even = elements == Some(count) && (task - min) % step == 0;
        if !is_even {
            return Err(ShardError::Uneven {
                count,
                min,
                max,
                step,
            });
        }
        Shard::new((task - min) / step, count).map(Some)
    }

    /// Not `SLURM_NTASKS`: that is the number of tasks that were asked for, also in the one process
    /// of the batch script.
    fn slurm_step(&self) -> Result<Option<Shard>, ShardError> {
        let Some(step) = self.number("SLURM_STEP_ID")? else {
            return self.absent("SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS");
        };
        if step >= FIRST_SPECIAL_STEP {
            return Ok(None);
        }
        let name = "SLURM_PROCID";
        let index = self.required("SLURM_STEP_ID", name, "")?;
        let count_name = "SLURM_STEP_NUM_TASKS";
        let count = self.required(name, count_name, "")?;
        let shard = Shard::new(index, count).map_err(|_| ShardError::Beyond {
            name,
            index,
            count_name,
            count,
        })?;
        Ok(Some(shard))
    }
}
