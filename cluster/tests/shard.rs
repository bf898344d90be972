//! `Shard`: what every launcher says, and every trap.

use std::collections::BTreeMap;
use std::ffi::OsString;

use proptest::prelude::*;
use rayon_errgroup_cluster::{Shard, ShardError};

fn shard(variables: &str) -> Result<Option<Shard>, ShardError> {
    let variables: BTreeMap<_, _> = variables
        .split_whitespace()
        .map(|pair| pair.split_once('=').unwrap())
        .collect();
    Shard::from_vars(|name| variables.get(name).map(OsString::from))
}

#[track_caller]
fn is(variables: &str, index: usize, count: usize) {
    assert_eq!(
        shard(variables),
        Ok(Some(Shard::new(index, count).unwrap()))
    );
}

#[track_caller]
fn refused(variables: &str, message: &str) {
    assert_eq!(shard(variables).unwrap_err().to_string(), message);
}

const SLURM: &str = "SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=4 \
                     SLURM_ARRAY_TASK_STEP=1";

#[test]
fn no_launcher_no_shard() {
    assert_eq!(shard("HOME=/root RANK=3"), Ok(None));
}

#[test]
fn every_launcher() {
    is("SHARD=1/3", 0, 3);
    is("SHARD=3/3", 2, 3);
    is("OMPI_COMM_WORLD_RANK=2 OMPI_COMM_WORLD_SIZE=8", 2, 8);
    is("PMI_RANK=0 PMI_SIZE=1", 0, 1);
    is("CLOUD_RUN_TASK_INDEX=9 CLOUD_RUN_TASK_COUNT=10", 9, 10);
    is(
        "AWS_BATCH_JOB_ARRAY_INDEX=1 AWS_BATCH_JOB_ARRAY_SIZE=2",
        1,
        2,
    );
    is("JOB_COMPLETION_INDEX=4 JOB_COMPLETIONS=5", 4, 5);
    is(&format!("SLURM_ARRAY_TASK_ID=3 {SLURM}"), 2, 4);
    is(
        "SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2",
        1,
        2,
    );
}

#[test]
fn the_first_in_the_order_counts() {
    is(
        "SHARD=2/2 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=8",
        1,
        2,
    );
    is(&format!("SHARD=2/2 SLURM_ARRAY_TASK_ID=3 {SLURM}"), 1, 2);
    let step = "SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2";
    is(&format!("PMI_RANK=0 PMI_SIZE=2 {step}"), 0, 2);
    is(
        &format!("OMPI_COMM_WORLD_RANK=3 OMPI_COMM_WORLD_SIZE=4 {step}"),
        3,
        4,
    );
}

#[test]
fn an_array_of_steps_is_divided_twice() {
    let step = "SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2";
    is(&format!("SLURM_ARRAY_TASK_ID=3 {SLURM} {step}"), 5, 8);
    is(
        &format!("SLURM_ARRAY_TASK_ID=1 {SLURM} OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=3"),
        1,
        12,
    );
}

/// `sbatch -n 2` runs its script once, with SLURM_PROCID=0 and SLURM_NTASKS=2.
#[test]
fn the_batch_script_of_slurm_is_not_a_step() {
    let script = "SLURM_PROCID=0 SLURM_NTASKS=2 SLURM_NPROCS=2";
    assert_eq!(shard(script), Ok(None));
    for special in [0xffff_fffb_u32, 0xffff_fffa, 0xffff_fff0] {
        let script = format!("{script} SLURM_STEP_ID={special} SLURM_STEP_NUM_TASKS=2");
        assert_eq!(shard(&script), Ok(None));
        is(&format!("SLURM_ARRAY_TASK_ID=1 {SLURM} {script}"), 0, 4);
    }
    is(
        "SLURM_STEP_ID=4294967279 SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2",
        1,
        2,
    );
}

#[test]
fn a_slurm_array_starts_anywhere_and_has_a_step() {
    let array = "SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=10 SLURM_ARRAY_TASK_MAX=18 \
                 SLURM_ARRAY_TASK_STEP=4";
    is(&format!("SLURM_ARRAY_TASK_ID=10 {array}"), 0, 3);
    is(&format!("SLURM_ARRAY_TASK_ID=18 {array}"), 2, 3);
    let uneven = "SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 \
                  SLURM_ARRAY_TASK_MAX=7 SLURM_ARRAY_TASK_STEP=1";
    refused(
        uneven,
        "the Slurm array has 3 elements from 1 to 7 by 1, which are not evenly spaced: set SHARD \
         instead",
    );
}

