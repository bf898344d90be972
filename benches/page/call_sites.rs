//! What a call costs to compile, as benches/call_sites.sh has measured it.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// A call, what it is compared with, and its costs.
pub(crate) struct CallSite {
    form: String,
    base: String,
    /// Milliseconds of the compiler in release and in debug, and kilobytes of code, for each site.
    costs: [f64; 3],
    /// The size of a small program with one call, in kilobytes.
    program: f64,
}

/// Reads the measurements, if there are any.
pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<CallSite>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    fs::read_to_string(file)?.lines().map(parse).collect()
}

fn parse(line: &str) -> anyhow::Result<CallSite> {
    let mut fields = line.split('\t');
    let mut text = || {
        fields
            .next()
            .context("a line of call_sites.sh is too short")
    };
    let (form, base) = (text()?.to_owned(), text()?.to_owned());
    let mut number = || Ok::<_, anyhow::Error>(text()?.parse::<f64>()?);
    Ok(CallSite {
        form,
        base,
        costs: [number()?, number()?, number()?],
        program: number()?,
    })
}

/// The rows of the table: each call next to that of rayon which one would write otherwise.
pub(crate) fn rows(sites: &[CallSite]) -> Vec<[String; 5]> {
    let row = |site: &CallSite| {
        let base = sites.iter().find(|base| base.form == site.base);
        let cost = |n: usize, unit: &str| {
            let ratio = base.map(|base| format!(" ({:.2})", site.costs[n] / base.costs[n]));
            format!("{:.1} {unit}{}", site.costs[n], ratio.unwrap_or_default())
        };
        let more = base.map(|base| format!("{:+.0} kB", site.program - base.program));
        [
            site.form.replace("rayon/", "rayon "),
            cost(0, "ms"),
            cost(1, "ms"),
            cost(2, "kB"),
            more.unwrap_or_default(),
        ]
    };
    sites.iter().map(row).collect()
}
