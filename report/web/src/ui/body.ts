/** What a request or a response carried: JSON as a tree, events as a list with their times, anything else as text. */

import { h, replace, type Child } from "../dom";
import { count, duration, size } from "../format";
import type { Body, Message, StreamEvent } from "../types";
import { inline } from "../visible";
import { copyButton } from "./copy";
import { isTree, jsonTree, parsed } from "./json";
import { longText } from "./longtext";
import { DataTable } from "./table";

const ROW_TEXT = 300; // signs of a text in a row
const ROWS = 9; // that are in sight at once

/** `from`: the start of the exchange. */
export function bodyPart(title: string, body: Body, from: number, notes: string[]): HTMLElement {
  const shown = h("div", { class: "body-shown" });
  const ways: [string, () => Child][] = [];
  const value = body.binary ? undefined : parsed(body.text);
  if (body.events?.length) ways.push(["Events", () => eventList(body.events ?? [], from)]);
  if (isTree(value)) ways.push(["JSON", () => jsonTree(value)]);
  else if (!body.binary && /urlencoded/i.test(body.type)) ways.push(["Form", () => form(body.text)]);
  ways.push([body.binary ? "Bytes" : "Text", () => longText(body.text, 3000, "mono")]);
  const buttons = ways.map(([name, make]) => h("button", { type: "button", role: "tab", onclick: () => {
    buttons.forEach((one) => one.setAttribute("aria-selected", String(one.textContent === name)));
    replace(shown, make());
  } }, name));
  buttons[0].click();
  return h("section", { class: "body-part" },
    h("div", { class: "line" }, h("h3", null, title, " ", h("span", { class: "quiet-text" }, size(body.length))),
      ways.length > 1 && h("div", { class: "switch small", role: "tablist", "aria-label": `How the ${title.toLowerCase()} is shown` }, buttons),
      !body.binary && copyButton("Copy", () => body.text)),
    notes.length > 0 && h("p", { class: "note" }, notes.join(" ")), shown);
}

/** Events in the order of their arrival; the one that is chosen is shown whole. */
export function eventList(events: StreamEvent[], from: number): HTMLElement {
  const typed = events.some(({ type }) => type !== "message");
  return chosenList<StreamEvent>("Events", events, (event) => whole(event.data), [
    { key: "at", title: "after", width: "5rem", cell: ({ at }) => (at === null ? "–" : duration(at - from)) },
    ...(typed ? [{ key: "type", title: "event", width: "minmax(5rem, 1fr)", left: true, cell: ({ type }: StreamEvent) => inline(type.slice(0, 60)) }] : []),
    { key: "data", title: "data", width: "minmax(6rem, 3fr)", left: true, cell: ({ data }) => h("code", null, inline(data.slice(0, ROW_TEXT))) },
  ]);
}

/** The messages of a WebSocket. */
export function messageList(messages: Message[], from: number): HTMLElement {
  return chosenList<Message>("Messages", messages, (message) => [
    message.kept < message.length && h("p", { class: "note" }, `${size(message.kept)} of ${size(message.length)} are here.`), whole(message.text)], [
    { key: "at", title: "after", width: "5rem", cell: ({ at }) => duration(at - from) },
    { key: "sent", title: "", width: "1.2rem", left: true, cell: ({ sent }) => h("span", { class: sent ? "sent" : "received", title: sent ? "sent" : "received", "aria-label": sent ? "sent" : "received" }, sent ? "↑" : "↓") },
    { key: "kind", title: "kind", width: "3.6rem", left: true, cell: ({ kind }) => inline(kind.slice(0, 20)) },
    { key: "data", title: "data", width: "minmax(6rem, 3fr)", left: true, cell: ({ text, binary }) => h("code", null, inline((binary ? text.slice(8) : text).slice(0, ROW_TEXT))) },
    { key: "length", title: "size", width: "4.6rem", cell: ({ length }) => size(length) },
  ]);
}

/** A text as a tree if it is JSON, else as it is. */
export function whole(text: string): HTMLElement {
  const value = parsed(text);
  return isTree(value) ? jsonTree(value) : longText(text, 3000, "mono");
}

function chosenList<Row>(label: string, rows: Row[], tell: (row: Row) => Child | Child[], columns: ConstructorParameters<typeof DataTable<Row>>[0]["columns"]): HTMLElement {
  const told = h("div", { class: "chosen", "aria-live": "polite" });
  const numbered = new Map(rows.map((row, place) => [row, place]));
  const table = new DataTable<Row>({
    label, columns, key: (row) => String(numbered.get(row)), choose: (row) => {
      table.mark(String(numbered.get(row)));
      replace(told, [tell(row)].flat());
    },
  });
  const box = h("div", { class: "inner-table" }, table.root);
  box.style.height = `${(Math.min(rows.length, ROWS) + 1) * 30 + 2}px`;
  table.show({ length: rows.length, rows: (first, last) => rows.slice(first, last) });
  return h("div", { class: "chosen-list" }, h("p", { class: "unseen" }, `${count(rows.length)} ${label.toLowerCase()}`), box, told);
}

function form(text: string): HTMLElement {
  return h("dl", { class: "pairs headers" }, [...new URLSearchParams(text)].slice(0, 500).flatMap(([name, value]) =>
    [h("dt", null, inline(name)), h("dd", null, longText(value, 400))]));
}
