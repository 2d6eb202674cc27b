/** The page: what is in it is put together here, in the order in which a reader needs it. */

import { Client } from "./client";
import { byId, h, replace } from "./dom";
import { embedded, inflateText } from "./embedded";
import { count } from "./format";
import { Exchanges } from "./http/exchanges";
import { processesOf, type App, type View } from "./model";
import { wordsOf } from "./query";
import { Store } from "./state";
import type { About, Head, Tables } from "./types";
import { Details } from "./ui/details";
import { help } from "./ui/help";
import { Strip } from "./ui/strip";
import { toggleTheme } from "./ui/theme";
import { EventsView } from "./views/events";
import { FilesView } from "./views/files";
import { HttpView } from "./views/http";
import { NetworkView } from "./views/network";
import { overview } from "./views/overview";
import { ProcessesView } from "./views/processes";
import { SyscallsView } from "./views/syscalls";
import { TimelineView } from "./views/timeline";

const TABS: [string, string, (head: Head) => boolean][] = [
  ["overview", "Overview", () => true],
  ["timeline", "Timeline", ({ held, rows }) => held + rows.http > 0],
  ["http", "LLM and HTTP", ({ rows, coverage }) => rows.http + coverage.connections > 0],
  ["processes", "Processes", ({ rows }) => rows.processes > 0],
  ["files", "Files", ({ rows }) => rows.files + rows.searches > 0],
  ["network", "Network", ({ rows }) => rows.connections + rows.dns > 0],
  ["syscalls", "Syscalls", ({ rows }) => rows.syscalls > 0],
  ["events", "Events", ({ held }) => held > 0],
];
const MAKERS: Record<string, (app: App) => View> = {
  timeline: (app) => new TimelineView(app), processes: (app) => new ProcessesView(app), files: (app) => new FilesView(app),
  http: (app) => new HttpView(app), network: (app) => new NetworkView(app), syscalls: (app) => new SyscallsView(app), events: (app) => new EventsView(app),
};
const PATIENCE = 60; // ms that a range of time must stay as it is before calls are searched for it

const head = JSON.parse(embedded("head")) as Head;
const tabs = TABS.filter(([, , there]) => there(head));
if (!head.rows.llm) tabs.forEach((tab) => tab[0] === "http" && (tab[1] = "HTTP"));
const store = new Store(() => tabs.map(([name]) => name));
const main = byId("main");
const search = byId<HTMLInputElement>("search");
const views = new Map<string, View>();
const firstView = overview(head, store);
new Strip(byId("strip"), head, store);
navigation();
controls();
show(null);
start().catch((error: unknown) => {
  main.prepend(h("p", { class: "note bad" }, `Only this summary can be shown here. ${"DecompressionStream" in window ? String(error) : "This browser is too old for the rest."}`));
});

