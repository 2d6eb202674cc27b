/** The panel at the side: all that is known of what is selected. */

import { byId, h, replace, type Child } from "../dom";
import { count, duration, many, moment, number, percent, size, text } from "../format";
import { rowsOf, type App, type Process } from "../model";
import type { Call, Table } from "../types";
import { histogram, pairs, swatch } from "./bits";
import { exchangeDetails } from "./exchange";
import { jump, link } from "./links";

const SLOWEST = 20;
const MOST_WORDS = 1000; // of an argument list

export class Details {
  private readonly root = byId("details");
  private asked = 0;
  private before: Element | null = null;

  constructor(private readonly app: App) {
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  /** Show what the address says is selected. */
  async update(): Promise<void> {
    const { selected } = this.app.store.state;
    const number = ++this.asked;
    const told = selected ? await this.told(selected) : null;
    if (number !== this.asked) return;
    this.root.hidden = !told;
    document.body.classList.toggle("with-details", Boolean(told));
    document.body.classList.toggle("with-wide-details", Boolean(told) && selected.startsWith("exchange:"));
    if (!told) return;
    this.before ??= document.activeElement;
    const close = h("button", { type: "button", class: "quiet close", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.close() }, "✕");
    replace(this.root, h("div", { class: "details-inner" }, close, told));
    this.root.scrollTop = 0;
  }

  close(): void {
    this.app.store.set({ selected: "" });
    if (this.before instanceof HTMLElement) this.before.focus({ preventScroll: true });
    this.before = null;
  }

  private async told(selected: string): Promise<Child[] | null> {
    const [what, ...rest] = selected.split(":");
    const which = rest.join(":");
    const { tables, processes } = this.app;
    switch (what) {
      case "call": {
        await this.app.calls;
        const call = await this.app.client.ask("call", { row: Number(which) });
        return call && this.call(call);
      }
      case "process": {
        const process = processes.find(({ proc }) => proc === Number(which));
        return process ? this.process(process) : null;
      }
      case "file": return within(tables.files, which) ? this.file(Number(which)) : null;
      case "connection": return within(tables.connections, which) ? this.row("Connection", tables.connections, Number(which)) : null;
      case "lookup": return within(tables.dns, which) ? this.row("Look-up", tables.dns, Number(which)) : null;
      case "search": return within(tables.searches, which) ? this.row("Looked for in vain", tables.searches, Number(which)) : null;
      case "exchange": {
        const row = this.app.exchanges.row(Number(which));
        return row < 0 ? null : exchangeDetails(this.app, row);
      }
      case "syscall": return this.syscall(which);
      default: return null;
    }
  }

  private call(call: Call): Child[] {
    const { app } = this;
    const process = app.byProc.get(app.about.threads.proc[call.thread]);
    const group = app.about.kinds[call.kind].class;
    const around = (call.duration ?? 0) * 2 + 20_000;
    return [
      h("p", { class: "eyebrow" }, swatch(group), `${app.head.classes[group]} call`),
      h("h2", null, h("code", null, call.name)),
      pairs(["result", h("span", { class: call.error ? "bad" : null }, call.error ? `${call.error}` : call.result || "–")],
            ["started", moment(call.start, 1)], ["took", duration(call.duration)],
            ["process", process && link(app, `process:${process.proc}`, `${process.title} (${process.pid ?? "?"})`)], ["thread", String(call.tid)]),
      call.notes.length > 0 && h("p", { class: "note" }, `${call.notes.join("; ")}.`),
      call.args.length > 0 && h("h3", null, "Arguments"),
      pairs(...call.args.map(([name, value, thing]): [string, Child] => [name, h("code", null, value, thing && h("span", { class: "thing" }, ` ${thing}`))])),
      h("div", { class: "actions" },
        jump(app, "Show in the timeline", { view: "timeline", range: { from: Math.max(call.start - around, 0), to: call.start + (call.duration ?? 0) + around } }),
        jump(app, "Calls like this", { view: "events", query: `name:${call.name}` })),
    ];
  }

  private process(process: Process): Child[] {
    const { app } = this;
    const table = app.tables.processes;
    const at = process.index;
    const ended = table.ended_ns[at] === null;
    const status = table.signal[at] ? text(table.signal[at]) : table.exit_status[at] === null ? "–" : text(table.exit_status[at]);
    return [
      h("p", { class: "eyebrow" }, `Process ${process.pid ?? "?"}`),
      h("h2", null, h("code", null, process.title)),
      process.argv.length > 0 && h("pre", { class: "argv" }, process.argv.slice(0, MOST_WORDS).map((word) => h("span", null, word, "\n")),
        process.argv.length > MOST_WORDS && many(process.argv.length - MOST_WORDS, "more word")),
      text(table.argv_state[at]) !== "whole" && h("p", { class: "note" }, `Arguments: ${text(table.argv_state[at])}.`),
      pairs(["executable", table.exe[at] ? h("code", null, text(table.exe[at])) : ""], ["interpreter", text(table.interp[at])],
            ["started by", process.parent ? link(app, `process:${process.parent.proc}`, `${process.parent.title} (${process.parent.pid ?? "?"})`) : text(table.ppid[at])],
            ["started", table.started_ns[at] === null ? "–" : moment(number(table.started_ns[at]))],
            ["lived", ended ? "to the end of the trace" : duration(table.lifetime_ns[at] as number | null)], ["ended with", h("span", { class: status !== "0" && status !== "–" ? "bad" : null }, status)],
            ["calls", count(process.calls)], ["CPU", duration(table.cpu_ns[at] as number | null)], ["peak memory", size(table.peak_rss_bytes[at] as number | null)],
            ["threads", text(table.threads[at])], ["user id", text(table.uid[at])], ["folder", text(table.cwd?.[at])]),
      process.children.length > 0 && h("h3", null, many(process.children.length, "child", "children")),
      process.children.length > 0 && h("ul", { class: "links" }, process.children.slice(0, 50).map((child) => h("li", null, link(app, `process:${child.proc}`, `${child.title} (${child.pid ?? "?"})`)))),
      h("div", { class: "actions" },
        jump(app, "Its calls", { view: "events", query: `pid:${process.pid ?? 0}` }),
        jump(app, "Show in the timeline", { view: "timeline", range: { from: process.started, to: Math.max(process.ended, process.started + 1000) } })),
    ];
  }

  private file(row: number): Child[] {
    const { app } = this;
    const table = app.tables.files;
    const get = (field: string) => number(table[field]?.[row]);
    const pids = table.pids[row] as number[];
    const marks = [table.created[row] && "created", table.deleted[row] && "deleted"].filter(Boolean).join(", ");
    return [
      h("p", { class: "eyebrow" }, text(table.kind[row])),
      h("h2", { class: "path" }, h("code", null, text(table.path[row]))),
      pairs(["read", `${size(get("read_bytes"))} in ${many(get("reads"), "call")}`], ["written", `${size(get("written_bytes"))} in ${many(get("writes"), "call")}`],
            ["opened", `${count(get("opens"))} times`], ["mapped", get("mapped_bytes") ? size(get("mapped_bytes")) : ""],
            ["errors", h("span", { class: get("errors") ? "bad" : null }, count(get("errors")))], ["time in calls", duration(get("time_ns"))],
            ["first used", table.first_ns[row] === null ? "" : moment(get("first_ns"))], ["last used", table.last_ns[row] === null ? "" : moment(get("last_ns"))],
            ["changed", marks], ["was", (table.was[row] as string[]).join(" → ")], ["mount namespace", get("namespace") ? text(get("namespace")) : ""]),
      pids.length > 0 && h("h3", null, "Used by"),
      h("ul", { class: "links" }, pids.map((pid) => {
        const process = app.processes.find((one) => one.pid === pid);
        return h("li", null, process ? link(app, `process:${process.proc}`, `${process.title} (${pid})`) : String(pid));
      })),
      h("div", { class: "actions" }, jump(app, "Calls that name it", { view: "events", query: `path:"${text(table.path[row]).split("/").pop() ?? ""}"` })),
    ];
  }

  private row(what: string, table: Table, row: number): Child[] {
    return [h("p", { class: "eyebrow" }, what), h("h2", null, h("code", null, text((table.name ?? table.remote)[row]) || text(table.remote?.[row]) || "–")),
            pairs(...Object.entries(table).map(([field, values]): [string, Child] => {
              const value = values[row];
              const name = field.replace(/_(ns|ms|bytes)$/, "").replaceAll("_", " ");
              if (value === null || value === "" || (Array.isArray(value) && !value.length)) return [name, ""];
              if (field.endsWith("_ns") && typeof value === "number") return [name, /^(at|opened|closed)_/.test(field) ? moment(value) : duration(value)];
              if (field.endsWith("_ms") && typeof value === "number") return [name, duration(value * 1e6)];
              if (field.endsWith("_bytes") && typeof value === "number") return [name, size(value)];
              return [name, Array.isArray(value) ? value.map(String).join(", ") : typeof value === "number" && field !== "pid" && field !== "fd" ? count(value) : String(value)];
            }))];
  }

  private async syscall(name: string): Promise<Child[] | null> {
    const { app } = this;
    const table = app.tables.syscalls;
    const row = table.name?.indexOf(name) ?? -1;
    if (row < 0) return null;
    const get = (field: string) => number(table[field][row]);
    await app.calls;
    const calls = await app.client.ask("slowest", { name, most: SLOWEST });
    const counts = app.tables.histograms[name];
    const filtered = app.store.state.query || app.store.state.range;
    return [
      h("p", { class: "eyebrow" }, "System call"), h("h2", null, h("code", null, name)),
      pairs(["calls", count(get("calls"))], ["errors", h("span", { class: get("errors") ? "bad" : null }, get("errors") ? `${count(get("errors"))} (${percent(get("errors"), get("calls"))})` : "0")],
            ["never returned", get("unfinished") ? count(get("unfinished")) : ""], ["time in all", duration(get("total_ns"))],
            ["median", duration(table.p50_ns[row] as number | null)], ["99 % within", duration(table.p99_ns[row] as number | null)], ["longest", duration(get("max_ns"))],
            ["bytes", get("bytes") ? size(get("bytes")) : ""]),
      counts && h("h3", null, "How long they took"),
      counts && h("div", { class: "scroll-x" }, histogram(counts, `How long calls of ${name} took`, duration)),
      calls.length > 0 && h("h3", null, filtered ? "Slowest of those found" : "Slowest"),
      h("ul", { class: "links calls" }, calls.map((call) => h("li", null, link(app, `call:${call.row}`, duration(call.duration)), h("code", null, call.args.map(([, value, thing]) => thing || value).join(", "))))),
      h("div", { class: "actions" }, jump(app, "All of them", { view: "events", query: `name:${name}` })),
    ];
  }
}

function within(table: Table, which: string): boolean {
  const row = Number(which);
  return Number.isInteger(row) && row >= 0 && row < rowsOf(table);
}
