//! Loads files into a SQLite database, with one connection for each worker, and stops at the first
//! bad file.
//!
//! ```sh
//! printf 'apples,3\npears,4\n' > fruit.csv
//! cargo run --release --example loader -- fruit.db fruit.csv
//! sqlite3 fruit.db 'select * from amounts'
//! ```

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, Cancelled, ErrGroup, GroupError, PerWorker, prelude::*};
use rusqlite::{Connection, TransactionBehavior};

/// What shells report for a program that Ctrl-C ended: 128 plus the number of the signal.
const INTERRUPTED: u8 = 130;

/// Load files into a SQLite database in parallel, and stop at the first bad one
///
/// Each line of a file is a name, a comma and a whole number. It becomes a row of the table
/// "amounts". A file is loaded as a whole or not at all, and a file that is loaded again replaces
/// its rows.
#[derive(Debug, Parser)]
#[command(
    after_help = "Exit status: 0 if every file was loaded, 1 if not, 2 if the arguments are \
    wrong, 130 after Ctrl-C. After a failure all files before the one that is named are loaded, \
    and some of those after it may be."
)]
struct Options {
    /// The database, which is made if it does not exist
    database: PathBuf,

    /// The files to load
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// How many files are loaded at once
    #[arg(short, long, value_name = "N", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

fn main() -> ExitCode {
    let Err(error) = load(&Options::parse()) else {
        return ExitCode::SUCCESS;
    };
    // Not `eprintln!`, which panics if standard error is closed.
    if error.is::<Cancelled>() {
        _ = writeln!(io::stderr(), "interrupted: not all files were loaded");
        ExitCode::from(INTERRUPTED)
    } else {
        _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    }
}

fn load(options: &Options) -> anyhow::Result<()> {
    let stop = interruptible()?;
    // No more threads than files.
    let jobs = usize::from(options.jobs).min(options.files.len());
    let group = ErrGroup::new().try_concurrency(jobs)?.token(&stop);

    let connections = PerWorker::new(|| open(&options.database));
    // The main thread makes the first connection, and a worker goes on with it.
    connections.with(|connection| create_table(connection))?;
    let rows = options
        .files
        .par_iter()
        // So that always the same file is named, if several are bad.
        .in_order()
        .with_group(&group)
        .try_map(|token, file| {
            let rows = read(file)?;
            connections.with(|connection| insert(connection, token, file, &rows))
        });
    let rows: usize = rows.map_err(GroupError::flatten)?.into_iter().sum();
    for connection in connections.into_states() {
        let closed = connection.close().map_err(|(_, error)| error);
        closed.context("cannot close the database")?;
    }
    match writeln!(io::stdout(), "{} files, {rows} rows", options.files.len()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A token that Ctrl-C cancels. A second Ctrl-C exits at once.
fn interruptible() -> anyhow::Result<CancelToken> {
    let stop = CancelToken::new();
    let on_signal = stop.clone();
    ctrlc::set_handler(move || {
        if !on_signal.cancel() {
            std::process::exit(INTERRUPTED.into());
        }
    })?;
    Ok(stop)
}

fn open(path: &Path) -> anyhow::Result<Connection> {
    // SQLite's writers take turns: a connection waits for the others for up to five seconds.
    Connection::open(path).with_context(|| format!("cannot open {}", quoted(path)))
}

fn create_table(connection: &Connection) -> anyhow::Result<()> {
    let table = "create table if not exists amounts (
        file text, line integer, name text, amount integer, primary key (file, line)
    )";
    connection
        .execute_batch(table)
        .context("cannot create the table")
}

/// The names and numbers of a file.
fn read(file: &Path) -> anyhow::Result<Vec<(String, i64)>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", quoted(file)))?;
    let rows = text.lines().zip(1..).map(|(line, number)| {
        let row = line.rsplit_once(',');
        let row = row.and_then(|(name, amount)| Some((name.to_owned(), amount.parse().ok()?)));
        row.with_context(|| format!("{}: line {number} is no name,number", quoted(file)))
    });
    rows.collect()
}

/// Loads the rows of a file. If it fails, the drop of the transaction rolls back, and the next file
/// finds the connection as this one did.
fn insert(
    connection: &mut Connection,
    token: &CancelToken,
    file: &Path,
    rows: &[(String, i64)],
) -> anyhow::Result<usize> {
    let Some(key) = file.to_str() else {
        bail!("the name {} is not UTF-8", quoted(file));
    };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("delete from amounts where file = ?1", [key])?;
    {
        let mut row = transaction.prepare_cached("insert into amounts values (?1, ?2, ?3, ?4)")?;
        for ((name, amount), line) in rows.iter().zip(1_i64..) {
            token.check()?;
            row.execute((key, line, name, amount))?;
        }
    }
    transaction.commit()?;
    Ok(rows.len())
}

/// In quotes and escaped, so that any name stays on one line.
fn quoted(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}
