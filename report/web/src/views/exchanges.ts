/** All exchanges over HTTP as a table. */

import { h, type Child } from "../dom";
import { duration, many, moment, number, size, text } from "../format";
import type { App } from "../model";
import { ListView } from "./lists";

const SHORT_TYPE = /^(?:application|text|image|audio|video|font)\/(?:x-|vnd\.)?([^;]*).*$/;

export function exchangeList(app: App): ListView {
  const { exchanges } = app;
  const { table } = exchanges;
  const octets = (side: string) => (row: number): number | null => (table[`${side}_length`][row] ?? table[`${side}_bytes`][row]) as number | null;
  const first = (row: number): number | null => (table.first_byte_ns[row] === null ? null : number(table.first_byte_ns[row]) - exchanges.from(row));
  const [sent, received] = [octets("request"), octets("response")];
  return new ListView(app, {
    name: "Exchanges", what: ["exchange", "exchanges"], table, sort: { key: "started_ns", descending: false }, selects: (row) => `exchange:${text(table.number[row])}`,
    empty: "No exchange fits the search and the range of time.", fits: () => exchanges.fitting(app),
    note: () => h("span", { class: "quiet-text" }, exchanges.searching(app)),
    columns: [
      { key: "started_ns", title: "started", width: "5.6rem", room: "some", cell: (row) => moment(exchanges.from(row), 1e5) },
      { key: "method", title: "method", width: "4.4rem", left: true, cell: (row) => h("span", { class: "method" }, text(table.method[row]) || "?") },
      { key: "status", title: "status", width: "3.6rem", left: true, by: (row) => number(table.status[row] ?? -1), cell: (row) => state(app, row) },
      { key: "url", title: "URL", width: "minmax(9rem, 5fr)", left: true, cell: (row) => address(app, row) },
      { key: "content_type", title: "type", width: "7rem", left: true, room: "much", cell: (row) => (number(table.messages[row]) ? many(number(table.messages[row]), "message") : text(table.content_type[row]).replace(SHORT_TYPE, "$1")) },
      { key: "request_bytes", title: "sent", width: "4.8rem", room: "some", by: (row) => sent(row) ?? -1, cell: (row) => (sent(row) ? size(sent(row)) : "–") },
      { key: "response_bytes", title: "received", width: "4.8rem", room: "some", by: (row) => received(row) ?? -1, cell: (row) => (received(row) ? size(received(row)) : "–") },
      { key: "first_byte_ns", title: "first byte", width: "5.2rem", room: "much", by: (row) => first(row) ?? -1, hint: "From the start of the request to the first byte of the response",
        cell: (row) => duration(first(row)) },
      { key: "ended_ns", title: "took", width: "4.8rem", by: (row) => exchanges.took(row) ?? Infinity, cell: (row) => duration(exchanges.took(row)) },
      { key: "when", title: "", width: "minmax(4rem, 2fr)", left: true, room: "much", sorts: false, cell: (row) => life(app, row) },
      { key: "process", title: "process", width: "minmax(5rem, 1.4fr)", left: true, room: "much", cell: (row) => text(table.process[row]) || text(table.pid[row]) },
    ],
  });
}

function state(app: App, row: number): HTMLElement {
  const { status } = app.exchanges.table;
  return h("span", { class: app.exchanges.isFailed(row) ? "bad" : null }, status[row] === null ? "none" : text(status[row]));
}

function address(app: App, row: number): HTMLElement {
  const url = text(app.exchanges.table.url[row]);
  const [, host, path] = /^[a-z]+:\/\/([^/?#]*)(.*)$/s.exec(url) ?? ["", "", url];
  return h("span", { class: "tree-cell", title: url.slice(0, 1000) }, app.exchanges.call(row) >= 0 && h("span", { class: "tag" }, "LLM"),
    h("span", { class: "address" }, h("span", { class: "clip quiet-text" }, host), h("code", { class: "clip" }, path || "/")));
}

/** Where in the session it was, waiting and answer told apart. */
function life(app: App, row: number): Child {
  const { exchanges } = app;
  const { range } = app.store.state;
  const [from, to] = range ? [range.from, range.to] : [0, app.end];
  const [started, ended] = [exchanges.from(row), exchanges.to(app, row)];
  const first = number(exchanges.table.first_byte_ns[row] ?? ended);
  const piece = (kind: string, begin: number, end: number): HTMLElement => {
    const one = h("span", { class: `life-piece phase ${kind}` });
    one.style.left = `${Math.max(((begin - from) / (to - from)) * 100, 0)}%`;
    one.style.width = `max(${kind === "wait" ? 2 : 1}px, ${(Math.max(Math.min(end, to) - Math.max(begin, from), 0) / (to - from)) * 100}%)`;
    return one;
  };
  return h("span", { class: "life", "aria-hidden": "true" }, piece("wait", started, first), first < ended && piece("stream", first, ended));
}