/** Everything that needs more than the head. */
async function start(): Promise<void> {
  const client = new Client();
  const about = JSON.parse(await inflateText(embedded("about"))) as About;
  await parsed();
  const calls = client.ask("load", { columns: embedded("columns"), texts: embedded("texts"), levels: embedded("levels"), about, classes: head.classes });
  const tables = JSON.parse(await inflateText(embedded("tables"))) as Tables;
  const processes = processesOf(tables, about, head.span_ns);
  const byProc = new Map(processes.map((process) => [process.proc, process]));
  const exchanges = new Exchanges(tables.http, tables.llm);
  const spoken = calls.then(() => client.ask("spoken", { about: embedded("spoken"), bodies: embedded("bodies"), rows: exchanges.ofCall }));
  const app: App = { head, tables, about, processes, byProc, client, store, calls, exchanges, spoken, found: -1, mask: null, heard: new Map(), end: head.span_ns };
  const details = new Details(app);
  let asked = 0;
  let waiting = 0;

  const filter = async (): Promise<void> => {
    const number = ++asked;
    const { query, range } = store.state;
    await calls;
    const found = await client.ask("filter", { query, range });
    if (number !== asked) return;
    app.found = found.rows;
    app.mask = found.mask;
    document.documentElement.dataset.searched = found.took.toFixed(1);
    show(app, true);
    void listen(query, number);
    if (query) byId("announce").textContent = `${count(found.rows)} calls found`;
  };

  /** Look for words in what was said: bodies are many, and calls do not wait for them. */
  const listen = async (query: string, number: number): Promise<void> => {
    const words = exchanges.rows ? wordsOf(query) : [];
    if (!words.length) return;
    await spoken;
    const began = performance.now();
    const hits = await client.ask("find", { words });
    if (number !== asked) return;
    app.heard = new Map(words.map((word, place) => [word, hits[place]]));
    document.documentElement.dataset.heard = (performance.now() - began).toFixed(1);
    show(app, true);
  };

  store.listen((_, changed) => {
    show(app);
    if (changed.has("selected")) void details.update();
    if (!changed.has("query") && !changed.has("range")) return;
    clearTimeout(waiting);
    if (changed.has("query")) void filter();
    else waiting = setTimeout(() => void filter(), PATIENCE);
  });
  show(app);
  void details.update();
  await filter();
  document.documentElement.dataset.ready = performance.now().toFixed();
}

/** Resolves when all of the file has been read. */
function parsed(): Promise<void> {
  if (document.readyState !== "loading") return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("DOMContentLoaded", () => resolve(), { once: true }));
}

/** Show the view that the address names; until there is an `app`, only the first one can be. */
function show(app: App | null, found = false): void {
  const { view: name, query } = store.state;
  for (const [tab] of tabs) byId(`tab-${tab}`).setAttribute("aria-current", tab === name ? "page" : "false");
  if (document.activeElement !== search) search.value = query;
  document.body.dataset.view = name;
  document.title = `${name === "overview" ? "" : `${tabs.find(([tab]) => tab === name)?.[1]} · `}${head.title.slice(0, 120)} · ebtrace`;
  if (name === "overview" || !app) {
    if (!firstView.isConnected) replace(main, firstView);
    firstView.hidden = name !== "overview";
    return;
  }
  let view = views.get(name);
  const fresh = !view;
  if (!view) views.set(name, (view = MAKERS[name](app)));
  const moved = !view.root.isConnected;
  if (moved) replace(main, view.root);
  view.update(found || fresh || moved);
}

function navigation(): void {
  replace(byId("tabs"), tabs.map(([name, title]) => {
    const figure = { http: head.rows.http, processes: head.rows.processes, files: head.rows.files, network: head.rows.connections + head.rows.dns, syscalls: head.rows.syscalls, events: head.held }[name];
    return h("a", { id: `tab-${name}`, href: `#${name}`, onclick: (event: MouseEvent) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      store.set({ view: name });
    } }, title, figure !== undefined && h("span", { class: "figure" }, figure > 9999 ? short(figure) : count(figure)));
  }));
}

function short(figure: number): string {
  return figure >= 1e6 ? `${(figure / 1e6).toFixed(figure < 1e7 ? 1 : 0)}M` : `${Math.round(figure / 1e3)}k`;
}

function controls(): void {
  const { open } = help(head);
  byId("theme").addEventListener("click", toggleTheme);
  byId("help").addEventListener("click", open);
  byId("honest").addEventListener("click", (event) => {
    event.preventDefault();
    store.set({ view: tabs[0][0] });
    byId("ledger-title").scrollIntoView({ block: "center" });
  });
  search.addEventListener("input", () => store.set({ query: search.value.trim(), ...(store.state.view === "overview" && search.value.trim() && head.held ? { view: "events" } : {}) }));
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    search.value = "";
    store.set({ query: "" });
    search.blur();
  });
  addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "?") open();
    else if (event.key === "Escape" && store.state.selected) store.set({ selected: "" });
    else if (/^[1-9]$/.test(event.key) && tabs[Number(event.key) - 1]) store.set({ view: tabs[Number(event.key) - 1][0] });
  });
}
