/** The rows of the timeline: look-ups and connections, then processes with their threads in the order of the tree. */

import { number, text } from "../format";
import { rowsOf, type App, type Process } from "../model";

export interface Bar {
  from: number;
  to: number;
  label: string;
  selects: string;
  failed: boolean;
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
  for (const process of app.processes) {
    const threads = process.threads.filter(keep);
    if (!threads.length && (process.threads.length || !keep(-1))) continue;
    if (!threads.length) add({ process, depth: process.depth, label: process.title, note: String(process.pid ?? "") }, TALL);
    threads.forEach((thread, place) => {
      const tid = app.about.threads.tid[thread];
      add(place ? { process, thread, depth: process.depth + 1, note: `thread ${tid}` }
        : { process, thread, depth: process.depth, label: process.title, note: String(process.pid ?? tid) }, place ? LOW : TALL);
    });
  }
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
