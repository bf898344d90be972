//! `loader`, and what is in its database.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::program::{Folder, example, run};

/// `(file, line, name, amount)`
type Row = (String, i64, String, i64);

fn rows(database: &Path) -> Vec<Row> {
    let connection = Connection::open(database).expect("it was made");
    let query = "select file, line, name, amount from amounts order by file, line";
    let mut query = connection.prepare(query).expect("there is a table");
    let rows = query.query_map((), |row| row.try_into()).expect("a query");
    rows.map(|row| row.expect("four columns")).collect()
}

/// Files of `count` lines each, whose numbers are those of the files.
fn files(folder: &Folder, files: i64, count: i64) -> (Vec<PathBuf>, Vec<Row>) {
    let mut expected = Vec::new();
    let paths = (0..files).map(|number| {
        let lines: Vec<_> = (1..=count)
            .map(|line| format!("a,{line},{number}\n"))
            .collect();
        let text = lines.concat();
        let path = folder.file(format!("{number:02}.csv"), text.as_bytes());
        let file = path.to_str().expect("it is text").to_owned();
        let row = |line| (file.clone(), line, format!("a,{line}"), number);
        expected.extend((1..=count).map(row));
        path
    });
    (paths.collect(), expected)
}

#[test]
fn loader_loads_every_row_once() {
    let folder = Folder::new("loader");
    let database = folder.0.join("all.db");
    let (paths, expected) = files(&folder, 20, 100);
    for jobs in ["1", "8"] {
        let ended = run(example("loader")
            .args(["--jobs", jobs])
            .arg(&database)
            .args(&paths));
        ended.prints(0, "20 files, 2000 rows\n");
        assert_eq!(rows(&database), expected);
    }
}

#[test]
fn loader_names_the_first_bad_file_and_keeps_those_before_it() {
    let folder = Folder::new("loader-bad");
    let (paths, expected) = files(&folder, 20, 10);
    for path in [&paths[7], &paths[9], &paths[15]] {
        std::fs::write(path, "a,1\nb\n").expect("a bad file");
    }
    let database = folder.0.join("some.db");
    let ended = run(example("loader")
        .args(["--jobs", "8"])
        .arg(&database)
        .args(&paths));
    ended.refused(1, "07.csv\": line 2 is no name,number");
    let rows = rows(&database);
    assert_eq!(rows[..70], expected[..70]);
    assert!(rows.iter().all(|row| !row.0.ends_with("07.csv")));
}

#[test]
fn loader_says_what_it_cannot_open() {
    let folder = Folder::new("loader-missing");
    let database = folder.0.join("new.db");
    let missing = folder.0.join("missing.csv");
    run(example("loader").arg(&database).arg(missing)).refused(1, "missing.csv\": ");
    let file = folder.file("a.csv", b"a,1\n");
    run(example("loader")
        .arg(folder.0.join("no/such.db"))
        .arg(&file))
    .refused(1, "no/such.db\": ");
    run(example("loader").arg(&file).arg(&file)).refused(1, "error: cannot create the table: ");
}

#[test]
fn loader_refuses_bad_arguments() {
    let without_files = run(example("loader").arg("a.db"));
    without_files.prints(2, "");
    without_files.says("error: the following required arguments were not provided");
    let jobs = run(example("loader").args(["--jobs", "0", "a.db", "a.csv"]));
    jobs.prints(2, "");
    jobs.says("error: invalid value '0' for '--jobs <N>'");
}
