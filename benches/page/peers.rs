//! The other contenders: what is measured of them, and what they lack.

use cargo_metadata::Package;

use crate::figures::Figures;

/// A crate, what is measured of it, and what it lacks.
const CRATES: [[&str; 3]; 5] = [
    [
        "rayon",
        "the calls that one would write without this crate",
        "does not specify which of several errors it returns, except with `find_map_first`; a \
         closure cannot see that the run is cancelled",
    ],
    [
        "rayon-cancel",
        "its adapter around the items; a failing item cancels through the handle",
        "no errors, and a cancelled run ends as if it were complete; hides the number of items, so \
         that `collect` joins lists; no order, no streams, no scopes",
    ],
    [
        "orx-parallel",
        "its fallible iterators, on its own pool",
        "no cancellation from outside, no token for closures; its own pool has no more threads \
         than cores; no streams, no tasks that may fail",
    ],
    [
        "paralight",
        "its `try_for_each`, on rayon's pool",
        "collects neither in order nor behind a filter; no cancellation from outside, no token for \
         closures, no streams, no scopes",
    ],
    [
        "pariter",
        "its `parallel_map`, which starts its own threads in each run",
        "treats errors as ordinary values; passes each item through two channels, so it is not \
         measured on millions of items; no token for closures, no scopes",
    ],
];

const THREADS: [&str; 3] = [
    "`std::thread::scope`",
    "threads that claim chunks with an atomic cursor: what one would write without a crate",
    "panics, a token and a bounded stream each take more code; the threads are started in each \
     run, and cannot steal work",
];

const GO: [&str; 3] = [
    "Go's `errgroup`",
    "a goroutine per item with `SetLimit` set to the number of cores, and the same in chunks",
    "returns the first error in time; still starts functions after it, unless the caller checks \
     `ctx`, as is done here",
];

/// The rows of the table. The versions are those of `packages`.
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
