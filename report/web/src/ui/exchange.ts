/** All that is known of one exchange over HTTP: times, headers, bodies, events, messages; and of the LLM call that it is. */

import { h, type Child } from "../dom";
import { count, duration, many, moment, number, size, text } from "../format";
import { rowsOf, type App } from "../model";
import type { Body, Said } from "../types";
import { inline } from "../visible";
import { curlOf, leftOut } from "../http/curl";
import { pairs } from "./bits";
import { bodyPart, messageList } from "./body";
import { copyButton } from "./copy";
import { jump, link } from "./links";
import { longText } from "./longtext";
import { waterfall, type Phase } from "./waterfall";

const SIDES = ["Request", "Response", "Request trailers", "Response trailers"];

export async function exchangeDetails(app: App, row: number): Promise<Child[] | null> {
  await app.spoken;
  const [said, sent, received, messages] = await Promise.all([
    app.client.ask("exchange", { row }), app.client.ask("body", { row, part: 0 }), app.client.ask("body", { row, part: 1 }), app.client.ask("messages", { row })]);
  if (!said) return null;
  const { table } = app.exchanges;
  const get = (field: string) => table[field][row];
  const from = number(get("started_ns"));
  const call = app.exchanges.call(row);
  const phases = get("phases") as Phase[];
  const errors = get("errors") as string[];
  return [
    h("p", { class: "eyebrow" }, [`Exchange ${text(get("number"))}`, text(get("protocol")), get("tls") ? `TLS (${text(get("library"))})` : "plain text",
      get("side") === "server" && "answered by this process"].filter(Boolean).join(" · ")),
    h("h2", { class: "path" }, h("span", { class: "method" }, text(get("method")) || "?"), " ", h("code", null, text(get("url")))),
    errors.length > 0 && h("ul", { class: "note" }, errors.map((error) => h("li", null, error))),
    pairs(["status", status(app, row)], ["started", moment(from, 1e5)], ["took", duration(app.exchanges.took(row))], ["process", processOf(app, row)],
      ["connection", connectionOf(app, row)], ["request", sizes(table, row, "request")], ["response", sizes(table, row, "response")],
      ["interim", said.interim.join(", ")], ["secrets", get("redacted") ? `${many(number(get("redacted")), "secret")} taken out` : ""], ...(call >= 0 ? llm(app, call) : [])),
    phases.length > 0 && h("h3", null, "Where the time went"), phases.length > 0 && waterfall(phases, text(get("side"))),
    h("div", { class: "actions" },
      ...(get("side") === "client" && get("method") !== "" ? curl(app, row, said, sent) : []),
      call >= 0 && app.store.state.mode === "exchanges" && jump(app, "Show in the conversation", { view: "http", mode: "" }),
      jump(app, "Show in the timeline", { view: "timeline", range: around(app, row) })),
    ...said.headers.map((headers, part) => headers.length > 0 && headersPart(part < 2 ? `${SIDES[part]} headers` : SIDES[part], headers)),
    messages.length > 0 && h("section", { class: "body-part" }, h("h3", null, "Messages ", h("span", { class: "quiet-text" }, count(messages.length))), messageList(messages, from)),
    sent && bodyPart("Request body", sent, from, notes(app, row, "request", sent)),
    received && bodyPart("Response body", received, from, notes(app, row, "response", received)),
    !app.head.bodies && h("p", { class: "quiet-text" }, "This file was made without bodies (--no-bodies)."),
  ];
}

export function status(app: App, row: number): HTMLElement {
  const { table } = app.exchanges;
  const words = table.status[row] === null ? "no answer" : `${text(table.status[row])} ${text(table.reason[row])}`.trim();
  return h("span", { class: app.exchanges.isFailed(row) ? "bad" : null }, words);
}

/** The tokens and times of an LLM call. */
function llm(app: App, call: number): [string, Child][] {
  const { llm: table } = app.exchanges;
  const get = (field: string) => table[field][call];
  const tokens = (field: string) => (get(field) === null ? "" : count(number(get(field))));
  const again = get("retry_of") === null ? -1 : app.exchanges.row(number(get("retry_of")));
  return [["model", text(get("response_model")) || text(get("model"))], ["asked", [text(get("provider")), text(get("operation"))].filter(Boolean).join(" · ")],
    ["tokens in", tokens("input_tokens")], ["of these cached", tokens("cached_tokens")], ["put into the cache", tokens("cache_write_tokens")],
    ["tokens out", tokens("output_tokens")], ["of these reasoning", tokens("reasoning_tokens")],
    ["first token after", get("ttft_ms") === null ? "" : duration(number(get("ttft_ms")) * 1e6)],
    ["tokens a second", get("tokens_per_s") === null ? "" : number(get("tokens_per_s")).toFixed(1)],
    ["stopped because", (get("finish_reasons") as string[]).join(", ")], ["error", get("error") ? h("span", { class: "bad" }, text(get("error"))) : ""],
    ["retry of", again >= 0 ? link(app, `exchange:${text(get("retry_of"))}`, `exchange ${text(get("retry_of"))}`) : ""]];
}

function headersPart(title: string, headers: [string, string][]): HTMLElement {
  return h("details", { class: "part" }, h("summary", null, title, " ", h("span", { class: "quiet-text" }, count(headers.length))),
    h("dl", { class: "pairs headers" }, headers.flatMap(([name, value]) => [h("dt", null, inline(name)), h("dd", null, longText(value, 400))])));
}

function sizes(table: App["exchanges"]["table"], row: number, side: string): string {
  const [wire, length] = [number(table[`${side}_bytes`][row]), table[`${side}_length`][row]];
  if (!wire && !length) return "no body";
  return length === null || length === wire ? size(wire) : `${size(wire)}, ${size(number(length))} decompressed`;
}

function notes(app: App, row: number, side: string, body: Body): string[] {
  const { table } = app.exchanges;
  return [table[`${side}_cut`][row] ? "The trace did not keep all of it." : "", body.cut ? "This file has its beginning; the session has more." : ""].filter(Boolean);
}

function processOf(app: App, row: number): Child {
  const process = app.byProc.get(number(app.exchanges.table.proc[row]));
  return process ? link(app, `process:${process.proc}`, `${process.title} (${process.pid ?? "?"})`) : text(app.exchanges.table.process[row]) || "–";
}

function connectionOf(app: App, row: number): Child {
  const { table } = app.exchanges;
  const { connections } = app.tables;
  const sock = table.sock[row];
  const place = sock ? Array.from({ length: rowsOf(connections) }, (_, one) => one).find((one) => connections.sock?.[one] === sock) : undefined;
  const words = `${text(table.remote[row]) || `connection ${text(table.connection[row])}`}${table.stream[row] ? `, stream ${text(table.stream[row])}` : ""}`;
  return place === undefined ? words : link(app, `connection:${place}`, words);
}

function curl(app: App, row: number, said: Said, sent: Body | null): Child[] {
  const { table } = app.exchanges;
  const note = leftOut(sent, number(table.request_bytes[row]) > 0, Boolean(table.request_cut[row]));
  return [copyButton("Copy as curl", () => curlOf(text(table.method[row]), said, sent)), note && h("span", { class: "quiet-text" }, note)];
}

/** A range of time in which the exchange can be seen well. */
function around(app: App, row: number): { from: number; to: number } {
  const [from, to] = [app.exchanges.from(row), app.exchanges.to(app, row)];
  const margin = Math.max((to - from) * 0.2, 10_000);
  return { from: Math.max(from - margin, 0), to: Math.min(to + margin, Math.max(app.end, to)) };
}
