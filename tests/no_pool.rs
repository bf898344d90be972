//! Nothing of `sequential` makes a rayon pool. In a process of its own, since a global pool is made
//! once and stays.

#[path = "sequential/without_threads/mod.rs"]
mod without_threads;

use rayon::ThreadPoolBuilder;

#[test]
fn no_global_pool_is_made() {
    for (_, check) in without_threads::CHECKS {
        check();
    }
    for (_, check) in without_threads::PROCESS_CHECKS {
        check();
    }
    let built = ThreadPoolBuilder::new().num_threads(1).build_global();
    built.expect("there is no global pool yet");
}