#[test]
fn an_element_outside_of_its_slurm_array_is_an_error() {
    for id in [0, 5] {
        refused(
            &format!("SLURM_ARRAY_TASK_ID={id} {SLURM}"),
            &format!("SLURM_ARRAY_TASK_ID is {id}, and the array goes from 1 to 4"),
        );
    }
    let max = usize::MAX;
    refused(
        &format!(
            "SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=0 SLURM_ARRAY_TASK_MIN=0 \
             SLURM_ARRAY_TASK_MAX={max} SLURM_ARRAY_TASK_STEP=1"
        ),
        &format!(
            "the Slurm array has 0 elements from 0 to {max} by 1, which are not evenly spaced: set \
             SHARD instead"
        ),
    );
}

#[test]
fn a_rank_or_a_count_alone_is_an_error() {
    refused("PMIX_RANK=1", "PMIX_RANK is set and PMI_RANK is not");
    is("PMIX_RANK=1 PMI_RANK=1 PMI_SIZE=2", 1, 2);
    for name in ["MIN", "MAX", "STEP"] {
        let name = format!("SLURM_ARRAY_TASK_{name}");
        let message = format!("{name} is set and SLURM_ARRAY_TASK_ID is not");
        refused(&format!("{name}=1"), &message);
    }
    refused(
        "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2",
        "SLURM_STEP_NUM_TASKS is set and SLURM_STEP_ID is not",
    );
}

#[test]
fn half_a_pair_is_an_error() {
    let pairs = [
        ["OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
        ["PMI_RANK", "PMI_SIZE"],
        ["CLOUD_RUN_TASK_INDEX", "CLOUD_RUN_TASK_COUNT"],
        ["AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE"],
        ["SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"],
    ];
    for [one, other] in pairs {
        refused(
            &format!("{one}=0"),
            &format!("{one} is set and {other} is not"),
        );
        refused(
            &format!("{other}=1"),
            &format!("{other} is set and {one} is not"),
        );
    }
    refused(
        "JOB_COMPLETION_INDEX=0",
        "JOB_COMPLETION_INDEX is set and JOB_COMPLETIONS is not: Kubernetes does not say how many \
         there are, so the pod template has to",
    );
    refused(
        "JOB_COMPLETIONS=3",
        "JOB_COMPLETIONS is set and JOB_COMPLETION_INDEX is not",
    );
    refused(
        "SLURM_STEP_ID=0 SLURM_PROCID=0",
        "SLURM_PROCID is set and SLURM_STEP_NUM_TASKS is not",
    );
    refused(
        "SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=2",
        "SLURM_STEP_ID is set and SLURM_PROCID is not",
    );
    // Also where another pair is whole.
    refused(
        "PMI_SIZE=2 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=1",
        "PMI_SIZE is set and PMI_RANK is not",
    );
}

#[test]
fn values_that_make_no_sense_are_errors() {
    for value in ["", "0/3", "4/3", "1", "1/0", "a/b", "-1/3", "1/3/5"] {
        let variables = |name: &str| (name == "SHARD").then(|| value.into());
        let error = Shard::from_vars(variables).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("SHARD is {value:?}, which is not i/n, with i from 1 to n")
        );
    }
    refused(
        "PMI_RANK=two PMI_SIZE=3",
        "PMI_RANK is \"two\", which is not a number",
    );
    refused("PMI_RANK=3 PMI_SIZE=3", "PMI_RANK is 3, and PMI_SIZE is 3");
    let half = usize::MAX / 2;
    refused(
        &format!("PMI_RANK=3 PMI_SIZE={half} JOB_COMPLETION_INDEX=0 JOB_COMPLETIONS=3"),
        "there are more shards than can be counted",
    );
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    let variables = |name: &str| (name == "PMI_RANK").then(|| OsString::from_vec(vec![0xff]));
    assert!(matches!(
        Shard::from_vars(variables),
        Err(ShardError::Malformed {
            name: "PMI_RANK",
            ..
        })
    ));
}

proptest! {
    #[test]
    fn the_ranges_are_the_batch(items in prop_oneof![0..100_usize, any::<usize>()], count in 1..200_usize) {
        let mut end = 0;
        for index in 0..count {
            let range = Shard::new(index, count).unwrap().range(items);
            prop_assert_eq!(range.start, end);
            prop_assert!(range.len() == items / count || range.len() == items / count + 1);
            end = range.end;
        }
        prop_assert_eq!(end, items);
    }
}
