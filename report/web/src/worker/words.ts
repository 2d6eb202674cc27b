/** One call in words: its arguments by name, its result, its error. Made only for rows that are on the screen. */

import type { Call } from "../types";
import { SPECIAL, UNFINISHED, UNREADABLE, UNTIMED, type Store } from "./store";
import type { Wide } from "./columns";

const AT_FDCWD = -100;

export function callOf(store: Store, row: number): Call {
  const kind = store.kinds[store.kind[row]];
  const flags = store.flags[row];
  const errno = store.errno[row];
  const notes: string[] = [];
  const descriptor = kind.args.findIndex(([, what]) => what === "fd" || what === "dirfd");
  if (flags & UNFINISHED) notes.push("never returned");
  if (flags & UNTIMED) notes.push("its start was not seen");
  if (flags & UNREADABLE) notes.push("an argument could not be read");
  if (flags & SPECIAL && !kind.args.some(([, what]) => what === "argv")) notes.push("made the file");
  return {
    row, kind: store.kind[row], name: kind.name, thread: store.thread[row], tid: store.threads.tid[store.thread[row]], notes,
    start: store.start[row], duration: flags & UNTIMED ? null : store.duration[row],
    args: kind.args.map(([name, what, slot, shift, bits, signed], place) =>
      [name, word(store, what, bitsOf(store.slots[slot], row, shift, bits, signed)), place === descriptor ? store.texts[store.thing[row]] : ""]),
    result: flags & UNFINISHED ? "" : errno ? "−1" : word(store, kind.result, bitsOf(store.ret, row, 0, 64, true)),
    error: errno ? (store.errnos[errno] ?? `errno ${errno}`) : null,
  };
}

function bitsOf(wide: Wide, row: number, shift: number, bits: number, signed: boolean): bigint {
  const whole = (BigInt(wide.high[row]) << 32n) | BigInt(wide.low[row]);
  const some = whole >> BigInt(shift);
  return signed ? BigInt.asIntN(bits, some) : BigInt.asUintN(bits, some);
}

function word(store: Store, what: string, value: bigint): string {
  switch (what) {
    case "path": case "string": case "argv": case "sockaddr":
      return value ? store.texts[Number(value)] || '""' : "?";
    case "dirfd": return value === BigInt(AT_FDCWD) ? "." : value.toString();
    case "address": case "pointer": case "command": return value ? `0x${BigInt.asUintN(64, value).toString(16)}` : "0";
    case "flags": return value ? `0x${BigInt.asUintN(32, value).toString(16)}` : "0";
    case "mode": return value ? `0${value.toString(8)}` : "0";
    case "word": return value > 0xffffn || value < 0n ? `0x${BigInt.asUintN(64, value).toString(16)}` : value.toString();
    default: return value.toString();
  }
}
