//! The example `shard_batch`: exit statuses, reports, and SIGTERM.

#![cfg(unix)]

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A folder with so many small files and their sums, in which some are bad.
fn tree(files: usize, bad: &[usize]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut sums = String::new();
    for index in 0..files {
        let content = format!("file {index}");
        for byte in Sha256::digest(content.as_bytes()) {
            write!(sums, "{byte:02x}").unwrap();
        }
        writeln!(sums, "  file-{index}").unwrap();
        let content = if bad.contains(&index) {
            "bad"
        } else {
            &content
        };
        fs::write(folder.path().join(format!("file-{index}")), content).unwrap();
    }
    fs::write(folder.path().join("sums"), sums).unwrap();
    fs::create_dir(folder.path().join("reports")).unwrap();
    folder
}

/// The example, which `cargo test` builds beside the tests, without the variables of a launcher.
fn shard_batch(folder: &Path) -> Command {
    let test = std::env::current_exe().unwrap();
    let examples = test.parent().unwrap().parent().unwrap().join("examples");
    let mut command = Command::new(examples.join("shard_batch"));
    command.env_clear().current_dir(folder);
    command.args(["sums", "--reports", "reports"]);
    command
}

fn run(command: &mut Command) -> (i32, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("`cargo test` builds the example");
    let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code().unwrap(), text)
}

#[test]
fn alone() {
    let folder = tree(20, &[]);
    let (status, text) = run(&mut shard_batch(folder.path()));
    assert_eq!((status, &*text), (0, "0..20: 20 ok, 0 failed, 0 skipped\n"));
    let (status, text) = run(shard_batch(folder.path()).arg("--merge"));
    assert_eq!(
        (status, &*text),
        (0, "complete\n20 ok, 0 failed, 0 not known\n")
    );
}

#[test]
fn shards_of_which_one_is_missing() {
    let folder = tree(40, &[17, 33]);
    let shard = |shard: &str| run(shard_batch(folder.path()).env("SHARD", shard)).0;
    assert_eq!([shard("1/4"), shard("4/4"), shard("3/4")], [0, 1, 0]);
    let merged = || run(shard_batch(folder.path()).arg("--merge"));
    let (status, text) = merged();
    assert_eq!(status, 75);
    assert!(
        text.starts_with("undecided, run again: 10..20 (item 33 failed, maybe not as the first: "),
        "{text}"
    );
    let (status, _) = run(shard_batch(folder.path()).args(["--range", "10..20"]));
    assert_eq!(status, 1);
    let (status, text) = merged();
    assert_eq!(status, 1);
    assert!(
        text.starts_with("item 17 failed: file-17: the sum is "),
        "{text}"
    );
}

#[test]
fn the_reports_of_another_list_are_refused() {
    let folder = tree(4, &[]);
    assert_eq!(run(&mut shard_batch(folder.path())).0, 0);
    let sums = folder.path().join("sums");
    let list = fs::read_to_string(&sums).unwrap();
    fs::write(&sums, list.replacen("file-1", "file-0", 1)).unwrap();
    let (status, text) = run(shard_batch(folder.path()).arg("--merge"));
    assert_eq!(
        (status, &*text),
        (
            74,
            "error: the report of items 0 to 4 belongs to another list\n"
        )
    );
}

#[test]
fn what_makes_no_sense() {
    let folder = tree(3, &[]);
    let status = |command: &mut Command| run(command);
    let (code, text) = status(shard_batch(folder.path()).env("PMI_RANK", "0"));
    assert_eq!(
        (code, &*text),
        (64, "error: PMI_RANK is set and PMI_SIZE is not\n")
    );
    assert_eq!(status(shard_batch(folder.path()).arg("--nonsense")).0, 64);
    assert_eq!(
        status(shard_batch(folder.path()).args(["--range", "2..4"])).0,
        64
    );
    let both = status(
        shard_batch(folder.path())
            .args(["--range", "0..1"])
            .env("SHARD", "1/2"),
    );
    assert_eq!(both.0, 64);
    assert_eq!(
        status(shard_batch(folder.path()).args(["--jobs", "0"])).0,
        64
    );
    assert_eq!(status(shard_batch(folder.path()).arg("--help")).0, 0);
    fs::write(folder.path().join("reports/items-0-3.report"), "half a").unwrap();
    assert_eq!(status(shard_batch(folder.path()).arg("--merge")).0, 74);
    fs::remove_dir_all(folder.path().join("reports")).unwrap();
    assert_eq!(status(&mut shard_batch(folder.path())).0, 74);
    fs::write(folder.path().join("sums"), "no sum").unwrap();
    assert_eq!(status(&mut shard_batch(folder.path())).0, 64);
}

