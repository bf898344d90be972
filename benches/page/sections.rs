//! The sections of the page in order, with the performance targets.

use crate::bar::Bar;
use crate::section::{Row, Section};

const fn row(parameter: &'static str, name: &'static str) -> Row {
    Row { parameter, name }
}

/// A section of the benchmark `sequential`.
const fn without_threads(group: &'static str, title: &'static str, about: &'static str) -> Section {
    const ROWS: &[Row] = &[row("1ns", "1 ns per item"), row("10ns", "10 ns per item")];
    Section {
        group,
        bench: "sequential",
        title,
        about,
        base: "loop",
        easier: &[],
        rows: ROWS,
        bars: &[],
        reasons: "A run checks its token before each item, and catches a panic of the loop.",
    }
}

const CHEAP: &[Row] = &[
    row("1ns", "1 ns per item"),
    row("10ns", "10 ns per item"),
    row("100ns", "100 ns per item"),
];

const WORDS: &[Row] = &[
    row("500", "500 different words"),
    row("5000", "5,000 different words"),
    row("50000", "50,000 different words"),
];

const WORD_BARS: &[Bar] = &[
    Bar::ratio("try_process_group", "500", "rayon_try_fold", 1.02),
    Bar::ratio("try_process_group", "5000", "rayon_try_fold", 1.02),
    Bar::ratio("try_process_group", "50000", "rayon_try_fold", 1.02),
    Bar::ratio("in_order", "500", "rayon_try_fold", 1.02),
    Bar::ratio("in_order", "5000", "rayon_try_fold", 1.02),
    Bar::ratio("in_order", "50000", "rayon_try_fold", 1.02),
];

/// Contenders that may return any of several errors.
const UNORDERED: &[&str] = &[
    "rayon_try_for_each",
    "rayon_cancel",
    "orx_parallel",
    "paralight",
];

/// The groups and rows of the plots in README.md.
pub(crate) const README: &[(&str, &[Row])] = &[
    ("collect", &[row("1ns", "1 ns per item")]),
    ("in_order", &[row("1ns", "1 ns per item")]),
];

