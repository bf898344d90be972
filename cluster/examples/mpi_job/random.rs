//! Random batches, compared with the sequential loop.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use rayon_errgroup::{CancelToken, ErrGroup};
use rayon_errgroup_cluster::{Ranks, Verdict};

use crate::spin;

/// A multiplicative generator, the same on all ranks: Knuth's MMIX constants.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end.max(1)
    }

    fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap_or(0)
    }
}

struct Batch {
    items: usize,
    failing: BTreeSet<usize>,
    panicking: BTreeSet<usize>,
    /// In microseconds.
    costs: Vec<u64>,
    sleeps: bool,
}

impl Batch {
    fn random(random: &mut Random) -> Self {
        let longest = [20, 300, 20_000][random.index(3)];
        let items = random.index(longest + 1);
        let some = |random: &mut Random| {
            let count = random.index(4);
            let indices = (0..count).map(|_| random.index(items));
            indices.filter(|index| *index < items).collect()
        };
        Batch {
            items,
            failing: some(random),
            panicking: some(random),
            costs: (0..8).map(|_| random.below(4) * random.below(20)).collect(),
            sleeps: random.below(2) == 0,
        }
    }

    fn first(&self) -> Option<usize> {
        self.failing.union(&self.panicking).next().copied()
    }

    fn run(&self, token: &CancelToken, index: usize) -> Result<(), String> {
        if self.items < 2000 {
            spin(Duration::from_micros(self.costs[index % self.costs.len()]));
        }
        assert!(!self.panicking.contains(&index), "item {index} panics");
        if self.failing.contains(&index) {
            return Err(format!("item {index} is bad"));
        }
        if self.sleeps && self.first().is_some_and(|first| index > first) {
            token
                .sleep(Duration::from_secs(3600))
                .map_err(|_| "a consequence")?;
        }
        Ok(())
    }

    /// What the sequential loop says.
    fn expected(&self) -> (Verdict, String) {
        let Some(index) = self.first() else {
            let account = format!("{} ok, 0 failed, 0 skipped", self.items);
            return (Verdict::Complete, account);
        };
        let error = if self.panicking.contains(&index) {
            format!("panicked: item {index} panics")
        } else {
            format!("item {index} is bad")
        };
        let skipped = self.items - index - 1;
        let account = format!("{index} ok, 1 failed, {skipped} skipped");
        (Verdict::Failed { index, error }, account)
    }
}

/// The status is 0 if all answers were the sequential loop's.
pub(crate) fn run(ranks: &Ranks, batches: usize, seed: u64, threads: usize) -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    let group = ErrGroup::new().concurrency(threads);
    let mut random = Random(seed);
    let mut wrong = 0;
    for number in 0..batches {
        let batch = Batch::random(&mut random);
        let result = ranks.run(batch.items, &group, |token: &_, index| {
            batch.run(token, index)
        });
        let got = result.map(|ended| (ended.verdict().clone(), ended.to_string()));
        let expected = batch.expected();
        if got.as_ref() != Ok(&expected) {
            wrong += 1;
            let line = format!(
                "rank {}, batch {number}: {got:?} instead of {expected:?}\n",
                ranks.rank()
            );
            _ = io::stdout().write_all(line.as_bytes());
        }
    }
    let line = format!(
        "rank {}: {} of {batches} batches right\n",
        ranks.rank(),
        batches - wrong
    );
    _ = io::stdout().write_all(line.as_bytes());
    ExitCode::from(u8::from(wrong > 0))
}
