//! `ndjson_pipeline`, compared with a sequential loop.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::thread;

use crate::program::{Ended, Folder, Program, example, run};

/// The expected results of the lines before the first bad one, and the error of that line.
fn loop_over(records: &[u8]) -> (String, Option<String>) {
    let mut results = String::new();
    for (number, line) in (1..).zip(records.split_inclusive(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match serde_json::from_slice::<serde_json::Map<_, _>>(line) {
            Ok(mut record) => {
                record.shift_remove("debug");
                let is_slow = record["ms"].as_u64() > Some(500);
                record.insert("slow".to_owned(), is_slow.into());
                results += &serde_json::Value::from(record).to_string();
                results.push('\n');
            }
            Err(error) => return (results, Some(format!("line {number}, {error}"))),
        }
    }
    (results, None)
}

/// Generated records, some of whose lines are truncated.
fn records(size: &str, bad_lines: &[&str]) -> Vec<u8> {
    let mut command = example("ndjson_pipeline");
    command.args(["--generate", size, "--raw"]);
    for line in bad_lines {
        command.args(["--bad-line", line]);
    }
    let ended = run(&mut command);
    results(&ended);
    ended.stdout
}

/// All ways to run the pipeline.
const WAYS: [&[&str]; 6] = [
    &["--sequential"],
    &["--jobs", "1"],
    &["--jobs", "2"],
    &["--jobs", "3"],
    &["--jobs", "8"],
    &[],
];

/// Runs the pipeline on standard input.
fn pipe(records: &[u8], args: &[&str]) -> Ended {
    let mut program = Program::start(example("ndjson_pipeline").arg("-").args(args));
    let mut stdin = program.stdin();
    thread::scope(|scope| {
        // The program stops reading at a bad line.
        scope.spawn(move || _ = stdin.write_all(records));
        program.end()
    })
}

/// The output of a program that succeeded without a message.
#[track_caller]
fn results(ended: &Ended) -> &str {
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
    ended.text()
}

#[test]
fn ndjson_pipeline_demonstrates_itself() {
    let ended = run(&mut example("ndjson_pipeline"));
    let output = ended.text();
    assert_eq!(ended.status, Some(0), "{output}{}", ended.stderr);
    assert_eq!(output.matches("the same bytes").count(), 2, "{output}");
    let stopped = "Err: line 20000 of the records: EOF while parsing";
    assert_eq!(output.matches(stopped).count(), 2, "{output}");
}

#[test]
fn ndjson_pipeline_writes_what_the_sequential_loop_does() {
    let records = records("1MB", &[]);
    assert!(records.len() >= 1_000_000 && records.ends_with(b"}\n"));
    let (expected, None) = loop_over(&records) else {
        panic!("a bad line")
    };
    let slow = expected.matches(r#""slow":true}"#).count();
    assert!(0 < slow && 2 * slow < expected.lines().count());
    let folder = Folder::new("ndjson");
    let file = folder.file("records", &records);
    let out = folder.0.join("results");
    for way in WAYS {
        let command = || {
            let mut command = example("ndjson_pipeline");
            command.args(way);
            command
        };
        for ended in [
            run(command().arg(&file)),
            run(command().args(["--generate", "1MB"])),
            pipe(&records, way),
        ] {
            assert!(results(&ended) == expected, "{way:?}: the results differ");
        }
        let ended = run(command().arg(&file).arg("--output").arg(&out));
        assert_eq!(results(&ended), "");
        assert!(fs::read(&out).expect("the results") == expected.as_bytes());
    }
}

#[test]
fn ndjson_pipeline_stops_at_the_lowest_bad_line() {
    let bad_lines = ["1500", "1501", "1530", "3000"];
    let records = records("1MB", &bad_lines);
    let (expected, Some(error)) = loop_over(&records) else {
        panic!("no bad line")
    };
    // The parser always reports line 1.
    let error = error.replace(" at line 1 column ", " at column ");
    let error = error.replace("line 1500, ", "error: line 1500 of standard input: ") + "\n";
    for way in [WAYS.as_slice(); 3].concat() {
        let ended = pipe(&records, way);
        assert_eq!(
            (ended.status, ended.stderr.as_str()),
            (Some(1), error.as_str())
        );
        assert!(ended.text() == expected, "{way:?}: the results differ");
    }
}

#[test]
fn ndjson_pipeline_accepts_lines_of_any_form() {
    for (records, expected, error) in [
        ("", "", ""),
        ("\n\n", "", ""),
        ("{}", "{'slow':false}\n", ""),
        // The mark of UTF-8, which only the first line may have.
        ("\u{feff}{}\n{}", "{'slow':false}\n{'slow':false}\n", ""),
        (
            "{}\n\u{feff}{}\n",
            "{'slow':false}\n",
            "line 2 of standard input: not a JSON object",
        ),
        (
            "{'ms':501}\r\n\r\n \t\n{'ms':500}",
            "{'ms':501,'slow':true}\n{'ms':500,'slow':false}\n",
            "",
        ),
        (
            "{'b': [1, {'debug': -1}], 'debug': 0, 'slow': 1, 'a': 0.1}\n",
            "{'b':[1,{'debug':-1}],'slow':false,'a':0.1}\n",
            "",
        ),
        (
            "{'ms':18446744073709551615}\n{'ms':'501'}\n{'ms':null}\n{'ms':501.5}\n",
            "{'ms':18446744073709551615,'slow':true}\n{'ms':'501','slow':false}\n\
             {'ms':null,'slow':false}\n{'ms':501.5,'slow':true}\n",
            "",
        ),
        (
            "\n{}\n\n{'a':\r\n{}\n",
            "{'slow':false}\n",
            "line 4 of standard input: EOF while parsing a value at column 5",
        ),
        (
            "{}\n{} {}\n",
            "{'slow':false}\n",
            "line 2 of standard input: trailing characters at column 4",
        ),
        ("[]\n", "", "line 1 of standard input: not a JSON object"),
    ] {
        let [records, expected] = [records, expected].map(|text| text.replace('\'', "\""));
        for way in WAYS {
            let ended = pipe(records.as_bytes(), way);
            assert_eq!(ended.text(), expected, "{records:?}");
            let (status, message) = match error {
                "" => (0, String::new()),
                _ => (1, format!("error: {error}\n")),
            };
            assert_eq!((ended.status, ended.stderr), (Some(status), message));
        }
    }
    // Lines that are not UTF-8 or not JSON.
    for (records, message) in [
        (
            &b"{\"a\":\"\xff\"}"[..],
            "invalid unicode code point at column",
        ),
        (b"\xff\xfe{\0}\0\n\0", "not a JSON object"),
        (
            "{\"a\":".repeat(1000).as_bytes(),
            "recursion limit exceeded",
        ),
        (b"{\"a\":\"\\ud800\"}", "unexpected end of hex escape"),
    ] {
        pipe(records, &[]).refused(1, message);
    }
}

#[test]
fn ndjson_pipeline_limits_the_length_of_a_line() {
    // Longer than the buffers of the program.
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1 << 20));
    let records = format!("{{}}\n{long}{{}}\n");
    let expected = records.replace('}', ",\"slow\":false}").replace("{,", "{");
    assert!(results(&pipe(records.as_bytes(), &[])) == expected);

    let length = long.len().to_string();
    let ended = pipe(records.as_bytes(), &["--max-line", &length]);
    assert!(
        results(&ended) == expected,
        "a line may be as long as the limit"
    );
    let shorter = (long.len() - 1).to_string();
    for way in WAYS {
        let ended = pipe(
            records.as_bytes(),
            &[way, &["--max-line", &shorter]].concat(),
        );
        ended.prints(1, "{\"slow\":false}\n");
        assert_eq!(
            ended.stderr,
            "error: line 2 of standard input: longer than 1.0 MiB (--max-line)\n"
        );
    }
}

