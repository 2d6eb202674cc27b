/** The rows of the timeline: look-ups and connections, then processes with their threads and what they said over HTTP, in the order of the tree. */

import { number, text } from "../format";
import { rowsOf, type App, type Process } from "../model";

export interface Bar {
  from: number;
  to: number;
  label: string;
  selects: string;
  failed: boolean;
  /** When the answer began, for what is waited for first; null where it never did. */
  answered?: number | null;
  model?: boolean; // a call of an LLM
}

export interface Lane {
  top: number;
  height: number;
  depth: number;
  label: string;
  note: string;
  process: Process | null;
  thread: number; // -1: none
  bars: Bar[];
  group: number; // the class whose colour the bars have
}

const TALL = 24;
const LOW = 18;
const GAP = 8;
const MOST_ROWS = 6; // of bars that overlap

/** All lanes; `keep` says which threads are to be shown. */
export function lanesOf(app: App, keep: (thread: number) => boolean): { lanes: Lane[]; height: number } {
  const lanes: Lane[] = [];
  let top = 4;
  const add = (lane: Partial<Lane>, height: number): void => {
    lanes.push({ depth: 0, label: "", note: "", process: null, thread: -1, bars: [], group: 2, ...lane, top, height });
    top += height;
  };
  for (const [label, bars] of [["Names looked up", lookUps(app)], ["Connections", connections(app)]] as const) {
    stacked(bars).forEach((row, place) => add({ label: place ? "" : label, bars: row }, LOW));
    if (bars.length) top += GAP;
  }
  const said = exchangesByProcess(app);
  const addSaid = (proc: number, depth: number): void => {
    const bars = said.get(proc) ?? [];
    const label = bars.some(({ model }) => model) ? "LLM and HTTP" : "HTTP";
    stacked(bars).forEach((row, place) => add({ label: place ? "" : label, depth, bars: row }, LOW));
  };
  for (const process of app.processes) {
    const threads = process.threads.filter(keep);
    if (!threads.length && !said.has(process.proc) && (process.threads.length || !keep(-1))) continue;
    if (!threads.length) add({ process, depth: process.depth, label: process.title, note: String(process.pid ?? "") }, TALL);
    threads.forEach((thread, place) => {
      const tid = app.about.threads.tid[thread];
      add(place ? { process, thread, depth: process.depth + 1, note: `thread ${tid}` }
        : { process, thread, depth: process.depth, label: process.title, note: String(process.pid ?? tid) }, place ? LOW : TALL);
      if (!place) addSaid(process.proc, process.depth + 1);
    });
    if (!threads.length) addSaid(process.proc, process.depth + 1);
  }
  for (const proc of said.keys()) if (!app.byProc.has(proc)) addSaid(proc, 0);
  app.about.threads.proc.forEach((proc, thread) => {
    if (!app.byProc.has(proc) && keep(thread)) add({ thread, label: "unknown process", note: `thread ${app.about.threads.tid[thread]}` }, TALL);
  });
  return { lanes, height: top + 8 };
}

function lookUps(app: App): Bar[] {
  const { dns: table } = app.tables;
  return Array.from({ length: rowsOf(table) }, (_, row) => ({
    from: number(table.at_ns[row]), to: number(table.at_ns[row]) + number(table.latency_ns[row]), label: `${text(table.name[row])} ${text(table.type[row])}`,
    selects: `lookup:${row}`, failed: table.status[row] !== "ok",
  }));
}

function connections(app: App): Bar[] {
  const { connections: table } = app.tables;
  return Array.from({ length: rowsOf(table) }, (_, row) => ({
    from: number(table.opened_ns[row]), to: table.closed_ns[row] === null ? app.end : number(table.closed_ns[row]),
    label: text(table.name[row]) || text(table.remote[row]), selects: `connection:${row}`, failed: false,
  }));
}

/** What each process said over HTTP, as far as the search leaves it. */
function exchangesByProcess(app: App): Map<number, Bar[]> {
  const { exchanges } = app;
  const { table, llm } = exchanges;
  const fits = exchanges.holding(app);
  const found = new Map<number, Bar[]>();
  for (let row = 0; row < exchanges.rows; row++) {
    if (!fits(row)) continue;
    const call = exchanges.call(row);
    const first = call >= 0 ? (llm.first_token_ns[call] ?? table.first_byte_ns[row]) : table.first_byte_ns[row];
    const proc = number(table.proc[row]);
    if (!found.has(proc)) found.set(proc, []);
    found.get(proc)?.push({
      from: exchanges.from(row), to: exchanges.to(app, row), selects: `exchange:${text(table.number[row])}`, failed: exchanges.isFailed(row), answered: first === null ? null : number(first),
      label: call >= 0 ? text(llm.response_model[call]) || text(llm.model[call]) : `${text(table.method[row])} ${text(table.url[row]).replace(/^[a-z]+:\/\//, "")}`, model: call >= 0,
    });
  }
  return found;
}

/** Bars in as few rows as they need; what needs more than there are shares the last one. */
function stacked(bars: Bar[]): Bar[][] {
  const rows: Bar[][] = [];
  const ends: number[] = [];
  for (const bar of bars.sort((one, other) => one.from - other.from)) {
    let row = ends.findIndex((end) => end <= bar.from);
    if (row < 0) row = Math.min(rows.length, MOST_ROWS - 1);
    (rows[row] ??= []).push(bar);
    ends[row] = Math.max(ends[row] ?? 0, bar.to);
  }
  return rows;
}
