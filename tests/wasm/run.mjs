// Calls each case of a module in a process and an instance of its own, and compares what it returns.
//
//     node run.mjs MODULE [CASE]

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const noClock = /time not implemented on this platform/;

// What each case returns, or the message of its panic.
const expected = {
  err_group_ok: 1000,
  err_group_fails: 7,
  try_map_group_ok: 999000,
  try_map_group_fails: 7,
  keep_going_runs_every_item: 1000,
  filter_ok: 334,
  filter_fails: 9,
  endless_filter_fails: 1,
  nested: 120,
  nested_inner_fails: 4,

  in_order_err_group_ok: 100000,
  in_order_err_group_fails: 6,
  in_order_try_map_ok: 999000,
  in_order_try_map_fails: 7,
  in_order_try_for_each_ok: 1000,
  in_order_try_for_each_fails: 17,
  par_in_order_ok: 33334,
  par_in_order_fails: 3000,
  try_stream_ok: 3000,
  try_stream_fails: 2000,
  try_stream_of_an_endless_iterator: 100,
  try_stream_whose_sink_fails: 1500,
  outcome_keeps_going: 49500,
  outcome_of_some_errors: 18,
  nested_in_order: 19600,
  nested_in_order_inner_fails: 30,

  cancelled_before: 0,
  cancelled_during: 10,
  cancelled_by_the_last_item: 10,
  in_order_cancelled_before: 0,
  in_order_cancelled_during: 10,
  par_in_order_cancelled_during: 10,
  filter_cancelled_before: 0,
  filter_cancelled_during: 10,
  filter_cancelled_by_the_last_item: 10,
  endless_filter_cancelled: 10,
  endless_filter_cancelled_before: 0,
  callbacks: 3,
  callback_of_an_item: 1,

  sequential_fails: 7,
  sequential_sum: 499500,
  sequential_outcome: 4943,
  sequential_cancelled: 10,

  scope_ok: 256,
  scope_whose_task_fails: 7,
  scope_whose_body_fails: 0,
  scope_cancelled: 10,
  scope_that_cancels_itself: 1,
  runs_in_tasks: 200,

  panics_cancel_after: noClock,
  panics_sleep: noClock,
  panics_timeout: noClock,
  no_deadline: 1,
  concurrency_is_an_error: 1,
};

const [path, only] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(path));

if (only) {
  const { exports } = new WebAssembly.Instance(module);
  exports.keep_message();
  try {
    console.log(exports[only]());
  } catch (trap) {
    const start = exports.message_start();
    const bytes = new Uint8Array(exports.memory.buffer, start, exports.message_len());
    console.log(`${trap.message}: ${new TextDecoder().decode(bytes).replaceAll("\n", " ")}`);
  }
  process.exit();
}

const own = ["keep_message", "message_start", "message_len"];
const cases = WebAssembly.Module.exports(module)
  .filter(({ kind, name }) => kind === "function" && !own.includes(name))
  .map(({ name }) => name);
let wrong = 0;
for (const name of new Set([...cases, ...Object.keys(expected)])) {
  const right = expected[name];
  const args = [fileURLToPath(import.meta.url), path, name];
  // One that does not end is killed.
  const child = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 60_000 });
  const found = child.signal ? "does not end" : child.stdout.trim() || child.stderr;
  const isRight = right instanceof RegExp ? right.test(found) : found === String(right);
  if (!isRight) {
    console.log(`wasm: ${name}: ${found}, not ${right}`);
    wrong += 1;
  }
}
console.log(`wasm: ${cases.length - wrong} of ${cases.length} cases are right`);
process.exit(wrong > 0 ? 1 : 0);
