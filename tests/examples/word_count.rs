//! `word_count`, compared with a sequential loop.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{Folder, Program, example, run};

/// The source files of the crate, and its pages.
fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("its entries").path();
            if path.is_dir() {
                walk(&path, files);
            } else {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    walk(&root.join("src"), &mut files);
    files
}

/// What the example must print.
fn counted_in_a_loop(files: &[PathBuf]) -> String {
    let mut counts = BTreeMap::<String, u64>::new();
    for file in files {
        let text = fs::read_to_string(file).expect("a text");
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            if !word.is_empty() {
                *counts.entry(word.to_lowercase()).or_default() += 1;
            }
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    // Stable: words of the same count stay in alphabetical order.
    counts.sort_by_key(|(_, count)| u64::MAX - count);
    let lines = counts
        .iter()
        .map(|(word, count)| format!("{count:7} {word}\n"));
    lines.collect()
}

#[test]
fn word_count_prints_what_a_loop_counts() {
    let files = sources();
    let expected = counted_in_a_loop(&files);
    assert!(expected.lines().count() > 1000);
    run(example("word_count").args(&files)).prints(0, &expected);

    let first: String = expected.split_inclusive('\n').take(3).collect();
    run(example("word_count").args(["--top", "3"]).args(&files)).prints(0, &first);
}

#[test]
fn word_count_counts_words_in_lower_case() {
    let folder = Folder::new("words");
    let files = [
        folder.file("empty", b""),
        folder.file("one", "Äpfel, äpfel\nund Birnen.".as_bytes()),
        folder.file("two", "und ÄPFEL2 birnen-und".as_bytes()),
    ];
    let expected = "      3 und\n      2 birnen\n      2 äpfel\n      1 äpfel2\n";
    run(example("word_count").args(&files)).prints(0, expected);
    assert_eq!(counted_in_a_loop(&files), expected);
}

#[test]
fn word_count_reports_the_first_bad_file() {
    let folder = Folder::new("bad-words");
    let good = folder.file("good", b"good");
    let bad = folder.file("bad", b"a line\nand another\nthat is not \xff text\n");
    let worse = folder.file("worse", b"\xff");
    let missing = folder.0.join("missing");

    let mut many = vec![good; 100];
    many.extend([bad.clone(), worse.clone(), missing.clone()]);
    for _ in 0..10 {
        run(example("word_count").args(&many)).refused(1, "bad\", line 3: invalid UTF-8");
    }
    run(example("word_count").args([&worse, &bad])).refused(1, "worse\", line 1: invalid UTF-8");
    let ended = run(example("word_count").args([&missing, &bad]));
    ended.refused(1, "missing\": ");
    ended.says("error: cannot read \"");
}

#[test]
fn word_count_wants_a_file() {
    let ended = run(&mut example("word_count"));
    ended.prints(2, "");
    ended.says("error: the following required arguments were not provided");
    let ended = run(example("word_count").args(["--top", "many", "file"]));
    ended.prints(2, "");
}

#[test]
fn word_count_ends_quietly_if_its_output_is_closed() {
    let mut command = example("word_count");
    let ended = Program::start_unread(command.args(sources())).end();
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
}
