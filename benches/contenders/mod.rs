//! All calls that run a fallible closure on each item in parallel.

use rayon::prelude::*;
use rayon_errgroup::prelude::*;

use crate::peers::{Contender, peers};

pub(crate) fn contenders<F>() -> impl Iterator<Item = Contender<F>>
where
    F: Fn(&u64) -> Result<(), u64> + Copy + Sync + Send,
{
    [
        Contender::new("rayon_try_for_each", false, try_for_each),
        Contender::new("rayon_find_map_first", true, find_map_first),
        Contender::new("in_order", true, in_order),
        Contender::new("par_in_order", true, par_in_order),
    ]
    .into_iter()
    .chain(peers())
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
