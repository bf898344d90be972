//! `batch_report`: its last line, its table and its picture.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Ended, Folder, Program, example, run};

/// The classes of the shapes in the picture, by the result of a file.
const OK: &str = "ok";
const FAILED: &str = "failed";
const CANCELLED: &str = "cancelled";
const PANICKED: &str = "panicked";
const SKIPPED: &str = "skipped";
const ALL: [&str; 5] = [OK, FAILED, CANCELLED, PANICKED, SKIPPED];

const BAD: &[u8] = b"{\"station\": \"x\", \"readings\": [";

fn good() -> Vec<u8> {
    let readings: Vec<_> = (0..30)
        .map(|second| format!(r#"{{"second": {second}, "celsius": 9.5}}"#))
        .collect();
    let readings = readings.join(",");
    format!(r#"{{"station": "x", "readings": [{readings}]}}"#).into_bytes()
}

/// The program with its temporary files and its picture in the folder.
fn batch_report(folder: &Folder) -> Command {
    let mut command = without_picture(folder);
    command.arg("--report").arg(folder.0.join("picture.svg"));
    command
}

fn without_picture(folder: &Folder) -> Command {
    let mut command = example("batch_report");
    // With this variable the hook would print every panic.
    command.env_remove("RUST_BACKTRACE");
    for name in ["TMPDIR", "TMP", "TEMP"] {
        command.env(name, &folder.0);
    }
    command
}

/// The picture in the folder, which must be the only file that is left there.
fn picture(folder: &Folder) -> String {
    let files: Vec<PathBuf> = fs::read_dir(&folder.0)
        .expect("the folder")
        .map(|entry| entry.expect("its files").path())
        .filter(|path| path.extension().is_none_or(|ext| ext != "json"))
        .collect();
    let [path] = &*files else {
        panic!("the files {files:?} are left")
    };
    read_picture(path)
}

fn read_picture(path: &Path) -> String {
    let svg = fs::read_to_string(path).expect("the picture");
    assert!(svg.starts_with("<svg "), "{svg}");
    assert!(svg.trim_end().ends_with("</svg>"), "{svg}");
    svg
}

/// How many shapes have this class.
fn shapes(svg: &str, class: &str) -> usize {
    svg.matches(&format!("class=\"{class}\"")).count()
}

/// Each file that ran has a bar and a mark, a skipped file only a mark. Each has a tooltip. The
/// legend has no other results.
#[track_caller]
fn shows(svg: &str, ran: &[(&'static str, usize)], skipped: usize) {
    let marks = [ran, &[(SKIPPED, skipped)]].concat();
    for class in ALL {
        let count = |shapes: &[(&str, usize)]| {
            let found = shapes.iter().find(|(found, _)| *found == class);
            found.map_or(0, |(_, count)| *count)
        };
        assert_eq!(shapes(svg, &format!("bar {class}")), count(ran), "{class}");
        let marks = count(&marks);
        assert_eq!(shapes(svg, &format!("mark {class}")), marks, "{class}");
        assert_eq!(shapes(svg, class), usize::from(marks > 0), "{class}");
    }
    let bars: usize = ran.iter().map(|(_, count)| count).sum();
    assert_eq!(svg.matches("<title>").count(), 2 * bars + skipped);
}

/// A line marks when the run was stopped, and by what.
#[track_caller]
fn is_stopped(svg: &str, label: &str) {
    assert_eq!(shapes(svg, "stop"), 1);
    let labels = svg.lines().filter(|line| line.starts_with(label));
    assert_eq!(labels.count(), 1, "{svg}");
}

#[track_caller]
fn ended_with(ended: &Ended, status: i32, last: &str) {
    let text = ended.text();
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(status), ""));
    assert_eq!(text.lines().last(), Some(last), "{text}");
}

/// Asserts that exactly one row of the table has this file, with its result and cause.
#[track_caller]
fn has_row(ended: &Ended, file: &str, result: &str, cause: &str) {
    let text = ended.text();
    let mut rows = text.lines().filter(|line| line.contains(file));
    let row = rows.next().unwrap_or_else(|| panic!("no {file}: {text}"));
    assert!(row.contains(result) && row.contains(cause), "{row}");
    assert_eq!(rows.next(), None);
}

#[test]
fn batch_report_finds_what_it_broke() {
    let folder = Folder::new("batch-default");
    let ended = run(&mut batch_report(&folder));
    ended_with(&ended, 0, "192 ok, 6 failed, 2 panicked, 0 skipped");
    has_row(&ended, "013.json", "failed", "451.5 °C is out of range");
    has_row(&ended, "047.json", "failed", "EOF while parsing");
    has_row(&ended, "048.json", "failed", r#""station" is missing"#);
    has_row(&ended, "049.json", "failed", "second 0 does not come after");
    has_row(&ended, "091.json", "panicked", "divide by zero");
    has_row(&ended, "120.json", "failed", "invalid unicode");
    has_row(&ended, "158.json", "panicked", "divide by zero");
    has_row(&ended, "187.json", "failed", "is out of range");
    shows(
        &picture(&folder),
        &[(OK, 192), (FAILED, 6), (PANICKED, 2)],
        0,
    );
}

#[test]
fn batch_report_demonstrates_with_one_worker_and_with_many() {
    let folder = Folder::new("batch-jobs");
    for jobs in ["1", "16"] {
        folder.file("picture.svg", &vec![b'x'; 1 << 20]);
        let ended = run(batch_report(&folder).args(["--jobs", jobs]));
        ended_with(&ended, 0, "192 ok, 6 failed, 2 panicked, 0 skipped");
        shows(
            &picture(&folder),
            &[(OK, 192), (FAILED, 6), (PANICKED, 2)],
            0,
        );
        // Every worker has a row, also one that found nothing to do.
        let rows = shapes(&picture(&folder), "row");
        assert_eq!(rows.to_string(), jobs);
        assert_eq!(shapes(&picture(&folder), "stop"), 0);
    }
}

#[test]
fn the_picture_names_the_files_and_the_causes() {
    let folder = Folder::new("batch-names");
    folder.file("<good> & \u{1b}.json", &good());
    folder.file("bad.json", b"{\"station\": 7}");
    let mut command = batch_report(&folder);
    let ended = run(command.current_dir(&folder.0).arg("."));
    ended_with(&ended, 1, "1 ok, 1 failed, 0 skipped");
    let svg = picture(&folder);
    // In the tooltips of the bar and of the mark.
    let good = r#"<title>"./&lt;good&gt; &amp; \u{1b}.json""#;
    let bad = "<title>\"./bad.json\"\nfailed: \"station\" has the wrong type";
    for tooltip in [good, bad] {
        assert_eq!(svg.matches(tooltip).count(), 2, "{tooltip} in {svg}");
    }
    assert!(!svg.contains('\u{1b}'));
}

#[test]
fn batch_report_does_not_pass_the_demonstration_if_some_are_skipped() {
    let folder = Folder::new("batch-demo-skips");
    let ended = run(batch_report(&folder).args(["--max-errors", "1", "--jobs", "1"]));
    ended_with(&ended, 1, "13 ok, 1 failed, 186 skipped");
    shows(&picture(&folder), &[(OK, 13), (FAILED, 1)], 186);
    is_stopped(&picture(&folder), "too many failures at ");
}

#[test]
fn batch_report_names_the_files_that_are_not_valid() {
    let folder = Folder::new("batch-two");
    folder.file("a.json", &good());
    folder.file("b.json", BAD);
    folder.file("c.json", &good());
    folder.file("d.json", b"{\"station\": 7}");
    folder.file("e.json", &good());
    let ended = run(batch_report(&folder).arg(&folder.0));
    ended_with(&ended, 1, "3 ok, 2 failed, 0 skipped");
    has_row(&ended, "b.json", "failed", "EOF while parsing a list");
    has_row(
        &ended,
        "d.json",
        "failed",
        r#""station" has the wrong type"#,
    );
    assert!(!ended.text().contains("a.json"), "{}", ended.text());
    assert!(ended.text().contains("90 readings in"), "{}", ended.text());
    shows(&picture(&folder), &[(OK, 3), (FAILED, 2)], 0);
}

#[test]
fn batch_report_goes_below_folders_and_reads_only_documents_there() {
    let folder = Folder::new("batch-below");
    folder.file("in/deep/er/a.json", &good());
    folder.file("in/notes.txt", BAD);
    let other = folder.file("other.txt", &good());
    let mut command = batch_report(&folder);
    let ended = run(command.arg(folder.0.join("in")).arg(other));
    ended_with(&ended, 0, "2 ok, 0 failed, 0 skipped");
    assert!(
        !ended.text().contains("cause"),
        "an empty table is not printed"
    );
    shows(&read_picture(&folder.0.join("picture.svg")), &[(OK, 2)], 0);
}

#[test]
fn batch_report_skips_the_rest_after_max_errors() {
    let folder = Folder::new("batch-max");
    folder.file("a.json", &good());
    for name in ["b.json", "c.json", "d.json"] {
        folder.file(name, BAD);
    }
    for (limit, last) in [
        ("1", "1 ok, 1 failed, 2 skipped"),
        ("2", "1 ok, 2 failed, 1 skipped"),
        ("3", "1 ok, 3 failed, 0 skipped"),
        ("4", "1 ok, 3 failed, 0 skipped"),
    ] {
        let mut command = batch_report(&folder);
        command.args(["--jobs", "1", "--max-errors", limit]);
        ended_with(&run(command.arg(&folder.0)), 1, last);
    }
}

#[test]
fn batch_report_counts_a_panic_as_a_failure() {
    let folder = Folder::new("batch-panic");
    folder.file("a.json", b"{\"station\": \"x\", \"readings\": []}");
    folder.file("b.json", &good());
    let mut command = batch_report(&folder);
    let ended = run(command.arg(&folder.0));
    ended_with(&ended, 1, "1 ok, 0 failed, 1 panicked, 0 skipped");
    has_row(&ended, "a.json", "panicked", "divide by zero");
    // As the variable is documented: 0 means off.
    command.env("RUST_BACKTRACE", "0");
    let ended = run(command.args(["--jobs", "1", "--max-errors", "1"]));
    ended_with(&ended, 1, "0 ok, 0 failed, 1 panicked, 1 skipped");
}

#[test]
fn batch_report_reports_what_cannot_be_read() {
    let folder = Folder::new("batch-unreadable");
    folder.file("a.json", b"{\"station\": \"\xff\"}");
    let mut command = batch_report(&folder);
    command.arg(&folder.0);
    let ended = run(&mut command);
    ended_with(&ended, 1, "0 ok, 1 failed, 0 skipped");
    has_row(&ended, "a.json", "failed", "invalid unicode");
    // The user may be allowed to read every file, but the first page of a process is never mapped.
    if cfg!(target_os = "linux") {
        let ended = run(command.arg("/proc/self/mem"));
        ended_with(&ended, 1, "0 ok, 2 failed, 0 skipped");
        has_row(&ended, "/proc/self/mem", "failed", "cannot be read: ");
    }
}

#[test]
fn batch_report_refuses_what_it_cannot_begin() {
    let folder = Folder::new("batch-refused");
    let missing = folder.0.join("missing");
    run(batch_report(&folder).arg(&missing)).refused(1, "cannot read \"");
    run(batch_report(&folder).arg(&folder.0)).refused(1, "no .json file in \"");

    let document = folder.file("a.json", &good());
    let mut command = without_picture(&folder);
    let ended = run(command.arg(&folder.0).arg("--report").arg(&document));
    ended.refused(2, "the picture would overwrite");
    assert_eq!(fs::read(document).expect("it still exists"), good());

    let mut command = without_picture(&folder);
    let ended = run(command
        .arg(&folder.0)
        .arg("--report")
        .arg(missing.join("picture.svg")));
    ended.refused(1, "cannot write to");

    for wrong in [
        ["--jobs", "0"],
        ["--max-errors", "0"],
        ["--timeout", "0"],
        ["--timeout", "soon"],
    ] {
        let ended = run(batch_report(&folder).args(wrong));
        assert_eq!((ended.status, ended.text()), (Some(2), ""), "{wrong:?}");
    }
}

/// No file that the user has not named, wherever that would be.
#[test]
fn batch_report_draws_only_if_it_is_asked_to() {
    let folder = Folder::new("batch-no-picture");
    let mut command = without_picture(&folder);
    let ended = run(command.current_dir(&folder.0));
    ended_with(&ended, 0, "192 ok, 6 failed, 2 panicked, 0 skipped");
    let left = fs::read_dir(&folder.0).expect("the folder").count();
    assert_eq!(left, 0);
}

#[cfg(unix)]
#[test]
fn batch_report_ends_quietly_if_its_output_is_closed() {
    let folder = Folder::new("batch-unread");
    let mut program = Program::start_unread(batch_report(&folder).arg("/dev/stdin"));
    std::io::Write::write_all(&mut program.stdin(), &good()).expect("it reads");
    let ended = program.end();
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
    shows(&picture(&folder), &[(OK, 1)], 0);
}

#[cfg(unix)]
mod stopped {
    use std::io::Write;
    use std::process::ChildStdin;
    use std::thread;

    use super::*;

    /// Starts the program on its standard input, followed by two files.
    fn start(folder: &Folder, options: &[&str]) -> (Program, ChildStdin) {
        folder.file("a.json", &good());
        folder.file("b.json", &good());
        let mut command = batch_report(folder);
        command.args(["--jobs", "1"]).args(options);
        let mut program = Program::start(command.arg("/dev/stdin").arg(&folder.0));
        let input = program.stdin();
        (program, input)
    }

    /// Writes to the input until the program closes it.
    fn end(program: Program, mut input: ChildStdin) -> Ended {
        let writer = thread::spawn(move || while input.write_all(&[b' '; 64]).is_ok() {});
        let ended = program.end();
        writer.join().expect("the pipe is closed");
        ended
    }

    #[test]
    fn batch_report_keeps_what_was_done_when_it_is_interrupted() {
        let folder = Folder::new("batch-interrupted");
        let (program, mut input) = start(&folder, &[]);
        // More than a pipe holds: once this is written, the program is reading.
        input.write_all(&vec![b' '; 1 << 20]).expect("it reads");
        program.interrupt();
        let ended = end(program, input);
        let last = "0 ok, 0 failed, 1 cancelled, 2 skipped: Ctrl-C";
        ended_with(&ended, 130, last);
        has_row(
            &ended,
            "/dev/stdin",
            "cancelled",
            "cancelled by the parent token",
        );
        shows(&picture(&folder), &[(CANCELLED, 1)], 2);
        is_stopped(&picture(&folder), "Ctrl-C at ");
    }

    #[test]
    fn batch_report_skips_what_has_not_begun_in_time() {
        let folder = Folder::new("batch-timeout");
        let (program, input) = start(&folder, &["--timeout", "0.05"]);
        let ended = end(program, input);
        // On a busy machine the time may be over before the first file begins.
        if ended.text().contains("3 skipped") {
            ended_with(&ended, 1, "0 ok, 0 failed, 3 skipped: deadline passed");
            shows(&picture(&folder), &[], 3);
        } else {
            let last = "0 ok, 0 failed, 1 cancelled, 2 skipped: deadline passed";
            ended_with(&ended, 1, last);
            has_row(&ended, "/dev/stdin", "cancelled", "cancelled: deadline");
            shows(&picture(&folder), &[(CANCELLED, 1)], 2);
        }
        is_stopped(&picture(&folder), "deadline at 50.00ms");
    }
}
