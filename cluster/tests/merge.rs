//! `merge` against the sequential loop.

#![expect(clippy::single_range_in_vec_init, reason = "lists of ranges")]

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cut, ErrGroup, prelude::*};
use rayon_errgroup_cluster::{Account, Report, Shard, Verdict, merge};

fn fails(failing: &BTreeSet<usize>, index: usize) -> Result<usize, String> {
    if failing.contains(&index) {
        Err(format!("item {index}\nis bad"))
    } else {
        Ok(index)
    }
}

/// The report of the items in this range, in which nothing but a failure stops.
fn report(
    range: Range<usize>,
    batch: usize,
    failing: &BTreeSet<usize>,
    group: &ErrGroup,
) -> Report {
    let mine = range.clone().into_par_iter().in_order().with_group(group);
    let outcome = mine.outcome(|_, index| fails(failing, index));
    Report::new(range, batch, &outcome)
}

#[derive(Clone, Debug)]
struct Case {
    items: usize,
    failing: BTreeSet<usize>,
    shards: usize,
    missing: Vec<bool>,
    keeps_going: bool,
}

fn any_case() -> impl Strategy<Value = Case> {
    (0..300_usize, 1..12_usize).prop_flat_map(|(items, shards)| {
        let failing = btree_set(0..items.max(1), 0..4);
        let missing = vec(prop::bool::weighted(0.3), shards);
        (failing, missing, any::<bool>()).prop_map(move |(failing, missing, keeps_going)| Case {
            items,
            failing: failing.into_iter().filter(|index| *index < items).collect(),
            shards,
            missing,
            keeps_going,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_answer_is_the_loops_or_says_what_is_missing(case in any_case()) {
        let Case { items, failing, shards, missing, keeps_going } = case;
        let group = if keeps_going { ErrGroup::new().keep_going() } else { ErrGroup::new() };
        let ranges: Vec<_> = (0..shards)
            .map(|index| Shard::new(index, shards).unwrap().range(items))
            .collect();
        let mut reports: Vec<_> = ranges
            .iter()
            .zip(&missing)
            .filter(|(_, is_missing)| !**is_missing)
            .map(|(range, _)| report(range.clone(), items, &failing, &group))
            .collect();
        let expected = failing.first().map_or(Verdict::Complete, |index| Verdict::Failed {
            index: *index,
            error: fails(&failing, *index).unwrap_err(),
        });

        let mut verdict = merge(&reports, items).unwrap();
        if let Verdict::Undecided { first, below } = &verdict {
            let seen = ranges.iter().zip(&missing).filter(|(_, is_missing)| !**is_missing);
            let seen = seen.filter_map(|(range, _)| failing.range(range.clone()).next());
            prop_assert_eq!(first.as_ref().map(|(index, _)| index), seen.min());
            prop_assert!(!below.is_empty());
            for range in below {
                // Only items whose report is missing, and that the loop may come to.
                prop_assert!(!range.is_empty());
                prop_assert!(first.as_ref().is_none_or(|(index, _)| range.end <= *index));
                for index in range.clone() {
                    let shard = ranges.iter().position(|range| range.contains(&index)).unwrap();
                    prop_assert!(missing[shard]);
                }
            }
            // These run again, and then it is decided.
            reports.extend(below.iter().map(|range| report(range.clone(), items, &failing, &group)));
            verdict = merge(&reports, items).unwrap();
        }
        prop_assert_eq!(&verdict, &expected);
        reports.reverse();
        prop_assert_eq!(merge(&reports, items).unwrap(), expected, "in any order");

        let account = Account::of(&reports, items).unwrap();
        prop_assert_eq!(account.ok + account.failed + account.unknown, items);
        if let Verdict::Complete = verdict {
            prop_assert_eq!(account.ok, items);
        }
        // To add the same reports again changes nothing.
        reports.extend_from_within(..);
        prop_assert_eq!(Account::of(&reports, items), Ok(account));
    }

    #[test]
    fn a_shard_that_was_stopped_is_known_up_to_there(
        items in 1..200_usize,
        failing in btree_set(0..200_usize, 0..3),
        stop in 0..200_usize,
        threads in 1..5_usize,
    ) {
        let token = CancelToken::new();
        let group = ErrGroup::new().token(&token).concurrency(threads);
        let mine = (0..items).into_par_iter().in_order().with_group(&group);
        let outcome = mine.outcome(|_, index| {
            if index == stop { token.cancel_with("SIGTERM"); }
            fails(&failing, index)
        });
        let stopped = Report::new(0..items, items, &outcome);
        prop_assert_eq!(stopped.ok() + stopped.failed() + stopped.cancelled() + stopped.skipped(), items);
        for (index, _) in stopped.failures() {
            prop_assert!(failing.contains(&index));
        }
        let expected = failing.first().filter(|index| **index < items);
        let expected = expected.map_or(Verdict::Complete, |index| Verdict::Failed {
            index: *index,
            error: fails(&failing, *index).unwrap_err(),
        });
        let mut reports = vec![stopped];
        if let Verdict::Undecided { below, .. } = merge(&reports, items).unwrap() {
            let again = below.iter();
            let again = again.map(|range| report(range.clone(), items, &failing, &ErrGroup::new()));
            reports.extend(again);
        }
        prop_assert_eq!(merge(&reports, items).unwrap(), expected);
    }
}

#[test]
fn without_reports_everything_is_unknown() {
    assert_eq!(merge(&[], 0), Ok(Verdict::Complete));
    let undecided = merge(&[], 7).unwrap();
    assert_eq!(
        undecided,
        Verdict::Undecided {
            first: None,
            below: vec![0..7]
        }
    );
    assert_eq!(undecided.to_string(), "undecided, run again: 0..7");
    let account = Account::of(&[], 7).unwrap().to_string();
    assert_eq!(account, "0 ok, 0 failed, 7 not known");
}

#[test]
fn a_report_of_another_batch_is_refused() {
    let report = report(0..3, 10, &BTreeSet::from([1]), &ErrGroup::new());
    let reports = [report];
    assert_eq!(
        Account::of(&reports, 0),
        Err(merge(&reports, 0).unwrap_err())
    );
    assert_eq!(
        merge(&reports, 11).unwrap_err().to_string(),
        "the report of items 0 to 3 belongs to a batch of 10 items, and not of 11"
    );
}

#[test]
fn a_failure_elsewhere_stops_a_shard() {
    let (cut, group) = (Cut::new(), ErrGroup::new());
    cut.lower(4);
    let mine = (0..10)
        .into_par_iter()
        .in_order()
        .cut(&cut)
        .with_group(&group);
    let outcome = mine.outcome(|_, n| Ok::<_, String>(n));
    let report = Report::new(20..30, 100, &outcome);
    assert_eq!(
        (report.known_to(), report.ok(), report.skipped()),
        (25, 5, 5)
    );
    assert_eq!(
        report.to_string(),
        "5 ok, 0 failed, 5 skipped: item 4 failed elsewhere"
    );
    assert!(!report.is_complete());
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_that_was_caught_is_the_failure_of_its_item() {
    let group = ErrGroup::new().catch_panics().concurrency(1);
    let mine = (0..5).into_par_iter().in_order().with_group(&group);
    let outcome = mine.outcome(|_, n| {
        assert!(n != 3, "three");
        Ok::<_, String>(n)
    });
    let report = Report::new(10..15, 20, &outcome);
    assert_eq!(report.first(), Some((13, "panicked: three")));
    assert_eq!((report.known_to(), report.stopped_by()), (14, None));
}

#[cfg(panic = "unwind")]
#[test]
fn a_panic_after_the_cancellation_is_no_failure() {
    let stopped = |cut: &Cut, group: &ErrGroup, stop: &(dyn Fn() + Sync)| {
        let mine = (0..10).into_par_iter().in_order().cut(cut);
        let outcome = mine.with_group(group).outcome(|token, n| {
            if n == 3 {
                stop();
                token.check().unwrap();
            }
            Ok::<_, String>(n)
        });
        let stopped = Report::new(0..10, 20, &outcome);
        assert_eq!((stopped.first(), stopped.cancelled()), (None, 1));
        let bad = report(10..20, 20, &BTreeSet::from([15]), &ErrGroup::new());
        let verdict = merge(&[stopped, bad], 20).unwrap();
        let Verdict::Undecided { below, .. } = verdict else {
            panic!("{verdict}")
        };
        assert_eq!(below, [3..10]);
    };
    let group = ErrGroup::new().catch_panics().concurrency(1);
    for group in [group.clone(), group.keep_going()] {
        let signal = CancelToken::new();
        let token = group.clone().token(&signal);
        stopped(&Cut::new(), &token, &|| {
            signal.cancel_with("SIGTERM");
        });
        let cut = Cut::new();
        stopped(&cut, &group, &|| cut.lower(1));
    }
}

#[test]
fn a_source_that_is_too_short_leaves_items_unknown() {
    let outcome = (0..3).par_in_order().outcome(|_, n| Ok::<_, String>(n));
    let report = Report::new(0..10, 10, &outcome);
    assert_eq!(
        (report.known_to(), report.skipped(), report.is_complete()),
        (3, 7, false)
    );
}

#[test]
#[should_panic = "the outcome has an item beyond 0..2"]
fn an_outcome_that_is_too_long_is_a_mistake() {
    let outcome = (0..3).par_in_order().outcome(|_, n| Ok::<_, String>(n));
    _ = Report::new(0..2, 10, &outcome);
}

#[test]
#[should_panic = "the outcome has an item beyond 0..3"]
fn an_error_after_the_cancellation_is_within_the_range_too() {
    let stop = CancelToken::new();
    let group = ErrGroup::new().token(&stop).concurrency(1);
    let mine = (0..10).into_par_iter().in_order().with_group(&group);
    let outcome = mine.outcome(|token, n| {
        if n == 3 {
            stop.cancel();
        }
        token.check().map(|()| n)
    });
    _ = Report::new(0..3, 10, &outcome);
}

#[test]
fn reports_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let bad = BTreeSet::from([5]);
    let first = report(0..4, 8, &bad, &ErrGroup::new());
    let second = report(4..8, 8, &bad, &ErrGroup::new());
    for _ in 0..2 {
        // A shard that runs again replaces its report.
        second.write(folder.path()).unwrap();
        first.write(folder.path()).unwrap();
    }
    fs::write(
        folder.path().join(".items-0-4.report.host.1.0.tmp"),
        "half a",
    )
    .unwrap();
    fs::write(folder.path().join("sums"), "something else").unwrap();
    assert_eq!(Report::read_all(folder.path()).unwrap(), [first, second]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);

    let path = folder.path().join("items-0-4.report");
    let text = fs::read_to_string(&path).unwrap();
    let refused = |text: &str, reason: &str| {
        fs::write(&path, text).unwrap();
        let error = Report::read_all(folder.path()).unwrap_err();
        assert_eq!(error.path(), path);
        assert_eq!(
            std::error::Error::source(&error).unwrap().to_string(),
            reason
        );
    };
    let newer = text.replacen("report 2", "report 3", 1);
    refused(
        &newer,
        "it has version 3 of the format, and version 2 can be read",
    );
    refused(&text[..text.len() - 2], "it is cut short");
    refused("", "it is no report");
    refused(
        &text.replace("ok 4", "ok 3"),
        "its numbers contradict each other",
    );
    refused(
        &text.replace("ok 4", "ok four"),
        "it makes no sense on line 6",
    );
    fs::write(&path, [0xff]).unwrap();
    assert!(Report::read(&path).is_err());
    assert!(Report::read(&folder.path().join("none.report")).is_err());
}

/// Hosts may have equal names and process ids: those of containers.
#[test]
fn the_temporary_file_of_another_process_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let report = report(0..4, 8, &BTreeSet::new(), &ErrGroup::new());
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    // Other tests of this process take numbers, too, but not so many.
    let others: Vec<_> = (0..1000)
        .map(|number| {
            let (host, process) = (host.trim(), std::process::id());
            let name = format!(".items-0-4.report.{host}.{process}.{number}.tmp");
            folder.path().join(name)
        })
        .collect();
    for other in &others {
        fs::write(other, "another's").unwrap();
    }
    let path = report.write(folder.path()).unwrap();
    assert_eq!(Report::read(&path).unwrap(), report);
    for other in &others {
        assert_eq!(fs::read_to_string(other).unwrap(), "another's");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1001);
}

#[test]
fn a_report_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // A folder that is not empty cannot be replaced by a file.
    fs::create_dir_all(folder.path().join("items-0-4.report/in")).unwrap();
    let report = report(0..4, 8, &BTreeSet::new(), &ErrGroup::new());
    assert!(report.write(folder.path()).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(report.write(&folder.path().join("none")).is_err());
}
