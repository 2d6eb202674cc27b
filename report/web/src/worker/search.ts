/** Finds calls: each term becomes tables of what it means for kinds, threads, texts and errors, and then one pass looks rows up in them. */

import { comparison, parse, type Term } from "../query";
import type { Range } from "../types";
import type { Store } from "./store";

type Test = (row: number) => boolean;

/** The rows that have all terms and touch the range, in the order of start. */
export function search(store: Store, query: string, range: Range | null): Uint32Array {
  const { start, duration } = store;
  const found = new Uint32Array(range ? firstAfter(start, range.to) : store.rows);
  let many = 0;
  for (let row = 0; row < found.length; row++) if (!range || start[row] + duration[row] >= range.from) found[many++] = row;
  // Term by term, each a loop of its own that the browser's compiler knows well: one loop over all terms takes twice as long
  for (const term of parse(query)) many = keep(found, many, testOf(store, term));
  return found.slice(0, many);
}

function keep(rows: Uint32Array, many: number, test: Test): number {
  let kept = 0;
  for (let place = 0; place < many; place++) {
    const row = rows[place];
    if (test(row)) rows[kept++] = row;
  }
  return kept;
}

/** The first row that starts after this moment. */
export function firstAfter(start: Float64Array, moment: number): number {
  let [low, high] = [0, start.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (start[middle] <= moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

function testOf(store: Store, { key, value, not }: Term): Test {
  const test = meaning(store, key, value);
  return not ? (row) => !test(row) : test;
}

function meaning(store: Store, key: string, value: string): Test {
  const { kind, thread, errno, kinds, threads } = store;
  const kindsThat = (test: (index: number) => boolean): Uint8Array => Uint8Array.from(kinds, (_, index) => Number(test(index)));
  const threadsThat = (test: (index: number) => boolean): Uint8Array => Uint8Array.from(threads.tid, (_, index) => Number(test(index)));
  const byKind = (hits: Uint8Array): Test => (row) => hits[kind[row]] === 1;
  const byThread = (hits: Uint8Array): Test => (row) => hits[thread[row]] === 1;
  switch (key) {
    case "name": return byKind(kindsThat((index) => kinds[index].name === value || (value.length > 2 && value.endsWith("*") && kinds[index].name.startsWith(value.slice(0, -1)))));
    case "class": return byKind(kindsThat((index) => store.classes[kinds[index].class] === value));
    case "pid": return byThread(threadsThat(compared(threads.pid, value)));
    case "tid": return byThread(threadsThat(compared(threads.tid, value)));
    case "process": return byThread(threadsThat((index) => threads.title[index].toLowerCase().includes(value)));
    case "path": return textTest(store, value);
    case "error": return errorTest(store, value);
    case "is": return value === "failed" ? (row) => errno[row] !== 0 : value === "unfinished" ? (row) => (store.flags[row] & 1) === 1 : () => false;
    case "duration": {
      const holds = comparison(value);
      return (row) => holds(store.duration[row]);
    }
    case "ret": {
      const holds = comparison(value);
      return (row) => holds((store.ret.high[row] | 0) * 4294967296 + store.ret.low[row]);
    }
    case "fd": return fdTest(store, Number(value));
    case "": return anywhere(store, value, kindsThat((index) => kinds[index].name.includes(value)),
                             threadsThat((index) => threads.title[index].toLowerCase().includes(value) || String(threads.pid[index]) === value));
    default: return () => false;
  }
}

function compared(numbers: (number | null)[], value: string): (index: number) => boolean {
  const holds = comparison(value);
  return (index) => holds(numbers[index] ?? NaN);
}

function anywhere(store: Store, value: string, kindHits: Uint8Array, threadHits: Uint8Array): Test {
  const { kind, thread, errno } = store;
  const inText = textTest(store, value);
  const errors = errorHits(store, value);
  return (row) => kindHits[kind[row]] === 1 || threadHits[thread[row]] === 1 || errors[errno[row]] === 1 || inText(row);
}

function textTest(store: Store, value: string): Test {
  const { kind, slots: [a0, a1, a2], small, textSlots, thing } = store;
  const hits = new Uint8Array(small.length);
  let any = false;
  for (let index = 1; index < small.length; index++) {
    if (value === "*" || small[index].includes(value)) {
      hits[index] = 1;
      any = true;
    }
  }
  if (!any) return () => false;
  return (row) => {
    if (hits[thing[row]] === 1) return true;
    const bits = textSlots[kind[row]];
    return bits !== 0 && (((bits & 1) !== 0 && hits[a0.low[row]] === 1) || ((bits & 2) !== 0 && hits[a1.low[row]] === 1)
                          || ((bits & 4) !== 0 && hits[a2.low[row]] === 1));
  };
}

function errorHits(store: Store, value: string): Uint8Array {
  const hits = new Uint8Array(4096);
  for (const [number, name] of Object.entries(store.errnos)) if (value === "*" || name.toLowerCase() === value) hits[Number(number)] = 1;
  if (value === "*") hits.fill(1, 1);
  return hits;
}

function errorTest(store: Store, value: string): Test {
  const hits = errorHits(store, value);
  if (Number(value) > 0 && Number(value) < hits.length) hits[Number(value)] = 1;
  return (row) => hits[store.errno[row]] === 1;
}

function fdTest(store: Store, fd: number): Test {
  const places = store.kinds.map(({ args }) => args.filter(([, what]) => what === "fd" || what === "dirfd").map(([, , slot, shift]) => [slot, shift]));
  return (row) => places[store.kind[row]].some(([slot, shift]) => ((shift ? store.slots[slot].high[row] : store.slots[slot].low[row]) | 0) === fd);
}
