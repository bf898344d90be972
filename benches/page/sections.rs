//! The sections of the page, in their order, with the bars of the project.

use crate::bar::Bar;
use crate::section::{Row, Section};

const fn row(parameter: &'static str, name: &'static str) -> Row {
    Row { parameter, name }
}

const CHEAP: &[Row] = &[
    row("1ns", "1 ns an item"),
    row("10ns", "10 ns an item"),
    row("100ns", "100 ns an item"),
];

/// Those that may return any of several errors.
const UNORDERED: &[&str] = &[
    "rayon_try_for_each",
    "rayon_cancel",
    "orx_parallel",
    "paralight",
];

/// The plots that README.md shows: these rows of these groups.
pub(crate) const README: &[(&str, &[Row])] = &[
    ("collect", &[row("1ns", "1 ns an item")]),
    ("in_order", &[row("1ns", "1 ns an item")]),
];

pub(crate) const SECTIONS: &[Section] = &[
    Section {
        group: "overhead",
        bench: "overhead",
        title: "Nothing fails",
        about: "Four million items, and a closure that might fail: what it costs to be ready for it.",
        base: "rayon_try_for_each",
        easier: &["rayon_for_each"],
        rows: CHEAP,
        bars: &[
            Bar::ratio("err_group", "1ns", "rayon_try_for_each", 1.03),
            Bar::ratio("try_for_each_group", "1ns", "rayon_try_for_each", 1.03),
            Bar::ratio("err_group", "100ns", "rayon_try_for_each", 1.03),
            Bar::ratio("try_for_each_group", "100ns", "rayon_try_for_each", 1.03),
        ],
        reasons: "Items of a nanosecond are compiled into a loop that a little more or less code \
                  in another place moves by some percent.",
    },
    Section {
        group: "few",
        bench: "overhead",
        title: "A hundred items, from inside a pool",
        about: "What a run costs before and after its items.",
        base: "rayon_try_for_each",
        easier: &[],
        rows: CHEAP,
        bars: &[
            Bar::ratio("err_group", "1ns", "rayon_try_for_each", 1.40),
            Bar::ratio("err_group", "10ns", "rayon_try_for_each", 1.40),
            Bar::ratio("err_group", "100ns", "rayon_try_for_each", 1.40),
        ],
        reasons: "A run has a token, which is an allocation, and asks it before each item. paralight \
                  cuts the items into one range for each thread, where rayon splits them further \
                  in case one is slow.",
    },
    Section {
        group: "collect",
        bench: "collect",
        title: "Values, in order",
        about: "Four million values in a vector, or the error. paralight cannot collect in order and \
                writes into a vector that is there before, the threads with a cursor join pieces, \
                and Go writes into a slice.",
        base: "rayon_result",
        easier: &["rayon_infallible"],
        rows: CHEAP,
        bars: &[
            Bar::ratio("try_map_group", "1ns", "rayon_result", 0.45),
            Bar::ratio("try_map_group", "1ns", "rayon_infallible", 1.10),
        ],
        reasons: "A `collect` that cannot fail asks nothing before it writes.",
    },
    Section {
        group: "collect_filtered",
        bench: "collect",
        title: "Values behind a filter",
        about: "The same behind a `filter` that drops one in eight: nobody knows the place of a \
                value beforehand.",
        base: "rayon_result",
        easier: &["rayon_infallible"],
        rows: CHEAP,
        bars: &[
            Bar::ratio("try_map_group", "1ns", "rayon_result", 1.00),
            Bar::ratio("try_map_group", "10ns", "rayon_result", 1.00),
            Bar::ratio("try_map_group", "100ns", "rayon_result", 1.00),
        ],
        reasons: "rayon's `filter` gives its items to what is behind it one by one, and for each of them \
                  the token is asked and a panic is caught.",
    },
    Section {
        group: "in_order",
        bench: "in_order",
        title: "The error of the sequential loop",
        about: "Four million items (4,000 of 10 µs) and no failure. Only `in_order`, `par_in_order`, \
                rayon's `find_map_first` and the cursor would return the error that a loop does. \
                Mixed: one item in a hundred takes a thousand times as long as the others.",
        base: "rayon_try_for_each",
        easier: UNORDERED,
        rows: &[
            row("1ns", "1 ns an item"),
            row("10ns", "10 ns an item"),
            row("100ns", "100 ns an item"),
            row("mixed", "mixed"),
            row("10us", "10 µs an item"),
        ],
        bars: &[
            Bar::ratio("in_order", "1ns", "rayon_try_for_each", 1.05),
            Bar::ratio("in_order", "100ns", "rayon_try_for_each", 1.03),
            Bar::ratio("in_order", "1ns", "rayon_find_map_first", 0.10),
        ],
        reasons: "`par_in_order` reads an iterator, an item at a time and on one thread at a time: \
                  some nanoseconds an item, which is what cheap items then cost.",
    },
    Section {
        group: "in_order_values",
        bench: "in_order",
        title: "Values, and the error of the sequential loop",
        about: "As `collect`, and the error is that of the item with the lowest position.",
        base: "rayon_result",
        easier: &["rayon_infallible"],
        rows: &[row("1ns", "1 ns an item")],
        bars: &[Bar::ratio("in_order", "1ns", "rayon_infallible", 1.15)],
        reasons: "A `collect` that cannot fail asks nothing before it writes, and claims nothing.",
    },
    Section {
        group: "in_order_failure",
        bench: "in_order",
        title: "One item fails: the whole run",
        about: "Four million items of 100 ns, and the item at so many percent of the input fails.",
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
        reasons: "Work stealing gives the second half to another thread, so that it comes across a \
                  failure at 50 % at once. To be sure that it is the first in order, all items \
                  before it must have run.",
    },
    Section {
        group: "cancel",
        bench: "cancel",
        title: "One item fails: the whole run, the error in time",
        about: "The same without an order, at 1 %, 50 %, 99 % of the items, and never.",
        base: "rayon_try_for_each",
        easier: &[],
        rows: &[
            row("early", "early"),
            row("middle", "in the middle"),
            row("late", "late"),
            row("never", "never"),
        ],
        bars: &[],
        reasons: "Which items run before the failing one is chance.",
    },
    Section {
        group: "failure_to_return",
        bench: "failure_to_return",
        title: "From the failure to the return",
        about: "The time from the moment at which an item is about to fail until the call has \
                returned: four million items of 100 ns, of which that at 1 % or at 50 % fails, and \
                4,000 items of 10 µs.",
        base: "rayon_try_for_each",
        easier: &[],
        rows: &[
            row("100ns_early", "100 ns an item, at 1 %"),
            row("100ns_middle", "100 ns an item, at 50 %"),
            row("10us_early", "10 µs an item, at 1 %"),
        ],
        bars: &[],
        reasons: "Here microseconds count in which a thread is woken. In order, a chunk of lower \
                  items that another thread has begun is ended first, since one of them may fail \
                  too.",
    },
    Section {
        group: "failure_while_waiting",
        bench: "failure_to_return",
        title: "From the failure to the return, while another item waits",
        about: "Of two items one fails, and the other waits for up to 50 ms. A closure of ours waits \
                with `token.sleep`, Go's waits for `ctx.Done()`, and rayon-cancel's asks its handle \
                every millisecond. The others have nothing to ask or to wait for.",
        base: "rayon_try_for_each",
        easier: &[],
        rows: &[row("sleep", "a sleep of 50 ms")],
        bars: &[],
        reasons: "A thread that sleeps is woken by the kernel, a goroutine by the scheduler of its own \
                  process.",
    },
    Section {
        group: "uneven",
        bench: "uneven",
        title: "Items that take unequally long",
        about: "64 items of which the last four take ten times as long; 4,096 items of 0 to 10 µs, \
                ascending and descending; 4,096 random costs with heavy tails.",
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
        reasons: "`err_group` splits as rayon does. Who takes one item at a time has no tail either, \
                  where items are slow enough to pay for it.",
    },
    Section {
        group: "stream",
        bench: "stream",
        title: "Values for a sink on the calling thread",
        about: "200,000 values, in order and in bounded memory. rayon's `collect` keeps them all, \
                `par_bridge` has no order, and of the threads with a cursor one may run ahead \
                without a bound.",
        base: "collect_then_loop",
        easier: &["collect_then_loop", "par_bridge_unordered", "scope_cursor"],
        rows: &[row("10ns", "10 ns an item"), row("1000ns", "1 µs an item")],
        bars: &[
            Bar::ratio("in_order", "10ns", "pariter", 0.10),
            Bar::ratio("in_order", "1000ns", "pariter", 0.60),
            Bar::ratio("in_order", "1000ns", "collect_then_loop", 1.10),
        ],
        reasons: "Who keeps all values until the end hands none over from thread to thread while it \
                  works.",
    },
    Section {
        group: "blocking",
        bench: "blocking",
        title: "Items that wait",
        about: "256 sleeps of 20 ms, on 64 threads and on 256. The pools of rayon and of the group \
                are warm; pariter and the threads with a cursor start theirs in each run. \
                orx-parallel's own pool has no more threads than there are cores, and paralight is \
                measured on rayon's: both get the pool of so many threads.",
        base: "rayon_pool",
        easier: &[],
        rows: &[row("64", "64 at once"), row("256", "256 at once")],
        bars: &[
            Bar::milliseconds("with_group_max_len_1", "64", 88.0),
            Bar::milliseconds("with_group_max_len_1", "256", 40.0),
        ],
        reasons: "The threads of a group are a rayon pool, and are woken by one another as halves are \
                  split off. orx-parallel and paralight give the same pool a task for each thread \
                  at the start. A goroutine is no thread.",
    },
    Section {
        group: "scope",
        bench: "scope",
        title: "Tasks of a scope",
        about: "A million tasks that are empty or hold something, spawned outside of the pool or on \
                it, and a tree of 262,142 tasks, of which each spawns two. The other crates have no \
                tasks that may fail, and a million threads cannot be had.",
        base: "rayon_in_place_scope",
        easier: &[],
        rows: &[
            row("empty_outside", "empty, from outside"),
            row("empty_inside", "empty, from inside"),
            row("closure_outside", "holding something, from outside"),
            row("closure_inside", "holding something, from inside"),
            row("tree", "a tree"),
        ],
        bars: &[
            Bar::ratio("scope", "empty_outside", "rayon_in_place_scope", 1.15),
            Bar::ratio("scope", "empty_inside", "rayon_in_place_scope", 1.15),
        ],
        reasons: "A task of ours asks the token before it begins, and its error is looked at. A task \
                  is an allocation, as rayon's is; Go keeps goroutines that have ended for the next \
                  ones.",
    },
];
