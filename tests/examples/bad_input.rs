//! Bad input to every example: one clear line, the right status, and no panic.

use std::fs;
use std::process::Command;

use crate::program::{Ended, Folder, example, run};

/// The program, its arguments, the exit status, and a part of the message.
type Case = (&'static str, &'static [&'static str], i32, &'static str);

const USAGE: i32 = 2;
const FAILED: i32 = 1;

/// Arguments that say by themselves what is wrong with them.
#[rustfmt::skip]
const ARGUMENTS: &[Case] = &[
    ("fetch_urls", &["http://127.0.0.1:80x/"], USAGE, r#""80x" is not a port"#),
    ("fetch_urls", &["http://127.0.0.1:abc/"], USAGE, r#""abc" is not a port"#),
    ("fetch_urls", &["http://127.0.0.1:-1/"], USAGE, r#""-1" is not a port"#),
    ("fetch_urls", &["http://127.0.0.1:99999/"], USAGE, r#""99999" is not a port"#),
    ("fetch_urls", &["http://127.0.0.1:0/"], USAGE, r#""0" is not a port"#),
    ("fetch_urls", &["http://me:80@127.0.0.1:8x"], USAGE, r#""8x" is not a port"#),
    ("fetch_urls", &["http://[::1]:x/"], USAGE, r#""x" is not a port"#),
    ("fetch_urls", &["http://[::1]80/"], USAGE, "invalid authority"),
    ("fetch_urls", &["http://[::1/"], USAGE, "invalid authority"),
    ("fetch_urls", &["http://"], USAGE, "no host"),
    ("fetch_urls", &["http:///x"], USAGE, "no host"),
    ("fetch_urls", &["http://:80/"], USAGE, "no host"),
    ("fetch_urls", &["ftp://127.0.0.1/"], USAGE, "begin with http:// or https://"),
    ("fetch_urls", &["127.0.0.1"], USAGE, "begin with http:// or https://"),
    ("fetch_urls", &[""], USAGE, "bad URL \"\""),
    ("fetch_urls", &["http://h/\u{1b}[2J"], USAGE, r"http://h/\u{1b}[2J"),
    ("fetch_urls", &["-P", "-1", "http://h/"], USAGE, "'-1' for '--concurrency"),
    ("fetch_urls", &["-t", "-1", "http://h/"], USAGE, "'-1' for '--timeout"),
    ("fetch_urls", &["-m", "nan", "http://h/"], USAGE, "'nan' for '--max-time"),
    ("hash_tree", &["-j", "-1"], USAGE, "'-1' for '--jobs"),
    ("hash_tree", &["-j", "1025"], USAGE, "'1025' for '--jobs"),
    ("hash_tree", &["-a", "md5"], USAGE, "'md5' for '--algorithm"),
    ("hash_tree", &["--nonsense"], USAGE, "'--nonsense'"),
    ("ndjson_pipeline", &["-j", "-1", "-"], USAGE, "'-1' for '--jobs"),
    ("ndjson_pipeline", &["-g", "99999999999999999999EB"], USAGE, "it is too large"),
    ("ndjson_pipeline", &["-g", "-5"], USAGE, "'-5' for '--generate"),
    ("ndjson_pipeline", &["--max-line", "x", "-"], USAGE, "'x' for '--max-line"),
    ("ndjson_pipeline", &["records", "-o", "records"], USAGE, "would overwrite the input"),
    ("ndjson_pipeline", &["records", "more"], USAGE, "'more'"),
    ("batch_report", &["-j", "-1"], USAGE, "'-1' for '--jobs"),
    ("batch_report", &["-e", "-1"], USAGE, "'-1' for '--max-errors"),
    ("batch_report", &["-t", "inf"], USAGE, "'inf' for '--timeout"),
    ("batch_report", &["good.json", "-r", "good.json"], USAGE, "would overwrite \"good.json\""),
    ("batch_report", &["good.json", "-r", "-"], USAGE, "the picture needs a file"),
    ("service_start", &["-p", "-1"], USAGE, "'-1' for '--port"),
    ("service_start", &["-p", "65536"], USAGE, "'65536' for '--port"),
    ("service_start", &["--probes", "-1"], USAGE, "'-1' for '--probes"),
    ("loader", &["new.db"], USAGE, "<FILE>"),
    ("loader", &["-j", "-1", "new.db", "x"], USAGE, "'-1' for '--jobs"),
    ("word_count", &[], USAGE, "<FILE>"),
    ("word_count", &["-t", "-1", "text"], USAGE, "'-1' for '--top"),
];

/// Files that are missing, of the wrong kind, too large, or have bad lines.
#[rustfmt::skip]
const FILES: &[Case] = &[
    ("hash_tree", &["missing"], FAILED, r#"cannot read "missing": No such file"#),
    ("hash_tree", &["-j", "2", "folder", "no\u{1b}[2J"], FAILED, r#""no\u{1b}[2J": No such"#),
    ("ndjson_pipeline", &["missing"], FAILED, r#"cannot read "missing": No such file"#),
    ("ndjson_pipeline", &["folder"], FAILED, r#"cannot read "folder": is a directory"#),
    ("ndjson_pipeline", &["long"], FAILED, "line 1 of \"long\": not a JSON object"),
    ("ndjson_pipeline", &["list"], FAILED, "line 1 of \"list\": not a JSON object"),
    ("ndjson_pipeline", &["cut"], FAILED, "line 1 of \"cut\": EOF while parsing"),
    ("ndjson_pipeline", &["--max-line", "0", "list"], FAILED, "longer than 0 B (--max-line)"),
    ("ndjson_pipeline", &["records", "-o", "no/o"], FAILED, r#"cannot write to "no/o": No such"#),
    ("ndjson_pipeline", &["-g", "1", "--raw", "--bad-line", "9"], FAILED, "--bad-line 9 is beyond"),
    ("fetch_urls", &["-f", "missing"], FAILED, r#"cannot read "missing": No such file"#),
    ("fetch_urls", &["-f", "folder"], FAILED, r#"cannot read "folder": is a directory"#),
    ("fetch_urls", &["-f", "long"], FAILED, r#"line 1 of "long": bad URL "xxx"#),
    ("fetch_urls", &["-f", "urls"], FAILED, r#"line 2 of "urls": bad URL "http://h:8x/""#),
    ("fetch_urls", &["-f", "empty"], FAILED, r#"no URL in "empty""#),
    ("fetch_urls", &["-f", "bytes"], FAILED, r#"cannot read "bytes": invalid utf-8"#),
    ("fetch_urls", &["-f", "\u{1b}[2J"], FAILED, r#"cannot read "\u{1b}[2J": No such"#),
    ("service_start", &["-c", "missing"], FAILED, r#"cannot read "missing": No such file"#),
    ("service_start", &["-c", "folder"], FAILED, r#"cannot read "folder": is a directory"#),
    ("service_start", &["-c", "large"], FAILED, r#"cannot read "large": larger than 1.0 MiB"#),
    ("service_start", &["-c", "bytes"], FAILED, r#"cannot read "bytes": invalid utf-8"#),
    ("service_start", &["-c", "key"], FAILED, r#"line 1 of "key": "workers\u{1b}" is not"#),
    ("service_start", &["-c", "\u{1b}[2J"], FAILED, r#"cannot read "\u{1b}[2J": No such"#),
    ("batch_report", &["missing"], FAILED, r#"cannot read "missing": No such file"#),
    ("batch_report", &["folder", "other"], FAILED, r#"no .json file in "folder", "other""#),
    ("batch_report", &["good.json", "-r", "no/p"], FAILED, r#"cannot write to "no/p": No such"#),
    ("loader", &["new.db", "missing"], FAILED, r#"cannot read "missing": No such file"#),
    ("loader", &["new.db", "folder"], FAILED, r#"cannot read "folder": is a directory"#),
    ("loader", &["new.db", "bytes"], FAILED, r#"cannot read "bytes": invalid utf-8"#),
    ("loader", &["new.db", "text"], FAILED, r#""text": line 1 is no name,number"#),
    ("loader", &["no/new.db", "text"], FAILED, r#"cannot open "no/new.db""#),
    ("word_count", &["missing"], FAILED, r#"cannot read "missing": No such file"#),
    ("word_count", &["folder"], FAILED, r#"cannot read "folder": Is a directory"#),
    ("word_count", &["text", "bytes"], FAILED, r#""bytes", line 2: invalid UTF-8"#),
];

/// Devices and limits that only Linux has.
#[rustfmt::skip]
const LINUX: &[Case] = &[
    ("hash_tree", &["/proc/self/mem"], FAILED, r#"cannot read "/proc/self/mem": Input/output"#),
    ("ndjson_pipeline", &["/dev/zero"], FAILED, "longer than 16.0 MiB (--max-line)"),
    ("ndjson_pipeline", &["records", "-o", "/dev/full"], FAILED, "No space left"),
    ("fetch_urls", &["-f", "/dev/zero"], FAILED, "larger than 64.0 MiB"),
    ("service_start", &["-c", "/dev/zero"], FAILED, "larger than 1.0 MiB"),
    ("batch_report", &["good.json", "-r", "/dev/full"], FAILED, "cannot write to \"/dev/full\""),
];

fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    let readings: Vec<_> = (0..24)
        .map(|second| format!(r#"{{"second": {second}, "celsius": 9}}"#))
        .collect();
    let good = format!(
        r#"{{"station": "x", "readings": [{}]}}"#,
        readings.join(",")
    );
    let long = vec![b'x'; 5_000_000];
    for (name, bytes) in [
        ("good.json", good.as_bytes()),
        ("records", b"{}\n"),
        ("list", b"[]\n"),
        ("cut", b"{\"a\": \n"),
        ("empty", b"# nothing\n"),
        ("urls", b"http://h/\nhttp://h:8x/\n"),
        ("bytes", b"a,1\n\xff"),
        ("text", b"text\n"),
        ("key", b"workers\x1b\n"),
        ("long", &[b"\"", &*long].concat()),
        ("large", &long),
    ] {
        folder.file(name, bytes);
    }
    folder.file("long", &long);
    for name in ["folder", "other"] {
        fs::create_dir(folder.0.join(name)).expect("a folder");
    }
    folder
}

fn command(folder: &Folder, program: &str, arguments: &[&str]) -> Command {
    let mut command = example(program);
    command.args(arguments).current_dir(&folder.0);
    command
}

/// clap explains below the error how the program is used.
#[track_caller]
fn is_refused(ended: &Ended, case: &Case) {
    let (program, arguments, status, message) = case;
    let stderr = &ended.stderr;
    let context = format!("{program} {arguments:?}: {stderr}");
    assert_eq!(ended.status, Some(*status), "{context}");
    assert!(stderr.starts_with("error: "), "{context}");
    assert!(stderr.contains(message), "no {message:?}: {context}");
    assert!(stderr.len() < 2000, "{} bytes", stderr.len());
    let lines = stderr.lines().count();
    assert!(lines == 1 || stderr.contains("--help"), "{context}");
}

#[test]
fn wrong_arguments_are_explained() {
    let folder = folder("bad-arguments");
    for case in ARGUMENTS {
        let ended = run(&mut command(&folder, case.0, case.1));
        is_refused(&ended, case);
        assert_eq!(ended.text(), "");
        assert!(!folder.0.join("new.db").exists());
    }
}

#[test]
fn bad_files_are_named() {
    let folder = folder("bad-files");
    let linux = if cfg!(target_os = "linux") {
        LINUX
    } else {
        &[]
    };
    for case in FILES.iter().chain(linux) {
        let ended = run(&mut command(&folder, case.0, case.1));
        is_refused(&ended, case);
        assert!(ended.text().len() < 300, "{}", ended.text());
    }
}

#[test]
fn every_example_has_a_version_and_the_same_statuses() {
    for program in PROGRAMS {
        let ended = run(example(program).arg("--version"));
        ended.prints(0, &format!("{program} {}\n", env!("CARGO_PKG_VERSION")));
        let ended = run(example(program).arg("--help"));
        let help = ended.text();
        assert!(help.contains("\nExit status:\n    0  all is well\n    1  "));
        assert!(help.contains("\n    2  the arguments are wrong"), "{help}");
    }
}

const PROGRAMS: [&str; 7] = [
    "batch_report",
    "fetch_urls",
    "hash_tree",
    "loader",
    "ndjson_pipeline",
    "service_start",
    "word_count",
];

/// For each program a call that prints something and ends well.
#[cfg(target_os = "linux")]
const GOOD: [(&str, &[&str]); 8] = [
    ("batch_report", &["good.json"]),
    ("fetch_urls", &[]),
    ("hash_tree", &["text"]),
    ("loader", &["new.db", "rows"]),
    ("ndjson_pipeline", &["records"]),
    ("ndjson_pipeline", &["-g", "1", "--raw"]),
    ("service_start", &["--probes", "1"]),
    ("word_count", &["text"]),
];

/// Runs a command of the shell in front of the program.
#[cfg(target_os = "linux")]
fn shell(folder: &Folder, script: &str, (program, arguments): (&str, &[&str])) -> Ended {
    let direct = command(folder, program, arguments);
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(direct.get_program());
    run(shell.args(arguments).current_dir(&folder.0))
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_is_an_error() {
    let folder = folder("lost-output");
    folder.file("rows", b"a,1\n");
    for good in GOOD {
        assert_eq!(run(&mut command(&folder, good.0, good.1)).status, Some(0));
        let full = shell(&folder, r#"exec "$0" "$@" >/dev/full"#, good);
        full.refused(1, "cannot write to standard output: No space left");
        let closed = shell(&folder, r#"exec "$0" "$@" >&-"#, good);
        closed.refused(1, "cannot write to standard output: it is closed");
        // Nothing is lost if nobody wants it.
        let null = shell(&folder, r#"exec "$0" "$@" >/dev/null"#, good);
        assert_eq!(null.status, Some(0), "{good:?}: {}", null.stderr);
        // Messages that cannot be written change nothing.
        let silent = shell(&folder, r#"exec "$0" "$@" 2>&-"#, good);
        assert_eq!(silent.status, Some(0), "{good:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_input_that_is_closed_is_an_error() {
    let folder = folder("closed-input");
    for from_input in [
        ("fetch_urls", &["-f", "-"][..]),
        ("hash_tree", &["-"]),
        ("ndjson_pipeline", &["-"]),
    ] {
        let closed = shell(&folder, r#"exec "$0" "$@" <&-"#, from_input);
        closed.refused(1, "it is closed");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn threads_that_cannot_be_started_are_an_error() {
    let folder = folder("few-threads");
    let urls = "http://127.0.0.1:9/\n".repeat(300);
    folder.file("many", urls.as_bytes());
    let many: Vec<_> = (0..1000).map(|n| format!("folder/{n}.json")).collect();
    for name in &many {
        folder.file(name, b"{}");
    }
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let loader = [&["-j", "256", "new.db"][..], &many].concat();
    // 256 stacks of two MiB do not fit.
    let script = r#"ulimit -v 400000; exec "$0" "$@""#;
    for many in [
        ("batch_report", &["-j", "1024", "folder"][..]),
        ("fetch_urls", &["-P", "256", "-f", "many"]),
        ("hash_tree", &["-j", "1024", "folder"]),
        ("loader", &loader),
        ("ndjson_pipeline", &["-j", "1024", "records"]),
    ] {
        let ended = shell(&folder, script, many);
        ended.refused(1, "threads of a group cannot be started: Resource");
        // The system's message is there once.
        assert_eq!(ended.stderr.matches("Resource").count(), 1);
    }
    // No more threads than files.
    let few = ("hash_tree", &["-j", "1024", "text"][..]);
    assert_eq!(shell(&folder, script, few).status, Some(0));
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_counted() {
    use std::os::unix::fs::symlink;

    let folder = folder("no-files");
    folder.file(
        "in/good.json",
        &fs::read(folder.0.join("good.json")).expect("it was written"),
    );
    symlink("good.json", folder.0.join("in/link.json")).expect("a link");
    symlink("nowhere", folder.0.join("in/dangling.json")).expect("a link");
    symlink("nowhere", folder.0.join("in/other")).expect("a link");
    let ended = run(&mut command(&folder, "hash_tree", &["in"]));
    assert_eq!((ended.status, ended.text().lines().count()), (Some(0), 1));
    let first = "not hashed, because they are no regular files: 3, the first is";
    assert_eq!(ended.stderr, format!("{first} \"in/dangling.json\"\n"));
    let ended = run(&mut command(&folder, "batch_report", &["in"]));
    let first = "Not read, because they are no regular files: 2, the first is";
    assert_eq!(
        (ended.status, ended.text()),
        (
            Some(0),
            &*format!(
                "{first} \"in/dangling.json\".\n24 readings in the valid files.\n\
                 1 ok, 0 failed, 0 skipped\n"
            )
        )
    );
    let ended = run(&mut command(&folder, "hash_tree", &["folder"]));
    assert_eq!(
        (ended.status, ended.text(), ended.stderr.as_str()),
        (Some(0), "", "there are no files to hash\n")
    );
}