/// `scancel` sends SIGTERM to the program and to its shell, which passes it on.
#[test]
fn a_second_sigterm_does_not_cost_the_report() {
    let folder = tree(4, &[]);
    let sums = folder.path().join("sums");
    let list = fs::read(&sums).unwrap();
    fs::remove_file(&sums).unwrap();
    let made = Command::new("mkfifo").arg(&sums).status();
    assert!(made.unwrap().success());
    let mut child = shard_batch(folder.path()).spawn().unwrap();
    // Open when the program reads, and so has its handlers.
    let mut pipe = fs::File::options().write(true).open(&sums).unwrap();
    for _ in 0..20 {
        let kill = Command::new("kill").arg(child.id().to_string()).status();
        assert!(kill.unwrap().success());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::io::Write::write_all(&mut pipe, &list).unwrap();
    drop(pipe);
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert!(folder.path().join("reports/items-0-4.report").exists());
}

#[test]
fn a_failure_that_is_known_counts_more_than_a_signal() {
    let folder = tree(2, &[0]);
    let file = folder.path().join("file-1");
    fs::remove_file(&file).unwrap();
    let made = Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    let mut command = shard_batch(folder.path());
    let ranges = ["--range", "0..1", "--range", "1..2"];
    let mut child = command.args(ranges).spawn().unwrap();
    // Open when the second range runs, and so the first has failed.
    let mut pipe = fs::File::options().write(true).open(&file).unwrap();
    let kill = Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
    // Until the program no longer reads, which is after the cancellation.
    while std::io::Write::write_all(&mut pipe, &[0; 4096]).is_ok() {}
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_merge_that_blocks_is_ended_by_a_signal() {
    use std::os::unix::process::ExitStatusExt;
    let folder = tree(1, &[]);
    let sums = folder.path().join("sums");
    fs::remove_file(&sums).unwrap();
    let made = Command::new("mkfifo").arg(&sums).status();
    assert!(made.unwrap().success());
    let mut child = shard_batch(folder.path()).arg("--merge").spawn().unwrap();
    // Open when the program reads; it gets nothing until the end.
    let pipe = fs::File::options().write(true).open(&sums).unwrap();
    let kill = Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
    std::thread::sleep(std::time::Duration::from_millis(100));
    drop(pipe);
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn a_signal_cancels_and_the_report_is_written() {
    let folder = tree(100, &[]);
    // A pipe: the program reads the list when the test writes it, and has installed the handler
    // before.
    let (sums, pipe) = (folder.path().join("sums"), folder.path().join("pipe"));
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let mut command = shard_batch(folder.path());
    command
        .env("SHARD", "2/2")
        .args(["--pause", "3600000"])
        .stderr(Stdio::piped());
    let list = fs::read(&sums).unwrap();
    fs::remove_file(&sums).unwrap();
    fs::rename(&pipe, &sums).unwrap();
    let child = command.spawn().unwrap();
    fs::write(&sums, list).unwrap();
    let kill = Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());

    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(143));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.starts_with("50..100: 0 ok, 0 failed, ") && text.ends_with(": SIGTERM\n"),
        "{text}"
    );
    let path = folder.path().join("reports/items-50-100.report");
    let report = rayon_errgroup_cluster::Report::read(&path).unwrap();
    assert_eq!(
        (report.known_to(), report.stopped_by()),
        (50, Some("SIGTERM"))
    );
}
