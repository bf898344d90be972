//! The ways to call a closure that may fail for all items in parallel.

mod others;

use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use others::{orx_parallel, paralight, scope_cursor};

pub(crate) struct Contender<F> {
    pub(crate) name: &'static str,
    /// Whether its error is that of the sequential loop.
    pub(crate) in_order: bool,
    pub(crate) run: fn(&[u64], F) -> Result<(), u64>,
}

pub(crate) fn contenders<F>() -> [Contender<F>; 7]
where
    F: Fn(&u64) -> Result<(), u64> + Copy + Sync + Send,
{
    let contender = |name, in_order, run| Contender {
        name,
        in_order,
        run,
    };
    [
        contender("rayon_try_for_each", false, try_for_each),
        contender("rayon_find_map_first", true, find_map_first),
        contender("in_order", true, in_order),
        contender("par_in_order", true, par_in_order),
        contender("orx_parallel", false, orx_parallel),
        contender("paralight", false, paralight),
        contender("scope_cursor", true, scope_cursor),
    ]
}

fn try_for_each<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Sync + Send,
{
    items.par_iter().try_for_each(f)
}

fn find_map_first<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Sync + Send,
{
    let errors = items.par_iter().map(f);
    errors.find_map_first(Result::err).map_or(Ok(()), Err)
}

fn in_order<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Sync + Send,
{
    items.par_iter().in_order().err_group(f)
}

fn par_in_order<F>(items: &[u64], f: F) -> Result<(), u64>
where
    F: Fn(&u64) -> Result<(), u64> + Sync + Send,
{
    items.iter().par_in_order().err_group(f)
}
