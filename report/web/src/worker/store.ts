/** All calls of the page, in the worker: typed arrays, one entry for each row in the order of start. */

import { bytesOf, inflateText } from "../embedded";
import type { About, Kind, Level, Questions } from "../types";
import { grouped, starts, unpack, unsteps, type Wide } from "./columns";

export const UNFINISHED = 1;
export const UNTIMED = 2;
export const UNREADABLE = 4;
export const SPECIAL = 8;

const TEXTS = ["path", "string", "argv", "sockaddr"];

export interface Store {
  rows: number;
  start: Float64Array<ArrayBuffer>;
  duration: Float64Array<ArrayBuffer>;
  kind: Uint32Array<ArrayBuffer>;
  thread: Uint32Array<ArrayBuffer>;
  flags: Uint8Array<ArrayBuffer>;
  /** Error numbers, 0 where the call did not fail. */
  errno: Uint16Array<ArrayBuffer>;
  ret: Wide;
  slots: Wide[];
  /** Index of the text that says what the descriptor stood for; 0 if that is not known. */
  thing: Uint32Array<ArrayBuffer>;
  byThread: Uint32Array<ArrayBuffer>;
  threadFrom: Uint32Array<ArrayBuffer>;
  kinds: Kind[];
  /** For each kind, the slots that hold indices of texts, as bits. */
  textSlots: Uint8Array;
  texts: string[];
  small: string[]; // the texts in small letters
  /** Of each thread: its process, with that one's title and pid. */
  threads: About["threads"];
  classes: string[];
  errnos: Record<string, string>;
}

export async function load(given: Questions["load"]["ask"]): Promise<{ store: Store; level: Level }> {
  const { about, classes } = given;
  const { kinds, threads, errnos } = about;
  const [columns, levels, joined] = await Promise.all([
    unpack(bytesOf(given.columns), about.columns), unpack(bytesOf(given.levels), about.levels.columns), inflateText(given.texts)]);
  const kind = columns.kind.low;
  const thread = columns.thread.low;
  const byKind = grouped(kind, kinds.length);
  const byThread = grouped(thread, threads.tid.length);
  const rows = kind.length;
  const duration = new Float64Array(rows);
  const flags = new Uint8Array(rows);
  for (let place = 0; place < rows; place++) {
    const row = byKind.order[place];
    duration[row] = columns.duration.high[place] * 4294967296 + columns.duration.low[place];
    flags[row] = columns.flags.low[place];
  }
  const ret = unsteps(columns.ret, byKind.order, byKind.from);
  const texts = joined.split("\n");
  const textSlots = Uint8Array.from(kinds, ({ args }) => args.reduce((bits, [, what, slot]) => (TEXTS.includes(what) ? bits | (1 << slot) : bits), 0));
  const store: Store = {
    rows, duration, kind, thread, flags, ret, kinds, threads, errnos, texts, textSlots,
    start: starts(columns.gap, duration, byThread.order, byThread.from),
    errno: errors(ret, flags),
    slots: [columns.a0, columns.a1, columns.a2].map((slot) => unsteps(slot, byKind.order, byKind.from)),
    thing: unsteps(columns.thing, byKind.order, byKind.from).low,
    byThread: byThread.order, threadFrom: byThread.from,
    small: texts.map((text) => text.toLowerCase()),
    classes,
  };
  return { store, level: levelOf(levels, about.levels.width_ns, threads.tid.length) };
}

function errors(ret: Wide, flags: Uint8Array): Uint16Array<ArrayBuffer> {
  const errno = new Uint16Array(flags.length);
  for (let row = 0; row < errno.length; row++) {
    if (ret.high[row] === 0xffffffff && ret.low[row] >= 0xfffff001 && !(flags[row] & UNFINISHED)) errno[row] = -(ret.low[row] | 0);
  }
  return errno;
}

function levelOf(columns: Record<string, Wide>, width: number, threads: number): Level {
  const piece = columns.piece.low.slice();
  for (let row = 1; row < piece.length; row++) piece[row] = (piece[row - 1] + piece[row]) & 0xffff;
  const threadFrom = new Uint32Array(threads + 1);
  for (const thread of columns.thread.low) threadFrom[thread + 1]++;
  for (let thread = 0; thread < threads; thread++) threadFrom[thread + 1] += threadFrom[thread];
  return {
    width, threadFrom, piece, group: Uint8Array.from(columns.class.low), calls: columns.calls.low, errors: columns.errors.low,
    busy: Float64Array.from(columns.busy.low, (low, row) => columns.busy.high[row] * 4294967296 + low),
  };
}