#[test]
fn ndjson_pipeline_names_what_it_cannot_read_or_write() {
    let folder = Folder::new("ndjson-files");
    let file = folder.file("records", b"{}\n");
    let pipeline = |input: &Path, args: &[&str]| {
        let mut command = example("ndjson_pipeline");
        run(command.arg(input).args(args).current_dir(&folder.0))
    };
    let missing = folder.0.join("missing");
    pipeline(&missing, &[]).refused(1, "missing\": ");
    pipeline(&missing, &["--output", "new"]).refused(1, "missing\": ");
    assert!(
        !folder.0.join("new").exists(),
        "no output is created without an input"
    );
    pipeline(&folder.0, &[]).refused(1, "error: cannot read ");
    pipeline(&file, &["--output", "missing/out"]).refused(1, "cannot write to \"missing/out\": ");
    pipeline(&file, &["--output", "records"]).refused(2, "would overwrite the input");
    assert_eq!(fs::read(&file).expect("the input is unchanged"), b"{}\n");
    if cfg!(target_os = "linux") {
        for way in WAYS {
            let memory = pipeline(Path::new("/proc/self/mem"), way);
            memory.refused(1, "line 1 of \"/proc/self/mem\": cannot be read: Input/");
            let full = [way, &["--output", "/dev/full"]].concat();
            pipeline(&file, &full).refused(1, "cannot write to \"/dev/full\": No space");
            // More than the output buffer holds.
            let mut full = example("ndjson_pipeline");
            full.args(["--generate", "1MB", "--output", "/dev/full"]);
            run(full.args(way)).refused(1, "cannot write to \"/dev/full\": No space");
        }
    }
}

