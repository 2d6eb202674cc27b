/** Server-sent events out of a body, each with the moment at which its last byte had arrived. */

import type { StreamEvent } from "../types";

const CR = 13;
const LF = 10;
const MOST = 100_000;

/** `marks`: [offset, moment]: what follows this offset of the body arrived then. */
export function eventsOf(bytes: Uint8Array, marks: [number, number][]): StreamEvent[] {
  const decoder = new TextDecoder();
  const events: StreamEvent[] = [];
  let [type, data, any]: [string, string[], boolean] = ["", [], false];
  let mark = 0;
  const end = (last: number): void => {
    while (mark + 1 < marks.length && marks[mark + 1][0] <= last) mark++;
    if (any) events.push({ at: marks.length ? marks[mark][1] : null, type: type || "message", data: data.join("\n") });
    [type, data, any] = ["", [], false];
  };
  let from = 0;
  while (from < bytes.length && events.length < MOST) {
    let to = from;
    while (to < bytes.length && bytes[to] !== LF && bytes[to] !== CR) to++;
    const next = bytes[to] === CR && bytes[to + 1] === LF ? to + 2 : to + 1;
    if (to === from) end(to);
    else {
      const line = decoder.decode(bytes.subarray(from, to));
      const [, name, value] = /^([^:]*):? ?([\s\S]*)$/.exec(line) ?? ["", "", ""];
      if (name === "event") type = value;
      if (name === "data") data.push(value);
      any ||= name === "event" || name === "data";
    }
    from = next;
  }
  if (bytes.length) end(bytes.length - 1); // cut off, or without its empty line
  return events;
}
