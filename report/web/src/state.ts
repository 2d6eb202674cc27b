/** What is looked at: one view in one form, one search, one range of time, one selection. All of it stands in the address, so that it can be handed on. */

import type { Range } from "./types";

export interface State {
  view: string;
  mode: string; // in which form the view shows itself; empty for the first one
  query: string;
  range: Range | null;
  selected: string; // "kind:what", as process:3, call:1234, file:17; empty if nothing is
}

type Listener = (state: Readonly<State>, changed: ReadonlySet<keyof State>) => void;

export class Store {
  private now: State;
  private readonly listeners: Listener[] = [];
  private writing = 0;

  constructor(private readonly views: () => string[]) {
    this.now = this.read();
    addEventListener("hashchange", () => this.set(this.read(), false));
  }

  get state(): Readonly<State> {
    return this.now;
  }

  listen(listener: Listener): void {
    this.listeners.push(listener);
  }

  /** Change some of it. A new view is a new entry in the browser's history; all else replaces the last one. */
  set(change: Partial<State>, write = true): void {
    const next = { ...this.now, ...change };
    if (next.view !== this.now.view && change.mode === undefined) next.mode = ""; // each view has its own
    const changed = new Set((Object.keys(next) as (keyof State)[]).filter((key) => !same(next[key], this.now[key])));
    if (!changed.size) return;
    const old = this.now;
    this.now = next;
    if (write) this.write(old.view !== next.view || old.mode !== next.mode);
    for (const listener of this.listeners) listener(this.now, changed);
  }

  /** The address of a state that differs so from this one. */
  link(change: Partial<State>): string {
    return address({ ...this.now, ...(change.view ? { mode: "" } : {}), ...change });
  }

  private read(): State {
    const [view, rest] = location.hash.replace(/^#\/?/, "").split("?");
    const given = new URLSearchParams(rest ?? "");
    const [from, to] = (given.get("t") ?? "").split("-").map(Number);
    const known = this.views();
    return {
      view: known.includes(view) ? view : known[0], mode: given.get("as") ?? "", query: given.get("q") ?? "", selected: given.get("sel") ?? "",
      range: Number.isFinite(from) && Number.isFinite(to) && from < to ? { from, to } : null,
    };
  }

  private write(push: boolean): void {
    // Browsers bound how often the address may change, and one that is dragged along changes with every frame
    clearTimeout(this.writing);
    if (push) history.pushState(null, "", address(this.now));
    else this.writing = setTimeout(() => history.replaceState(null, "", address(this.now)), 120);
  }
}

function address({ view, mode, query, range, selected }: State): string {
  const told = new URLSearchParams();
  if (mode) told.set("as", mode);
  if (query) told.set("q", query);
  if (range) told.set("t", `${Math.round(range.from)}-${Math.round(range.to)}`);
  if (selected) told.set("sel", selected);
  const words = told.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
  return `#${view}${words ? `?${words}` : ""}`;
}

function same(one: unknown, other: unknown): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
