/** Every call, in the order of start or of length. The worker holds them; the table asks it for the rows in sight. */

import { h, replace } from "../dom";
import { count, duration, many, moment } from "../format";
import type { App, View } from "../model";
import type { Call } from "../types";
import { swatch } from "../ui/bits";
import { DataTable } from "../ui/table";

export class EventsView implements View {
  readonly root: HTMLElement;
  private readonly table: DataTable<Call>;
  private readonly summary = h("p", { class: "summary" });
  private sorted: { by: "start" | "duration"; descending: boolean } = { by: "start", descending: false };

  constructor(private readonly app: App) {
    const step = app.end / 1e6;
    this.table = new DataTable<Call>({
      label: "Calls", key: ({ row }) => `call:${row}`, choose: ({ row }) => app.store.set({ selected: `call:${row}` }),
      empty: "No call fits the search and the range of time.",
      sort: (key, descending) => {
        this.sorted = { by: key as "start" | "duration", descending };
        void this.show();
      },
      columns: [
        { key: "start", title: "start", width: "7rem", sorts: true, room: "some", cell: (call) => moment(call.start, Math.min(step, 1e3)) },
        { key: "process", title: "process", width: "minmax(7rem, 1.2fr)", left: true, room: "much", cell: (call) => this.process(call) },
        { key: "name", title: "call", width: "minmax(7.5rem, .8fr)", left: true, cell: (call) => h("span", { class: "tree-cell" }, swatch(app.about.kinds[call.kind].class), h("code", null, call.name)) },
        { key: "args", title: "arguments", width: "minmax(6rem, 4fr)", left: true, cell: (call) => h("span", { class: "args" }, call.args.map(([name, value, thing], place) =>
          [place ? ", " : "", h("span", { class: "quiet-text" }, `${name} `), h("code", null, value.length > 300 ? `${value.slice(0, 300)}…` : value),
           thing && h("span", { class: "thing" }, ` ${thing}`)]).flat()) },
        { key: "result", title: "result", width: "8.5rem", room: "some", cell: (call) => (call.error ? h("span", { class: "bad" }, call.error) : call.notes.includes("never returned") ? h("span", { class: "quiet-text" }, "never returned") : call.result) },
        { key: "duration", title: "took", width: "5.5rem", sorts: true, cell: (call) => duration(call.duration) },
      ],
    });
    this.table.markSort("start", false);
    this.root = h("section", { class: "view list events", "aria-label": "Events" }, this.summary, this.table.root);
  }

  update(found: boolean): void {
    const { head, found: left, store } = this.app;
    this.table.mark(store.state.selected);
    if (left < 0) {
      replace(this.summary, "Reading the calls…");
      return;
    }
    const sample = head.every > 1 ? h("span", { class: "quiet-text" }, ` · this file holds ${count(head.held)} of ${count(head.calls)} calls one by one`) : null;
    replace(this.summary, left === head.held ? many(left, "call") : `${count(left)} of ${many(head.held, "call")}`, sample);
    if (found) void this.show();
  }

  private async show(): Promise<void> {
    const { client, store } = this.app;
    if (this.sorted.by !== "start" || this.sorted.descending) await client.ask("sort", this.sorted);
    else await client.ask("sort", { by: "start", descending: false });
    const [what, row] = store.state.selected.split(":");
    const place = what === "call" ? await client.ask("place", { row: Number(row) }) : -1;
    this.table.show({ length: this.app.found, rows: (from, to) => client.ask("rows", { from, to }) }, place >= 0 ? place : 0);
  }

  private process(call: Call): HTMLElement {
    const process = this.app.byProc.get(this.app.about.threads.proc[call.thread]);
    return h("span", { class: "tree-cell" }, h("span", { class: "clip" }, process?.title ?? "?"), h("span", { class: "quiet-text" }, ` ${call.tid}`));
  }
}
