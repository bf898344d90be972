//! More than one machine: a batch that outgrows one runs on an engine that you already have.
//!
//! This crate runs on the cores of one machine. Beyond that, the companion crate
//! `rayon-errgroup-cluster` joins the runs of several processes. It starts no process and opens no
//! connection: that is the engine's part. What it adds is this crate's answer: the first error *in
//! iteration order* over all machines, and an account of all items.
//!
//! # Which engine
//!
//! | you have | use | the others are told of a failure | the answer |
//! | --- | --- | --- | --- |
//! | an HPC cluster, and items that depend on a quick stop | MPI: `Ranks`, behind the feature `mpi` | within about a millisecond | exact, on every rank |
//! | a cluster with Slurm | an array of shards | by `scancel` of the later elements | exact |
//! | some hosts with ssh | GNU parallel, with shards | by SIGTERM | may be undecided |
//! | Kubernetes, AWS Batch, Cloud Run | an indexed or array job of shards | not, or at the end of the job | exact if all shards end |
//!
//! A batch that fits one machine is better off on it: a shard starts in tenths of a second at best.
//!
//! # Shards
//!
//! Each process runs a block of the items, and writes a report. A merge at the end gives the
//! verdict:
//!
//! ```text
//! use rayon_errgroup_cluster::{Report, Shard, merge};
//!
//! let range = match Shard::from_env()? {          // what the launcher has chosen
//!     Some(shard) => shard.range(items.len()),
//!     None => 0..items.len(),                     // no launcher: everything
//! };
//! let group = ErrGroup::new().token(&stop);       // cancelled by SIGTERM
//! let mine = items[range.clone()].par_iter().in_order().with_group(&group);
//! let outcome = mine.outcome(|token, item| work(token, item));
//! Report::new(range, items.len(), &outcome).write(&folder)?;
//!
//! // Once, when all have ended:
//! match merge(&Report::read_all(&folder)?, items.len())? {
//!     Verdict::Complete => …,
//!     Verdict::Failed { index, error } => …,      // where the loop would have stopped
//!     Verdict::Undecided { first, below } => …,   // run the ranges in `below` again
//! }
//! ```
//!
//! All processes must mean the same item by an index. So make the list of the items once, as a
//! file, before they start: a folder that each of them lists may change in between. Have one folder of
//! reports for each batch; `Report::with_batch_id` says which batch it is, so that the reports of
//! another are refused.
//!
//! **Trust the merge, and no exit status.** GNU parallel returns the number of failed jobs, or the
//! status of the first in time; Slurm the highest status; `mpirun` any. A shard whose report is
//! missing counts as lost, whatever its status was. Statuses that tell a launcher what to do: 0 all
//! good, 1 an item failed, 143 stopped by SIGTERM, 64 a bad environment, 101 a panic.
//!
//! Handle SIGTERM with a token, as in the [recipe](super::recipes#ctrl-c-and-sigterm): the run
//! ends, and the report says how far all is known. The process has as long as the launcher gives it
//! between SIGTERM and SIGKILL.
//!
//! ## GNU parallel
//!
//! ```text
//! parallel --halt now,fail=1 --termseq TERM,10000,KILL,25 -S host-1,host-2 --wd "$PWD" \
//!     SHARD='{#}/20' ./batch ::: $(seq 20)
//! ```
//!
//! The first failure *in time* stops the other shards, also those before it. So the verdict may be
//! undecided, and names the items to run again. Without `--halt` all shards end, and it is exact.
//!
//! ## Slurm
//!
//! ```text
//! #SBATCH --array=0-19
//! ./batch; status=$?
//! next=$((SLURM_ARRAY_TASK_ID + 1))
//! if [ $status = 1 ] && [ $next -le $SLURM_ARRAY_TASK_MAX ]; then
//!     scancel "${SLURM_ARRAY_JOB_ID}_[$next-$SLURM_ARRAY_TASK_MAX]"
//! fi
//! exit $status
//! ```
//!
//! The element that fails cancels those after it, and lets those before it go on. Shards are blocks
//! in the order of the items, so the answer is exact. In an array script `-n 2` starts one process
//! unless there is an `srun`; `Shard::from_env` knows that. To run one element again, set `SHARD`:
//! `--array=3` alone is an array of one element, which has the whole batch.
//!
//! ## Kubernetes
//!
//! ```text
//! spec:
//!   completionMode: Indexed
//!   completions: 8
//!   template:
//!     spec:
//!       containers:
//!         - env:
//!             - name: JOB_COMPLETIONS   # Kubernetes sets the index, and not the count
//!               value: "8"
//! ```
//!
//! Use a `podFailurePolicy` with `FailIndex` for the status 1: a bad item is no better at the
//! second try.
//!
//! # MPI
//!
//! ```text
//! use mpi::Threading;
//! use rayon_errgroup_cluster::Ranks;
//!
//! let (universe, _) = mpi::initialize_with_threading(Threading::Funneled).unwrap();
//! let ranks = Ranks::new(&universe.world())?;     // right after the universe, for all of `main`
//! let ended = ranks.run(items.len(), &group, |token, index| work(token, &items[index]))?;
//! println!("{}; {ended}", ended.verdict());       // the same on every rank
//! ```
//!
//! ```text
//! mpirun -n 8 --map-by node ./batch                       # one rank for each node
//! mpirun --timeout 3600 -H host-1,host-2 ./batch          # for items that may hang
//! srun -N 4 --ntasks-per-node 1 -c 32 --mpi=pmix ./batch  # under Slurm
//! ```
//!
//! Rank 0 hands out the items in ascending order. Its calling thread is busy with that for some
//! microseconds for each chunk, and runs items as the others do.
//!
//! **Threads for each rank.** A rank has a pool, and rayon gives it a thread for each core that it
//! may use. Start one rank for each node, or for each socket, and see that it may use these cores:
//! Open MPI binds a rank to *one* core unless told otherwise (`--bind-to none`, or `--map-by
//! ppr:1:socket:pe=16`). Several ranks on one node need `ErrGroup::concurrency`, or they have
//! as many threads each as there are cores.
//!
//! # What is exact
//!
//! | what happened | the answer |
//! | --- | --- |
//! | items fail or panic, wherever and whenever | the sequential loop's index, error and, with MPI, account |
//! | a shard is stopped, or its report is lost | undecided, if the loop would have come to one of its items: the verdict names the items |
//! | a rank is stopped by its token or its deadline | all ranks stop; undecided in the same way, and all say so |
//! | a rank dies | the job ends with its status, and no answer: MPI has no way on without it |
//! | an item hangs | nobody notices: give the group a `timeout`, and look at the token; or `mpirun --timeout` |
//!
//! An item that was begun on another machine *after* the failure may have had its effects. The
//! account counts it as skipped.
//!
//! # Lost hosts
//!
//! A host that loses its power or its network sends nothing, and TCP waits for hours. `mpirun` and
//! `parallel` notice it by the ssh connection alone, and by that only with keepalives:
//!
//! ```text
//! # ~/.ssh/config, on the host that starts the job
//! Host node-*
//!     ConnectTimeout 5
//!     ServerAliveInterval 5
//!     ServerAliveCountMax 3
//! ```
//!
//! With these, a lost host ends `mpirun` with status 255 after some 20 seconds. Without them it
//! never ends. GNU parallel counts the shard as failed, and starts it on another host if it is told
//! to (`--retries 2`); otherwise the merge names its items. Without `ConnectTimeout` it may try for
//! minutes to start the next shard on the lost host.
//!
//! # Panics
//!
//! The panic of an item is the failure of that item: in shards, if the group
//! [catches panics](crate::ErrGroup::catch_panics), and with MPI always. Its message is kept.
//!
//! Any other panic ends a shard with status 101 and without a report, so its items are undecided.
//! With MPI it must end the whole job, for the other ranks would wait forever. While there is a
//! `Ranks`, it does, with status 101. Without one, a panic that reaches `main` drops the universe,
//! `MPI_Finalize` waits for the others, and the job hangs.
//!
//! # By hand
//!
//! What the companion crate stands on is in this one: a [`Cut`](crate::Cut) tells a run what has
//! failed elsewhere, however you come to know it. Items above are cancelled, and none below.
//!
//! ```
//! use rayon::prelude::*;
//! use rayon_errgroup::{Cut, ErrGroup, prelude::*};
//! use std::sync::mpsc;
//!
//! let (cut, (news, heard)) = (Cut::new(), mpsc::channel::<usize>());
//! std::thread::scope(|scope| {
//!     // What listens to the others: a socket, a queue, a file that appears.
//!     let there = cut.clone();
//!     scope.spawn(move || heard.iter().for_each(|index| there.lower(index)));
//!     let items = (0..1000).into_par_iter().in_order().cut(&cut);
//!     let outcome = items.with_group(&ErrGroup::new()).outcome(|token, n| {
//!         if n == 300 {
//!             news.send(500).unwrap(); // another process says that item 500 has failed
//!         }
//!         if n > 500 {
//!             token.sleep(std::time::Duration::from_secs(3600))?; // until it is told
//!         }
//!         Ok::<_, rayon_errgroup::Cancelled>(())
//!     });
//!     assert_eq!(outcome.values().len(), 501, "all items up to there, and none above");
//!     assert!(!outcome.is_complete());
//!     drop(news);
//! });
//! ```
