//! `hash_tree`, compared with `sha256sum` and `b3sum`.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use crate::program::{Folder, Program, example, run};

/// Runs a checksum program, or prints that it is not installed.
fn tool(name: &str, paths: &[PathBuf]) -> Option<Vec<u8>> {
    if cfg!(windows) {
        println!("skipped: {name} writes the paths of Windows differently");
        return None;
    }
    match Command::new(name).arg("--").args(paths).output() {
        Ok(output) => {
            assert!(output.status.success(), "{name}: {output:?}");
            Some(output.stdout)
        }
        Err(error) => {
            println!("skipped: {name} cannot be run: {error}");
            None
        }
    }
}

/// A folder of files with awkward names, and their sorted paths.
fn odd_folder(name: &str) -> (Folder, Vec<PathBuf>) {
    let folder = Folder::new(name);
    let large: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut paths = vec![
        folder.file("empty", b""),
        folder.file("a/b/deep", b"deep"),
        folder.file("a-b", b"sorts before a/b, but not as a path"),
        folder.file("with space", b"space"),
        folder.file("-dash", b"dash"),
        folder.file("größe", b"text"),
        folder.file("large", &large),
    ];
    if cfg!(unix) {
        paths.push(folder.file("new\nline", b"line"));
        paths.push(folder.file("back\\slash\\", b"slash"));
    }
    paths.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    (folder, paths)
}

#[test]
fn hash_tree_prints_what_sha256sum_does() {
    let (folder, mut paths) = odd_folder("sha256");
    #[cfg(unix)]
    {
        use std::ffi::OsStr;
        use std::os::unix::{ffi::OsStrExt, fs::symlink};
        // Some file systems accept only text.
        let path = folder.0.join(OsStr::from_bytes(b"not \xff text"));
        if fs::write(&path, b"bytes").is_ok() {
            paths.push(path);
        }
        symlink("empty", folder.0.join("link")).expect("a link");
        symlink("nowhere", folder.0.join("dangling")).expect("a link");
    }
    paths.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    let ended = run(example("hash_tree").arg(&folder.0));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let lines = ended.stdout.split_inclusive(|byte| *byte == b'\n').count();
    assert_eq!(lines, paths.len(), "links are not followed");
    let jobs = run(example("hash_tree").args(["--jobs", "3"]).arg(&folder.0));
    assert_eq!(jobs.stdout, ended.stdout);
    if let Some(expected) = tool("sha256sum", &paths) {
        assert_eq!(
            ended.stdout.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
        let mut check = Command::new("sha256sum");
        let mut program = Program::start(check.args(["--check", "--quiet"]));
        program.stdin().write_all(&ended.stdout).expect("it reads");
        let checked = program.end();
        checked.prints(0, "");
    }
}

#[test]
fn hash_tree_prints_what_b3sum_does() {
    let (folder, paths) = odd_folder("blake3");
    let ended = run(example("hash_tree")
        .args(["--algorithm", "blake3"])
        .arg(&folder.0));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(ended.text().lines().count(), paths.len());
    if let Some(expected) = tool("b3sum", &paths) {
        assert_eq!(
            ended.stdout.escape_ascii().to_string(),
            expected.escape_ascii().to_string()
        );
    }
}

#[test]
fn hash_tree_hashes_the_sources_of_the_crate_by_default() {
    let ended = run(&mut example("hash_tree"));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        ended.text().lines().any(|line| line.ends_with("lib.rs")),
        "{}",
        ended.text()
    );
}

#[test]
fn hash_tree_names_what_it_cannot_read() {
    let (folder, _) = odd_folder("unreadable");
    let missing = folder.0.join("missing");
    run(example("hash_tree").arg(&folder.0).arg(&missing)).refused(1, "missing\": ");
    // The user may be allowed to read every file, but the first page of a process is never mapped.
    if cfg!(target_os = "linux") {
        let ended = run(example("hash_tree").arg(&folder.0).arg("/proc/self/mem"));
        ended.refused(
            1,
            "error: cannot read \"/proc/self/mem\": Input/output error",
        );
    }
    let ended = run(example("hash_tree").args(["--jobs", "0"]));
    ended.prints(2, "");
}

#[cfg(target_os = "linux")]
#[test]
fn hash_tree_names_the_first_of_several_unreadable_files() {
    let folder = Folder::new("in-order");
    let names: Vec<_> = (0..200).map(|number| format!("{number:03}")).collect();
    for name in &names {
        if ["050", "150", "190"].contains(&name.as_str()) {
            // The first page of a process is never mapped.
            std::os::unix::fs::symlink("/proc/self/mem", folder.0.join(name)).expect("a link");
        } else {
            folder.file(name, &[b'x'; 100]);
        }
    }
    for _ in 0..20 {
        let mut command = example("hash_tree");
        command.args(["--jobs", "8"]).args(&names);
        run(command.current_dir(&folder.0)).refused(1, "cannot read \"050\": ");
    }
}

#[cfg(unix)]
#[test]
fn hash_tree_ends_quietly_if_its_output_is_closed() {
    let mut program = Program::start_unread(example("hash_tree").arg("/dev/stdin"));
    program
        .stdin()
        .write_all(b"hashed although standard output is closed")
        .expect("it reads");
    let ended = program.end();
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
}

#[cfg(unix)]
#[test]
fn hash_tree_stops_in_the_middle_of_a_file() {
    let mut program = Program::start(example("hash_tree").arg("/dev/stdin"));
    let mut endless = program.stdin();
    // More than a pipe holds: once this is written, the program is reading.
    let data = vec![0; 1 << 20];
    endless.write_all(&data).expect("it reads");
    program.interrupt();
    let writer = thread::spawn(move || while endless.write_all(&data).is_ok() {});
    program.end().refused(130, "interrupted");
    writer.join().expect("the pipe is closed");
}
