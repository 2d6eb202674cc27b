/** The session as the views see it: tables with their rows linked to each other, and the calls once they are there. */

import { number, text } from "./format";
import type { Client } from "./client";
import type { Exchanges } from "./http/exchanges";
import type { Store } from "./state";
import type { About, Calls, Head, Level, Table, Tables } from "./types";

export interface Process {
  index: number;
  proc: number;
  pid: number | null;
  parent: Process | null;
  children: Process[];
  depth: number;
  title: string;
  argv: string[];
  started: number; // 0 at the least
  ended: number; // the end of the session if it was not seen to end
  calls: number;
  threads: number[]; // indices
}

/** What every view is given. */
export interface App {
  head: Head;
  tables: Tables;
  about: About;
  processes: Process[]; // in the order of the tree
  byProc: Map<number, Process>;
  client: Client;
  store: Store;
  /** Resolves when the calls are there. */
  calls: Promise<{ calls: Calls; level: Level }>;
  /** How many calls the search and the range leave; -1 while that is not known. */
  found: number;
  /** Which of them, by row; null where there is nothing to search for. */
  mask: Uint8Array | null;
  exchanges: Exchanges;
  /** Resolves when the worker has what was said over HTTP. */
  spoken: Promise<null>;
  /** For plain words of the search, the exchanges that have them anywhere in what was said. */
  heard: ReadonlyMap<string, Uint8Array>;
  /** The end of the session. */
  end: number;
}

export interface View {
  readonly root: HTMLElement;
  /** Called when the view is shown, or when what it shows has changed; `found` says that the worker has filtered anew. */
  update(found: boolean): void;
}

export function rowsOf(table: Table): number {
  return Object.values(table)[0]?.length ?? 0;
}

/** Processes as a tree, in the order in which it is drawn. */
export function processesOf(tables: Tables, about: About, end: number): Process[] {
  const table = tables.processes;
  const all: Process[] = [];
  for (let index = 0; index < rowsOf(table); index++) {
    all.push({
      index, proc: number(table.proc[index]), pid: table.pid[index] as number | null, parent: null, children: [], depth: 0, title: text(table.title[index]),
      argv: table.argv[index] as string[], started: Math.max(number(table.started_ns[index]), 0),
      ended: table.ended_ns[index] === null ? end : number(table.ended_ns[index]), calls: number(table.calls[index]), threads: [],
    });
  }
  const byProc = new Map(all.map((process) => [process.proc, process]));
  about.threads.proc.forEach((proc, thread) => byProc.get(proc)?.threads.push(thread));
  const roots: Process[] = [];
  for (const process of all) {
    const parent = byProc.get(number(table.parent[process.index]));
    // A forged session may say that a process is its own ancestor; births come in the order of time in a true one
    if (parent && parent.index < process.index) {
      process.parent = parent;
      parent.children.push(process);
    } else roots.push(process);
  }
  const ordered: Process[] = [];
  const waiting = roots.reverse();
  for (let process = waiting.pop(); process; process = waiting.pop()) {
    process.depth = process.parent ? process.parent.depth + 1 : 0;
    ordered.push(process);
    waiting.push(...process.children.slice().reverse());
  }
  return ordered;
}

/** Whether something that lasted from one moment to another touches the range. */
export function inRange(app: App, from: number | null, to: number | null): boolean {
  const { range } = app.store.state;
  return !range || ((from ?? -Infinity) <= range.to && (to ?? Infinity) >= range.from);
}
