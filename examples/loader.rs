//! Loads files into a SQLite database, with one connection for each worker, and stops at the first
//! bad file.
//!
//! ```sh
//! printf 'apples,3\npears,4\n' > fruit.csv
//! cargo run --release --example loader -- fruit.db fruit.csv
//! sqlite3 fruit.db 'select * from amounts'
//! ```

#[path = "shared/bounded.rs"]
mod bounded;
#[path = "shared/exit.rs"]
mod exit;
#[path = "shared/input.rs"]
mod input;
#[path = "shared/message.rs"]
mod message;
#[path = "shared/missing.rs"]
mod missing;
#[path = "shared/stdout.rs"]
mod stdout;
#[path = "shared/stop.rs"]
mod stop;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use bytesize::ByteSize;
use clap::Parser;
use rayon::prelude::*;
use rayon_errgroup::{CancelToken, ErrGroup, GroupError, PerWorker, prelude::*};
use rusqlite::{Connection, TransactionBehavior};

use crate::exit::STATUSES;
use crate::input::Input;
use crate::message::quoted;
use crate::stdout::{Stdout, written};

/// How long a file may be.
const LONGEST: ByteSize = ByteSize::mib(256);

const NOTES: &str = "\
After a failure all files before the one that is named are loaded, and some of
those after it may be.";

/// Load files into a SQLite database in parallel, and stop at the first bad one
///
/// Each line of a file is a name, a comma and a whole number. It becomes a row of the table
/// "amounts". A file is loaded as a whole or not at all, and a file that is loaded again replaces
/// its rows.
#[derive(Debug, Parser)]
#[command(name = env!("CARGO_BIN_NAME"), version, allow_negative_numbers = true)]
#[command(after_help = format!("{NOTES}\n\n{STATUSES}"))]
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
    match load(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::explain(&error, "not all files were loaded"),
    }
}

fn load(options: &Options) -> anyhow::Result<()> {
    let stop = stop::on_signal()?;
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
            let rows = read(file, token)?;
            connections.with(|connection| insert(connection, token, file, &rows))
        });
    let rows: usize = rows.map_err(GroupError::flatten)?.into_iter().sum();
    for connection in connections.into_states() {
        let closed = connection.close().map_err(|(_, error)| error);
        closed.context("cannot close the database")?;
    }
    written(writeln!(
        Stdout,
        "{} files, {rows} rows",
        options.files.len()
    ))
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
fn read(file: &Path, token: &CancelToken) -> anyhow::Result<Vec<(String, i64)>> {
    let bytes = Input::open(file, token).and_then(|input| bounded::read(input, LONGEST));
    let text = bytes.map_err(anyhow::Error::from);
    let text = text.and_then(|bytes| Ok(String::from_utf8(bytes)?));
    let text = text.with_context(|| format!("cannot read {}", quoted(file)))?;
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