pub(crate) const SECTIONS: &[Section] = &[
    Section {
        group: "overhead",
        bench: "overhead",
        title: "Nothing fails",
        about: "Four million items and a closure that may fail, but never does: the overhead of \
                error handling.",
        base: "rayon_try_for_each",
        easier: &["rayon_for_each"],
        rows: CHEAP,
        bars: &[
            Bar::ratio("err_group", "1ns", "rayon_try_for_each", 1.03),
            Bar::ratio("try_for_each_group", "1ns", "rayon_try_for_each", 1.03),
            Bar::ratio("err_group", "100ns", "rayon_try_for_each", 1.03),
            Bar::ratio("try_for_each_group", "100ns", "rayon_try_for_each", 1.03),
        ],
        reasons: "An item of 1 ns compiles to a few instructions. A small change of the code \
                elsewhere moves such a loop by a few percent.",
    },
    Section {
        group: "few",
        bench: "overhead",
        title: "A hundred items, from inside a pool",
        about: "The fixed cost of a run, before and after its items.",
        base: "rayon_try_for_each",
        easier: &[],
        rows: CHEAP,
        bars: &[
            Bar::ratio("err_group", "1ns", "rayon_try_for_each", 1.25),
            Bar::ratio("err_group", "10ns", "rayon_try_for_each", 1.25),
            Bar::ratio("err_group", "100ns", "rayon_try_for_each", 1.25),
        ],
        reasons: "A run checks its token before each item, and counts what it runs. paralight \
                cuts the items into one range per thread. rayon splits them further, in case a \
                range is slow.",
    },
    Section {
        group: "collect",
        bench: "collect",
        title: "Values, in order",
        about: "Four million values in a vector, or the error. paralight cannot collect in order, \
                so it writes into a vector that exists already, and so does Go. The threads with a \
                cursor join their chunks at the end.",
        base: "rayon_result",
        easier: &["rayon_infallible"],
        rows: CHEAP,
        bars: &[
            Bar::ratio("try_map_group", "1ns", "rayon_result", 0.45),
            Bar::ratio("try_map_group", "1ns", "rayon_infallible", 1.10),
        ],
        reasons: "A `collect` that cannot fail checks nothing before it writes.",
    },
    Section {
        group: "sum",
        bench: "process",
        title: "The sum of values",
        about: "Four million values are added up, by `try_process_group` and, in order, by \
                `try_process`.",
        base: "rayon_result",
        easier: &["rayon_infallible"],
        rows: CHEAP,
        bars: &[
            Bar::ratio("try_process_group", "1ns", "rayon_result", 1.10),
            Bar::ratio("try_process_group", "10ns", "rayon_result", 1.03),
            Bar::ratio("try_process_group", "100ns", "rayon_result", 1.01),
            Bar::ratio("in_order", "1ns", "rayon_result", 1.25),
            Bar::ratio("in_order", "10ns", "rayon_result", 1.05),
            Bar::ratio("in_order", "100ns", "rayon_result", 1.02),
        ],
        reasons: "Before each item the token is checked: a load, a test and a branch, which is a \
                quarter of the instructions of an item of 1 ns.",
    },
    Section {
        group: "reduce",
        bench: "process",
        title: "A reduction of values",
        about: "The same with `reduce`, next to rayon's `try_reduce`.",
        base: "rayon_try_reduce",
        easier: &[],
        rows: CHEAP,
        bars: &[
            Bar::ratio("try_process_group", "1ns", "rayon_try_reduce", 1.10),
            Bar::ratio("in_order", "1ns", "rayon_try_reduce", 1.25),
        ],
        reasons: "",
    },
    Section {
        group: "collect_map",
        bench: "process",
        title: "Values in a map",
        about: "A million values are collected into a `HashMap`.",
        base: "rayon_result",
        easier: &[],
        rows: &[row("100ns", "100 ns per item")],
        bars: &[
            Bar::ratio("try_process_group", "100ns", "rayon_result", 1.02),
            Bar::ratio("in_order", "100ns", "rayon_result", 1.02),
        ],
        reasons: "",
    },
    Section {
        group: "words",
        bench: "process",
        title: "Counting words",
        about: "200,000 texts of eight words are counted in one map per part, and the maps are \
                merged. The more different words there are, the more each additional map costs.",
        base: "rayon_try_fold",
        easier: &["rayon_infallible"],
        rows: WORDS,
        bars: WORD_BARS,
        reasons: "rayon makes some 16 maps on two threads, and so does `try_process_group`. In \
                order a chunk is a share of what is left, since merging takes long.",
    },
    Section {
        group: "words_uneven",
        bench: "process",
        title: "Counting words of uneven texts",
        about: "Most texts have two or fourteen words, and one in a thousand has 2000.",
        base: "rayon_try_fold",
        easier: &["rayon_infallible"],
        rows: WORDS,
        bars: WORD_BARS,
        reasons: "",
    },
    Section {
        group: "collect_filtered",
        bench: "collect",
        title: "Values behind a filter",
        about: "The same behind a `filter` that drops one item in eight, so that the index of a \
                value is not known in advance.",
        base: "rayon_result",
        easier: &["rayon_infallible"],
        rows: CHEAP,
        bars: &[
            Bar::ratio("try_map_group", "1ns", "rayon_result", 1.00),
            Bar::ratio("try_map_group", "10ns", "rayon_result", 1.00),
            Bar::ratio("try_map_group", "100ns", "rayon_result", 1.00),
            Bar::ratio("try_map_group", "1ns", "orx_parallel", 1.20),
            Bar::ratio("try_map_group", "10ns", "orx_parallel", 1.00),
            Bar::ratio("try_map_group", "100ns", "orx_parallel", 1.00),
        ],
        reasons: "rayon's `filter` passes items one by one, and for each of them the token is \
                checked and panics are caught.",
    },
    Section {
        group: "in_order",
        bench: "in_order",
        title: "The error of the sequential loop",
        about: "Four million items (4,000 of 10 µs), none of which fails. Only `in_order`, \
                `par_in_order`, rayon's `find_map_first` and the threads with a cursor would \
                return the same error as a loop. Mixed: one item in a hundred takes a thousand \
                times as long as the others.",
        base: "rayon_try_for_each",
        easier: UNORDERED,
        rows: &[
            row("1ns", "1 ns per item"),
            row("10ns", "10 ns per item"),
            row("100ns", "100 ns per item"),
            row("mixed", "mixed"),
            row("10us", "10 µs per item"),
        ],
        bars: &[
            Bar::ratio("in_order", "1ns", "rayon_try_for_each", 1.05),
            Bar::ratio("in_order", "100ns", "rayon_try_for_each", 1.03),
            Bar::ratio("in_order", "1ns", "rayon_find_map_first", 0.10),
        ],
        reasons: "`par_in_order` reads an iterator item by item, on one thread at a time. That \
                takes a few nanoseconds per item, which is visible where items are cheap.",
    },
    Section {
        group: "in_order_values",
        bench: "in_order",
        title: "Values, and the error of the sequential loop",
        about: "The same work as in `collect`, but the error is that of the failing item with the \
                lowest index.",
        base: "rayon_result",
        easier: &["rayon_infallible"],
        rows: CHEAP,
        bars: &[Bar::ratio("in_order", "1ns", "rayon_infallible", 1.10)],
        reasons: "A `collect` that cannot fail checks nothing before it writes, and claims no \
                chunks.",
    },
    Section {
        group: "in_order_failure",
        bench: "in_order",
        title: "One item fails: the whole run",
        about: "Four million items of 100 ns, of which one fails, at the given percentage of the \
                input.",
        base: "rayon_find_map_first",
        easier: UNORDERED,
        rows: &[
            row("1percent", "at 1 %"),
            row("10percent", "at 10 %"),
            row("50percent", "at 50 %"),
            row("99percent", "at 99 %"),
        ],
        bars: &[Bar::ratio(
            "in_order",
            "10percent",
            "rayon_find_map_first",
            0.65,
        )],
        reasons: "Work stealing hands the second half of the input to another thread, which meets \
                a failure at 50 % at once. To know that a failure is the first in iteration order, \
                all items before it must have run.",
    },
    Section {
        group: "cancel",
        bench: "cancel",
        title: "One item fails: the whole run, the error in time",
        about: "The same without an order. The item at 1 %, 50 % or 99 % of the input fails, or \
                none does.",
        base: "rayon_try_for_each",
        easier: &[],
        rows: &[
            row("early", "early"),
            row("middle", "in the middle"),
            row("late", "late"),
            row("never", "never"),
        ],
        bars: &[],
        reasons: "Which items run before the failing one is nondeterministic.",
    },
    Section {
        group: "failure_to_return",
        bench: "failure_to_return",
        title: "From the failure to the return",
        about: "The time from the moment an item is about to fail to the moment the call has \
                returned. Four million items of 100 ns, of which the one at 1 % or at 50 % fails, \
                and 4,000 items of 10 µs.",
        base: "rayon_try_for_each",
        easier: &[],
        rows: &[
            row("100ns_early", "100 ns per item, at 1 %"),
            row("100ns_middle", "100 ns per item, at 50 %"),
            row("10us_early", "10 µs per item, at 1 %"),
        ],
        bars: &[
            Bar::ratio("err_group", "100ns_early", "rayon_try_for_each", 1.00),
            Bar::ratio("err_group", "100ns_middle", "rayon_try_for_each", 1.00),
            Bar::ratio("in_order", "100ns_early", "rayon_try_for_each", 1.20),
            Bar::ratio("in_order", "100ns_middle", "rayon_try_for_each", 1.20),
        ],
        reasons: "Thread wake-up latency dominates: a few microseconds. In order, a chunk of \
                earlier items that is in flight on another thread is finished first, since one of \
                them may fail, too.",
    },
    Section {
        group: "failure_while_waiting",
        bench: "failure_to_return",
        title: "From the failure to the return, while another item waits",
        about: "One of two items fails while the other waits for up to 50 ms. Our closure waits \
                with `token.sleep` and Go's for `ctx.Done()`. rayon-cancel's checks its handle \
                every millisecond. The others have nothing to check or to wait for.",
        base: "rayon_try_for_each",
        easier: &[],
        rows: &[row("sleep", "a sleep of 50 ms")],
        bars: &[],
        reasons: "A sleeping thread is woken by the kernel, a goroutine by the scheduler of its \
                own process.",
    },
    Section {
        group: "uneven",
        bench: "uneven",
        title: "Items of uneven cost",
        about: "64 items of which the last four take ten times as long; 4,096 items of 0 to 10 µs, \
                ascending and descending; 4,096 items with random, heavy-tailed costs.",
        base: "rayon_try_for_each",
        easier: &[],
        rows: &[
            row("last_four_of_64_2us", "the last four of 64, 2 µs"),
            row("last_four_of_64_20us", "the last four of 64, 20 µs"),
            row("last_four_of_64_200us", "the last four of 64, 200 µs"),
            row("ascending", "ascending"),
            row("descending", "descending"),
            row("heavy_tails", "heavy tails"),
        ],
        bars: &[
            Bar::ratio(
                "in_order",
                "last_four_of_64_2us",
                "rayon_try_for_each",
                0.80,
            ),
            Bar::ratio(
                "in_order",
                "last_four_of_64_20us",
                "rayon_try_for_each",
                0.80,
            ),
            Bar::ratio(
                "in_order",
                "last_four_of_64_200us",
                "rayon_try_for_each",
                0.80,
            ),
            Bar::ratio("in_order", "ascending", "rayon_try_for_each", 1.03),
            Bar::ratio("in_order", "descending", "rayon_try_for_each", 1.03),
            Bar::ratio("in_order", "heavy_tails", "rayon_try_for_each", 1.03),
        ],
        reasons: "`err_group` splits as rayon does. Taking one item at a time also leaves no \
                stragglers, but pays off only where items are slow.",
    },
    Section {
        group: "stream",
        bench: "stream",
        title: "Values for a sink on the calling thread",
        about: "200,000 values, in order and in bounded memory. rayon's `collect` keeps all \
                values, `par_bridge` keeps no order, and a thread with a cursor may run ahead \
                without a bound.",
        base: "collect_then_loop",
        easier: &["collect_then_loop", "par_bridge_unordered", "scope_cursor"],
        rows: &[
            row("10ns", "10 ns per item"),
            row("1000ns", "1 µs per item"),
        ],
        bars: &[
            Bar::ratio("in_order", "10ns", "pariter", 0.10),
            Bar::ratio("in_order", "1000ns", "pariter", 0.60),
            Bar::ratio("in_order", "1000ns", "collect_then_loop", 1.10),
        ],
        reasons: "Collecting first avoids per-item hand-offs between threads.",
    },
    Section {
        group: "blocking",
        bench: "blocking",
        title: "Items that wait",
        about: "256 sleeps of 20 ms, on 64 and on 256 threads. The pools of rayon and of the group \
                are warm. pariter and the threads with a cursor start their threads in each run. \
                orx-parallel's own pool has no more threads than cores, so it gets rayon's pool, \
                as paralight does.",
        base: "rayon_pool",
        easier: &[],
        rows: &[row("64", "64 at once"), row("256", "256 at once")],
        bars: &[
            Bar::milliseconds("with_group_max_len_1", "64", 88.0),
            Bar::milliseconds("with_group_max_len_1", "256", 40.0),
            Bar::ratio("with_group_max_len_1", "256", "orx_parallel", 1.05),
            Bar::ratio("in_order_with_group", "256", "orx_parallel", 1.05),
        ],
        reasons: "Without an order the threads of a pool wake each other as rayon splits the input \
                into halves. In order each of them is given a task at the start, as orx-parallel \
                and paralight do. A goroutine is not a thread.",
    },
    Section {
        group: "scope",
        bench: "scope",
        title: "Tasks of a scope",
        about: "A million tasks, with or without captured variables, spawned from outside the pool \
                or from inside, and a tree of 262,142 tasks, each of which spawns two. The other \
                crates have no tasks that may fail, and a million threads are too many for an \
                operating system.",
        base: "rayon_in_place_scope",
        easier: &[],
        rows: &[
            row("empty_outside", "empty, from outside"),
            row("empty_inside", "empty, from inside"),
            row("closure_outside", "with captures, from outside"),
            row("closure_inside", "with captures, from inside"),
            row("tree", "a tree"),
        ],
        bars: &[
            Bar::ratio("scope", "empty_outside", "rayon_in_place_scope", 1.15),
            Bar::ratio("scope", "empty_inside", "rayon_in_place_scope", 1.15),
            Bar::ratio("scope", "tree", "rayon_in_place_scope", 1.05),
        ],
        reasons: "A task checks the token before it runs and its result afterwards. It is one \
                allocation, as in rayon. Go reuses goroutines that have ended.",
    },
    Section {
        group: "join",
        bench: "join",
        title: "Two closures",
        about: "A tree of 1,023 calls of `join`, from inside a pool. The leaves sum up one number, \
                or a thousand.",
        base: "rayon_join",
        easier: &["rayon_join"],
        rows: &[
            row("1", "leaves of one number"),
            row("1000", "leaves of a thousand numbers"),
        ],
        bars: &[],
        reasons: "A `join` is a run of its own: it has a token and a record of failures.",
    },
    Section {
        group: "per_worker",
        bench: "per_worker",
        title: "A state for each worker",
        about: "Four million items of 100 ns, each of which changes a number of its worker, on \
                pools of 2 and of 64 threads. rayon makes a state for each part of the input, \
                which is as cheap as can be here; `PerWorker` makes one for each thread.",
        base: "rayon_init",
        easier: &["rayon_init"],
        rows: &[
            row("2_threads", "2 threads"),
            row("64_threads", "64 threads"),
        ],
        bars: &[],
        reasons: "Each item takes the state of its worker out and puts it back.",
    },
    without_threads(
        "sequential",
        "Without threads",
        "The methods of `sequential::prelude` on four million items, beside the loop that one \
         would write.",
    ),
    without_threads(
        "sequential_values",
        "Without threads: values",
        "The same, with the values in a vector.",
    ),
    without_threads(
        "sequential_sum",
        "Without threads: the sum of values",
        "The same, with the sum of the values.",
    ),
];
