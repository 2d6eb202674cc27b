/** Calls as pixels: for each column of a lane, how much of its time went into calls of which class. */

import type { Calls, Level, Range } from "../types";

const CLASSES = 8;
const MOST_DIRECT = 400_000; // calls of one lane that are gone through for one frame

/** Shares of time by column and class, and whether anything failed there or happened at all. */
export class Columns {
  readonly shares: Float32Array;
  readonly marks: Uint8Array; // 1: a call was here; 2: one failed

  constructor(readonly width: number) {
    this.shares = new Float32Array(width * (CLASSES + 1));
    this.marks = new Uint8Array(width);
  }

  clear(): void {
    this.shares.fill(0);
    this.marks.fill(0);
  }

  /** Time from one column (fractional) to another goes into this class; the class after the last is what the search leaves out. */
  add(from: number, to: number, group: number, failed: boolean): void {
    const first = Math.max(Math.floor(from), 0);
    const last = Math.min(Math.floor(to), this.width - 1);
    for (let column = first; column <= last; column++) {
      const share = Math.min(to, column + 1) - Math.max(from, column);
      this.shares[column * (CLASSES + 1) + group] += share;
      this.marks[column] |= failed ? 3 : 1;
    }
  }
}

/** Rows of a thread that touch the range: places in `byThread`. */
export function rowsWithin(calls: Calls, thread: number, range: Range): { first: number; last: number } {
  const { start, duration, byThread, threadFrom } = calls;
  const [begin, end] = [threadFrom[thread], threadFrom[thread + 1]];
  let [low, high] = [begin, end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (start[byThread[middle]] < range.from) low = middle + 1;
    else high = middle;
  }
  let first = low;
  // A thread is in one call at a time, operations of io_uring aside: those that began before the range are the last ones
  for (let back = 0; back < 8 && first > begin; back++) {
    const row = byThread[first - 1];
    if (start[row] + duration[row] < range.from && back) break;
    first--;
  }
  high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (start[byThread[middle]] <= range.to) low = middle + 1;
    else high = middle;
  }
  return { first, last: low };
}

/** Fill the columns from a thread's calls, or from their sums where there are too many. Tells whether it was the calls. */
export function fill(columns: Columns, thread: number, range: Range, calls: Calls, level: Level, groups: Uint8Array, mask: Uint8Array | null, whole: boolean): boolean {
  columns.clear();
  const scale = columns.width / (range.to - range.from);
  const { first, last } = rowsWithin(calls, thread, range);
  const fine = level.width * scale > 2; // the sums are too coarse for this range
  if (!mask && (last - first > MOST_DIRECT || !whole) && !fine) {
    fromLevel(columns, thread, range, level, scale);
    return false;
  }
  const { start, duration, kind, failed, byThread } = calls;
  for (let place = first; place < last; place++) {
    const row = byThread[place];
    const from = (start[row] - range.from) * scale;
    columns.add(from, from + duration[row] * scale, mask && !mask[row] ? CLASSES : groups[kind[row]], failed[row] === 1 && (!mask || mask[row] === 1));
  }
  return true;
}

function fromLevel(columns: Columns, thread: number, range: Range, level: Level, scale: number): void {
  for (let cell = level.threadFrom[thread]; cell < level.threadFrom[thread + 1]; cell++) {
    const from = (level.piece[cell] * level.width - range.from) * scale;
    const wide = level.width * scale;
    if (from + wide < 0 || from > columns.width) continue;
    const share = level.busy[cell] / level.width;
    const failed = level.errors[cell] > 0;
    const first = Math.max(Math.floor(from), 0);
    const last = Math.min(Math.floor(from + wide), columns.width - 1);
    for (let column = first; column <= last; column++) {
      const part = Math.min(from + wide, column + 1) - Math.max(from, column);
      if (part <= 0) continue;
      columns.shares[column * (CLASSES + 1) + level.group[cell]] += share * part;
      columns.marks[column] |= failed ? 3 : 1;
    }
  }
}

/** Paint the columns into a lane of a picture. `colours`: one for each class, that of what is left out, that of failures. */
export function paint(picture: ImageData, columns: Columns, top: number, height: number, colours: Uint32Array): void {
  const pixels = new Uint32Array(picture.data.buffer);
  const { width } = picture;
  const bottom = Math.min(top + height, picture.height);
  for (let column = 0; column < columns.width; column++) {
    if (!columns.marks[column]) continue;
    let at = top + height;
    let least = 2; // what has happened is seen, however short it was
    for (let group = 0; group <= CLASSES; group++) {
      const share = columns.shares[column * (CLASSES + 1) + group];
      if (!share) continue;
      const tall = Math.max(Math.round(Math.min(share, 1) * height), least);
      least = 0;
      for (let y = Math.max(at - tall, top); y < Math.min(at, bottom); y++) if (y >= 0) pixels[y * width + column] = colours[group];
      at -= tall;
    }
    if (columns.marks[column] & 2) for (let y = Math.max(top + height - 2, 0); y < bottom; y++) pixels[y * width + column] = colours[CLASSES + 1];
  }
}

/** A colour as a pixel that hides what is under it. */
export function pixel([red, green, blue]: number[]): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
