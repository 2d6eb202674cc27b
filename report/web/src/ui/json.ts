/** JSON as a tree that folds. What is folded is made when it is opened, so that large documents open at once. */

import { h, type Child } from "../dom";
import { count, many } from "../format";
import { inline } from "../visible";
import { longText } from "./longtext";

const PAGE = 200; // entries that are shown at once
const OPEN = 40; // entries up to which a tree opens by itself
const LONG = 600; // signs of a text that are shown at once
const CAREFUL = 1 << 20; // signs up to which numbers are kept digit by digit

/** A number that JavaScript cannot hold. */
class Digits {
  constructor(readonly digits: string) {}
}

/** The value of a text that is JSON; undefined if it is none. */
export function parsed(text: string): unknown {
  const start = /^\s*([[{"]|-?\d|true|false|null)/.test(text);
  if (!start) return undefined;
  try {
    return text.length > CAREFUL ? JSON.parse(text) : (JSON.parse as (text: string, revive: Revive) => unknown)(text, exact);
  } catch {
    return undefined; // or too deep for the browser
  }
}

type Revive = (key: string, value: unknown, context?: { source?: string }) => unknown;

function exact(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  return typeof value === "number" && source && /^-?\d+$/.test(source) && String(value) !== source ? new Digits(source) : value;
}

export function isTree(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof Digits);
}

export function jsonTree(value: unknown): HTMLElement {
  return h("div", { class: "json" }, node("", value, 0, { left: OPEN }));
}

function node(name: string, value: unknown, depth: number, room: { left: number }): HTMLElement {
  const label = name ? h("span", { class: "json-key" }, inline(name.length > LONG ? `${name.slice(0, LONG)}…` : name), ": ") : null;
  if (!isTree(value)) return h("div", { class: "json-leaf" }, label, leaf(value));
  const entries = Array.isArray(value) ? value.map((part, place): [string, unknown] => [String(place), part]) : Object.entries(value);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (!entries.length) return h("div", { class: "json-leaf" }, label, `${open}${close}`);
  const inside = h("div", { class: "json-inside" });
  const told = h("span", { class: "json-count" }, ` ${Array.isArray(value) ? many(entries.length, "entry", "entries") : preview(entries)} `);
  const root = h("details", { class: "json-node" }, h("summary", null, label, open, told, h("span", { class: "json-count" }, close)), inside);
  let shown = 0;
  const fill = (): void => {
    inside.querySelector(":scope > .more")?.remove();
    inside.append(...entries.slice(shown, shown + PAGE).map(([key, part]) => node(key, part, depth + 1, room)));
    shown = Math.min(shown + PAGE, entries.length);
    if (shown < entries.length) inside.append(h("button", { type: "button", class: "more", onclick: fill }, `${count(entries.length - shown)} more`));
  };
  root.addEventListener("toggle", () => root.open && !shown && fill());
  if (depth === 0 || (depth < 4 && entries.length <= room.left)) {
    room.left -= entries.length;
    root.open = true;
    fill();
  }
  return root;
}

/** The names of an object that is folded. */
function preview(entries: [string, unknown][]): string {
  const words = entries.slice(0, 4).map(([key]) => inline(key.slice(0, 24)));
  return words.join(", ") + (entries.length > 4 ? ", …" : "");
}

function leaf(value: unknown): Child {
  if (typeof value === "string") return h("span", { class: `json-text${value.includes("\n") ? " lines" : ""}` }, longText(value, LONG));
  if (value instanceof Digits) return h("span", { class: "json-number" }, value.digits);
  return h("span", { class: "json-number" }, String(value));
}
