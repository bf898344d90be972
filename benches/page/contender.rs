//! The contenders, by the names that the benchmarks use.

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A loop on one thread.
    Sequential,
    Rayon,
    Ours,
    Peer,
}

pub(crate) struct Contender<'n> {
    pub(crate) kind: Kind,
    /// The call, as the page shows it.
    pub(crate) label: &'n str,
}

impl<'n> Contender<'n> {
    /// The contender with this name in a group of benchmarks.
    pub(crate) fn new(group: &str, name: &'n str) -> Self {
        use Kind::{Ours, Peer, Rayon, Sequential};
        let (kind, label) = match name {
            "sequential" | "loop" => (Sequential, "sequential loop"),
            "rayon_for_each" => (Rayon, "rayon for_each (cannot fail)"),
            "rayon_try_for_each" => (Rayon, "rayon try_for_each"),
            "rayon_find_map_first" => (Rayon, "rayon find_map_first"),
            "rayon_infallible" => match group {
                "sum" => (Rayon, "rayon sum (cannot fail)"),
                "words" | "words_uneven" => (Rayon, "rayon fold, reduce (cannot fail)"),
                _ => (Rayon, "rayon collect (cannot fail)"),
            },
            "rayon_result" => match group {
                "sum" => (Rayon, "rayon sum into a Result"),
                _ => (Rayon, "rayon collect into a Result"),
            },
            "rayon_try_reduce" => (Rayon, "rayon try_reduce"),
            "rayon_try_fold" => (Rayon, "rayon try_fold, try_reduce"),
            "rayon_init" => (Rayon, "rayon try_for_each_init"),
            "rayon_join" => (Rayon, "rayon join (cannot fail)"),
            "rayon_max_len_1" => (Rayon, "rayon with_max_len(1)"),
            "rayon_pool" => (Rayon, "rayon pool of that size"),
            "rayon_in_place_scope" => (Rayon, "rayon in_place_scope"),
            "collect_then_loop" => (Rayon, "rayon collect, then a loop"),
            "par_bridge_unordered" => (Rayon, "rayon par_bridge (no order)"),
            "in_order" => match group {
                "failure_while_waiting" => (Ours, "in_order().try_for_each"),
                "in_order_values" => (Ours, "in_order().try_map"),
                "stream" => (Ours, "in_order … try_stream"),
                "sum" | "reduce" | "collect_map" | "words" | "words_uneven" => {
                    (Ours, "in_order().try_process")
                }
                _ => (Ours, "in_order().err_group"),
            },
            "par_in_order" => match group {
                "stream" => (Ours, "par_in_order … try_stream"),
                _ => (Ours, "par_in_order().err_group"),
            },
            "in_order_with_group" => (Ours, "in_order().with_group"),
            "per_worker" => (Ours, "err_group, PerWorker::with"),
            "with_group" => (Ours, "with_group, concurrency"),
            "with_group_max_len_1" => (Ours, "with_max_len(1).with_group"),
            "err_group" | "try_for_each_group" | "try_map_group" | "try_process_group"
            | "scope" | "join" => (Ours, name),
            "rayon_cancel" => (Peer, "rayon-cancel"),
            "orx_parallel" => (Peer, "orx-parallel"),
            "scope_cursor" => (Peer, "std threads, atomic cursor"),
            "go_errgroup" => (Peer, "Go errgroup"),
            "go_errgroup_chunks" => (Peer, "Go errgroup, in chunks"),
            _ => (Peer, name),
        };
        Self { kind, label }
    }
}
