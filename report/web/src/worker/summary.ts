/** Sums over some of the calls, kind by kind. */

import type { Summary } from "../types";
import { UNFINISHED, UNTIMED, type Store } from "./store";

const BUCKETS = 32;
const SHIFT = 6; // bucket i holds 2**(i + 6) <= ns < 2**(i + 7), as the kernel's own (tracer/records.py)

export function summarize(store: Store, rows: Uint32Array): Summary[] {
  const sums: Summary[] = store.kinds.map((_, kind) => ({ kind, calls: 0, errors: 0, total: 0, max: 0, histogram: new Array<number>(BUCKETS).fill(0) }));
  for (const row of rows) {
    const sum = sums[store.kind[row]];
    sum.calls++;
    if (store.errno[row]) sum.errors++;
    if (store.flags[row] & (UNFINISHED | UNTIMED)) continue;
    const length = store.duration[row];
    sum.total += length;
    if (length > sum.max) sum.max = length;
    sum.histogram[Math.min(Math.max(Math.floor(Math.log2(length || 1)) - SHIFT, 0), BUCKETS - 1)]++;
  }
  return sums.filter((sum) => sum.calls);
}

/** The longest of these rows that are of the kinds with this name, the longest first. */
export function slowest(store: Store, rows: Uint32Array, name: string, most: number): number[] {
  const hits = store.kinds.map((kind) => !name || kind.name === name);
  const { duration, kind, flags } = store;
  const found: number[] = [];
  let least = -1;
  for (const row of rows) {
    if (duration[row] <= least || !hits[kind[row]] || flags[row] & UNTIMED) continue;
    found.push(row);
    if (found.length >= 4 * most) {
      found.sort((one, other) => duration[other] - duration[one]).length = most;
      least = duration[found[most - 1]];
    }
  }
  return found.sort((one, other) => duration[other] - duration[one]).slice(0, most);
}

/** The rows by length instead of by start, the shortest first. */
export function byDuration(store: Store, rows: Uint32Array): Uint32Array {
  const { duration } = store;
  // Numbers sort ten times as fast without a function that compares them: length and place share one, 53 bits wide
  const places = 2 ** Math.ceil(Math.log2(rows.length + 1));
  const longest = 2 ** 53 / places - 1;
  const keys = Float64Array.from(rows, (row, place) => Math.min(duration[row], longest) * places + place).sort();
  const sorted = Uint32Array.from(keys, (key) => rows[key % places]);
  const cut = keys.findIndex((key) => key >= longest * places);
  if (cut >= 0) sorted.subarray(cut).sort((one, other) => duration[one] - duration[other] || one - other);
  return sorted;
}
