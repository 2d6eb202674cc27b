/** The worker: it inflates and holds the calls and what was said over HTTP, and answers questions about them. */

import type { Question, Questions } from "./types";
import { Spoken } from "./worker/spoken";
import { search } from "./worker/search";
import { load, type Store } from "./worker/store";
import { byDuration, slowest, summarize } from "./worker/summary";
import { callOf } from "./worker/words";

let store: Store;
let spoken = new Spoken("", "", []);
let found: Uint32Array = new Uint32Array(0); // rows in the order of start
let shown: Uint32Array = found; // the same in the order that was asked for

type Answers = { [Key in Question]: (ask: Questions[Key]["ask"]) => Questions[Key]["answer"] | Promise<Questions[Key]["answer"]> };

const answers: Answers = {
  async load(given) {
    const loaded = await load(given);
    store = loaded.store;
    const { start, duration, kind, thread, byThread, threadFrom } = store;
    found = shown = Uint32Array.from(start, (_, row) => row);
    return { level: loaded.level, calls: { start, duration, kind, thread, byThread, threadFrom, failed: Uint8Array.from(store.errno, (number) => Number(number > 0)) } };
  },
  filter({ query, range }) {
    const began = performance.now();
    found = shown = search(store, query, range);
    return { rows: found.length, mask: query ? maskOf(found) : null, took: performance.now() - began };
  },
  sort({ by, descending }) {
    shown = by === "duration" ? byDuration(store, found) : found;
    if (descending) shown = shown.slice().reverse();
    return null;
  },
  rows: ({ from, to }) => Array.from(shown.subarray(from, to), (row) => callOf(store, row)),
  call: ({ row }) => (row >= 0 && row < store.rows ? callOf(store, row) : null),
  place: ({ row }) => shown.indexOf(row),
  summary: () => summarize(store, found),
  spoken({ about, bodies, rows }) {
    spoken = new Spoken(about, bodies, rows);
    return null;
  },
  exchange: ({ row }) => spoken.exchange(row),
  body: ({ row, part }) => spoken.body(row, part),
  messages: ({ row }) => spoken.messages(row),
  turn: ({ row, all }) => spoken.turn(row, all),
  find: ({ words }) => spoken.find(words),
  slowest: ({ name, most }) => slowest(store, found, name, most).map((row) => callOf(store, row)),
};

function maskOf(rows: Uint32Array): Uint8Array {
  const mask = new Uint8Array(store.rows);
  for (const row of rows) mask[row] = 1;
  return mask;
}

addEventListener("message", async ({ data: { id, question, ask } }: MessageEvent<{ id: number; question: Question; ask: never }>) => {
  try {
    postMessage({ id, answer: await answers[question](ask) });
  } catch (error) {
    postMessage({ id, error: String(error) });
  }
});
