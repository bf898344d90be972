//! Where jobs run: rayon's pools.

pub(crate) use rayon::{
    Scope, ThreadPool, Yield, current_num_threads, in_place_scope, scope, yield_now,
};

/// As [`in_place_scope`], on this pool.
pub(crate) fn in_place_scope_on<'s, R>(pool: &ThreadPool, body: impl FnOnce(&Scope<'s>) -> R) -> R {
    pool.in_place_scope(body)
}

/// Whether this thread belongs to the given pool, or to any pool if none is given.
pub(crate) fn is_worker(pool: Option<&ThreadPool>) -> bool {
    let index = pool.map_or_else(
        rayon::current_thread_index,
        ThreadPool::current_thread_index,
    );
    index.is_some()
}
