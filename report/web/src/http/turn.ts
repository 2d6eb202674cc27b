/** One LLM call as part of a conversation: what the program said that it had not said before, and what came back. */

import { h, replace, type Child } from "../dom";
import { count, duration, many, moment, number, size, text } from "../format";
import type { App } from "../model";
import type { Prompt, ToolCall, Turn } from "../types";
import { whole } from "../ui/body";
import { link } from "../ui/links";
import { prose } from "../ui/prose";
import { inline, preview } from "../visible";

const SYSTEM = new Set(["system", "developer"]);
const FROM_MODEL = new Set(["assistant", "model"]);
const FIRST_LINE = 110; // signs of what is folded

/** The line above: when, which model, how many tokens, how long. It needs nothing from the worker. */
export function turnHead(app: App, call: number): HTMLElement {
  const { llm: table, ofCall, table: http } = app.exchanges;
  const get = (field: string) => table[field][call];
  const row = ofCall[call];
  const [from, first, ended] = [number(get("started_ns")), get("first_token_ns"), get("ended_ns")];
  const model = text(get("response_model")) || text(get("model")) || "unknown model";
  const pid = text(get("pid"));
  const tokens = (field: string, words: string) => get(field) !== null && `${count(number(get(field)))} ${words}`;
  const figures = [
    tokens("input_tokens", "tokens in"), number(get("cached_tokens")) > 0 && `${count(number(get("cached_tokens")))} of them cached`, tokens("output_tokens", "out"),
    number(get("reasoning_tokens")) > 0 && `${count(number(get("reasoning_tokens")))} of them reasoning`,
    get("ttft_ms") !== null && `first token after ${duration(number(get("ttft_ms")) * 1e6)}`, get("tokens_per_s") !== null && `${number(get("tokens_per_s")).toFixed(0)} tokens/s`,
    (get("finish_reasons") as string[]).length > 0 && `stopped: ${(get("finish_reasons") as string[]).join(", ")}`].filter(Boolean).join(" · ");
  const failed = row >= 0 && app.exchanges.isFailed(row);
  return h("header", { class: "turn-head" },
    h("div", { class: "turn-title" }, link(app, `exchange:${text(get("number"))}`, h("b", null, inline(model))),
      h("span", { class: "quiet-text" }, [moment(from, 1e6), pid && `process ${pid}`, text(get("provider"))].filter(Boolean).join(" · ")),
      get("retry_of") !== null && h("span", { class: "tag warn" }, "retry of ", link(app, `exchange:${text(get("retry_of"))}`, text(get("retry_of")))),
      failed && h("span", { class: "tag bad" }, row >= 0 && http.status[row] !== null ? `status ${text(http.status[row])}` : "no answer"),
      h("span", { class: "turn-took" }, ended === null ? "never ended" : duration(number(ended) - from))),
    ended !== null && h("span", { class: "wait-bar", role: "img", "aria-label": first === null ? "no token was streamed" : `waited ${duration(number(first) - from)}, then streamed ${duration(number(ended) - number(first))}` },
      part("wait", (number(first ?? ended) - from) / (number(ended) - from || 1)), first !== null && part("stream", (number(ended) - number(first)) / (number(ended) - from || 1))),
    figures && h("p", { class: "turn-figures" }, figures));
}

/** What was said. */
export function turnBody(app: App, call: number, turn: Turn): Child[] {
  const told = h("div", { class: "turn-said" });
  const news = turn.prompt.map((message) => said(message));
  const earlier = turn.known > 0 && h("button", { type: "button", class: "more", onclick: async () => {
    const all = await app.client.ask("turn", { row: call, all: true });
    if (all) replace(told, all.prompt.map((message) => said(message)));
  } }, `${many(turn.known, "earlier message")}`);
  replace(told, earlier, ...news);
  return [
    turn.system && folded(turn.sameSystem ? "System prompt, as before" : "System prompt", turn.system, !turn.sameSystem),
    turn.tools.length > 0 && turn.base < 0 && folded(many(turn.tools.length, "tool"), turn.tools.join(", ")), told,
    (turn.text || turn.reasoning || turn.calls.length > 0) && h("section", { class: "said assistant", "aria-label": "The model" },
      turn.reasoning && folded("Reasoning", turn.reasoning), turn.text && prose(turn.text), ...turn.calls.map((one) => toolCall(one))),
    turn.error && h("p", { class: "said failure" }, inline(turn.error)),
    app.exchanges.llm.cut[call] === true && h("p", { class: "note" }, "The trace did not keep all of this call."),
  ];
}

function part(kind: string, share: number): HTMLElement {
  const fill = h("span", { class: `phase ${kind}` });
  fill.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  return fill;
}

function said({ role, text: words, answers, calls, attached }: Prompt): HTMLElement {
  if (SYSTEM.has(role)) return folded("System prompt", words);
  const kind = FROM_MODEL.has(role) ? "assistant" : answers || role === "tool" || role === "function" ? "tool" : "user";
  const name = inline(kind === "tool" ? `result${answers && ` of ${answers}`}` : role || "?");
  return h("section", { class: `said ${kind}`, "aria-label": name }, h("p", { class: "who" }, name), words && (kind === "tool" ? result(words) : prose(words)),
    ...calls.map((call) => toolCall(call)), ...attached.map((what) => h("span", { class: "tag" }, inline(what))));
}

function toolCall({ id, name, args }: ToolCall): HTMLElement {
  return h("details", { class: "tool-call", title: inline(id) }, h("summary", null, h("code", null, inline(name)), h("span", { class: "quiet-text" }, ` ${preview(args, FIRST_LINE)}`)), whole(args));
}

/** What a tool has given back: often long, so its first line stands for it. */
function result(words: string): HTMLElement {
  if (words.length <= 2 * FIRST_LINE && !words.includes("\n")) return prose(words);
  return h("details", { class: "tool-call" }, h("summary", null, h("span", { class: "clip" }, preview(words, FIRST_LINE)), h("span", { class: "quiet-text" }, ` ${size(words.length)}`)), whole(words));
}

function folded(title: string, words: string, shown = true): HTMLElement {
  const root = h("details", { class: "part folded" }, h("summary", null, title, shown && h("span", { class: "quiet-text" }, ` ${preview(words, FIRST_LINE)}`)));
  root.addEventListener("toggle", () => root.open && root.childElementCount === 1 && root.append(prose(words)));
  return root;
}