#[test]
fn ndjson_pipeline_checks_its_options() {
    for bad in [
        "- --jobs 0",
        "- --jobs 2 --sequential",
        "- --generate 1MB",
        "- --raw",
        "- --bad-line 1",
        "--jobs 2",
        "--generate much",
        "--generate 1MB --bad-line 0",
        "--generate 1MB --raw --sequential",
        "a b",
    ] {
        let ended = run(example("ndjson_pipeline").args(bad.split(' ')));
        assert_eq!((ended.status, ended.text()), (Some(2), ""), "{bad}");
        ended.says("error: ");
    }
}

#[test]
fn ndjson_pipeline_ends_quietly_if_its_output_is_closed() {
    for way in WAYS {
        let mut program = Program::start_unread(example("ndjson_pipeline").arg("-").args(way));
        let mut endless = program.stdin();
        let writer = thread::spawn(move || while endless.write_all(b"{}\n").is_ok() {});
        assert_eq!(results(&program.end()), "");
        writer.join().expect("the pipe is closed");
    }
    let mut raw = example("ndjson_pipeline");
    let program = Program::start_unread(raw.args(["--generate", "1GiB", "--raw"]));
    assert_eq!(results(&program.end()), "");
    // Even if a line is bad: the results before it come first.
    let mut bad = example("ndjson_pipeline");
    bad.args(["--generate", "1MB", "--bad-line", "2"]);
    assert_eq!(results(&Program::start_unread(&mut bad).end()), "");
}

#[cfg(unix)]
#[test]
fn ndjson_pipeline_stops_between_two_lines() {
    for way in WAYS {
        let mut program = Program::start(example("ndjson_pipeline").arg("-").args(way));
        let mut endless = program.stdin();
        // More than a pipe holds: once this is written, the program is reading.
        let data = "{}\n".repeat(100_000);
        endless.write_all(data.as_bytes()).expect("it reads");
        program.interrupt();
        let writer = thread::spawn(move || while endless.write_all(data.as_bytes()).is_ok() {});
        let ended = program.end();
        writer.join().expect("the pipe is closed");
        let count = ended.text().lines().count();
        assert_eq!(ended.text(), "{\"slow\":false}\n".repeat(count));
        assert_eq!(
            (ended.status, ended.stderr),
            (
                Some(130),
                format!("interrupted by Ctrl-C: {count} lines changed\n")
            )
        );
    }
}
