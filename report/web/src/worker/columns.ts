/** Typed arrays from the compressed columns: the inverse of report/html/packing.py and report/html/events.py. */

import { inflate } from "../embedded";
import type { Directory } from "../types";

/** 64-bit values as two halves. */
export interface Wide {
  low: Uint32Array<ArrayBuffer>;
  high: Uint32Array<ArrayBuffer>;
}

export async function unpack(packed: Uint8Array<ArrayBuffer>, directory: Directory): Promise<Record<string, Wide>> {
  let at = 0;
  const columns: Record<string, Wide> = {};
  const waiting: Promise<void>[] = [];
  for (const [name, { rows, planes }] of Object.entries(directory)) {
    const wide = { low: new Uint32Array(rows), high: new Uint32Array(rows) };
    columns[name] = wide;
    for (const [plane, length, kept] of planes) {
      const stream = packed.subarray(at, at + length);
      at += length;
      waiting.push(inflate(stream).then((bytes) => merge(wide, plane, bytes, kept)));
    }
  }
  await Promise.all(waiting);
  return columns;
}

function merge(wide: Wide, plane: number, bytes: Uint8Array<ArrayBuffer>, kept: number): void {
  const half = plane < 4 ? wide.low : wide.high;
  const shift = 8 * (plane & 3);
  if (kept >= 0) {
    const places = new DataView(bytes.buffer);
    for (let place = 0; place < kept; place++) half[places.getUint32(4 * place, true)] |= bytes[4 * kept + place] << shift;
    return;
  }
  for (let row = 0; row < half.length; row++) half[row] |= bytes[row] << shift;
}

/** The order of rows by group, the order within a group kept, and where each group begins. */
export function grouped(keys: Uint32Array, groups: number): { order: Uint32Array<ArrayBuffer>; from: Uint32Array<ArrayBuffer> } {
  const from = new Uint32Array(groups + 1);
  for (let row = 0; row < keys.length; row++) from[keys[row] + 1]++;
  for (let group = 0; group < groups; group++) from[group + 1] += from[group];
  const next = from.slice();
  const order = new Uint32Array(keys.length);
  for (let row = 0; row < keys.length; row++) order[next[keys[row]]++] = row;
  return { order, from };
}

/** Start of each call: where the call before it on its thread ended, and the gap after that. */
export function starts(gap: Wide, duration: Float64Array, order: Uint32Array, threadFrom: Uint32Array): Float64Array<ArrayBuffer> {
  const start = new Float64Array(duration.length);
  for (let thread = 0; thread + 1 < threadFrom.length; thread++) {
    let end = 0;
    for (let place = threadFrom[thread]; place < threadFrom[thread + 1]; place++) {
      const row = order[place];
      const low = gap.low[place];
      const half = gap.high[place] * 2147483648 + (low >>> 1);
      start[row] = end + (low & 1 ? -half - 1 : half);
      end = start[row] + duration[row];
    }
  }
  return start;
}

/** Values in the order of rows, from values kind by kind that are each XORed with the one before of their kind. */
export function unsteps(steps: Wide, order: Uint32Array, kindFrom: Uint32Array): Wide {
  const wide = { low: new Uint32Array(order.length), high: new Uint32Array(order.length) };
  for (let kind = 0; kind + 1 < kindFrom.length; kind++) {
    let [low, high] = [0, 0];
    for (let place = kindFrom[kind]; place < kindFrom[kind + 1]; place++) {
      low ^= steps.low[place];
      high ^= steps.high[place];
      wide.low[order[place]] = low;
      wide.high[order[place]] = high;
    }
  }
  return wide;
}
