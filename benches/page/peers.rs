//! Who is measured, how, and what each has no answer for.

use cargo_metadata::Package;

use crate::figures::Figures;

/// The crate, what of it is measured, and what it cannot do.
const CRATES: [[&str; 3]; 5] = [
    [
        "rayon",
        "the calls that one would write without this crate",
        "does not say which of several errors it returns, except with `find_map_first`; closures \
         cannot see that they are no longer wanted",
    ],
    [
        "rayon-cancel",
        "its adapter around the items; the item that fails calls the handle",
        "no errors, and a cancelled run ends as if it were whole; hides how many items there are, \
         so that `collect` joins lists; no order, no streams, no scopes",
    ],
    [
        "orx-parallel",
        "its fallible iterators, on its own pool",
        "no cancellation from outside, no token for a closure; its own pool has no more threads than \
         cores; no streams, no tasks that may fail",
    ],
    [
        "paralight",
        "its `try_for_each`, on rayon's pool",
        "does not collect in order, nor behind a filter; no cancellation from outside, no token for a \
         closure, no streams, no scopes",
    ],
    [
        "pariter",
        "its `parallel_map`, with threads of its own for each run",
        "errors are values like others; each item goes through two channels, so that it is not \
         measured on millions of them; no token for a closure, no scopes",
    ],
];

const THREADS: [&str; 3] = [
    "`std::thread::scope`",
    "threads that take chunks off an atomic cursor: what one would write without a crate",
    "a panic, a token, a bounded stream: each is more code; the threads are started in each run, \
     and have no work to steal from one another",
];

const GO: [&str; 3] = [
    "Go's `errgroup`",
    "a goroutine for each item, `SetLimit` to the number of cores, and the same by chunks",
    "the error is the first in time; after it functions are started all the same, unless one asks \
     `ctx`, as is done here",
];

/// The rows of a table. `packages` tell the versions.
pub(crate) fn peers(figures: &Figures, packages: &[Package]) -> Vec<[String; 4]> {
    let row = |[name, measured, lacks]: [&str; 3], version: &str| {
        [name, version, measured, lacks].map(str::to_owned)
    };
    let crates = CRATES
        .iter()
        .map(|texts| row(*texts, &version(texts[0], packages)));
    let threads = row(THREADS, "");
    let go = match &figures.go {
        Some([go, errgroup]) => {
            let errgroup = errgroup.rsplit_once(' ').map_or("", |(_, version)| version);
            row(GO, &format!("{errgroup}, {go}"))
        }
        None => row(GO, "not measured"),
    };
    crates.chain([threads, go]).collect()
}

fn version(name: &str, packages: &[Package]) -> String {
    let package = packages.iter().find(|package| package.name == name);
    package.map_or_else(String::new, |package| package.version.to_string())
}
