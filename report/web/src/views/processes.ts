/** Processes as a tree with their lifetimes. */

import { h, replace } from "../dom";
import { count, duration, many, number, size, text } from "../format";
import { inRange, type App, type Process, type View } from "../model";
import { matcher } from "../query";
import { DataTable } from "../ui/table";

export class ProcessesView implements View {
  readonly root: HTMLElement;
  private readonly table: DataTable<Process>;
  private readonly summary = h("p", { class: "summary" });

  constructor(private readonly app: App) {
    const table = app.tables.processes;
    this.table = new DataTable<Process>({
      label: "Processes",
      key: (process) => `process:${process.proc}`,
      choose: (process) => app.store.set({ selected: `process:${process.proc}` }),
      empty: "No process fits the search and the range of time.",
      columns: [
        { key: "title", title: "process", width: "minmax(14rem, 3fr)", left: true, cell: (process) => this.title(process) },
        { key: "pid", title: "pid", width: "4.5rem", room: "some", cell: (process) => String(process.pid ?? "?") },
        { key: "life", title: "lifetime", width: "minmax(8rem, 2fr)", left: true, room: "much", cell: (process) => this.life(process) },
        { key: "lived", title: "lived", width: "5rem", cell: ({ index }) => duration(table.lifetime_ns[index] as number | null) },
        { key: "exit", title: "exit", width: "5rem", room: "some", cell: ({ index }) => this.exit(index) },
        { key: "calls", title: "calls", width: "5.5rem", cell: (process) => count(process.calls) },
        { key: "cpu", title: "CPU", width: "5rem", room: "much", cell: ({ index }) => duration(table.cpu_ns[index] as number | null) },
        { key: "peak", title: "peak", width: "5rem", room: "much", cell: ({ index }) => size(table.peak_rss_bytes[index] as number | null) },
        { key: "threads", title: "threads", width: "4.5rem", room: "much", cell: ({ index }) => text(table.threads[index]) },
      ],
    });
    this.root = h("section", { class: "view list", "aria-label": "Processes" }, this.summary, this.table.root);
  }

  update(): void {
    const { store, processes, tables } = this.app;
    const table = tables.processes;
    const holds = matcher(store.state.query, (row) => ({
      process: [text(table.title[row]), ...(table.argv[row] as string[]), text(table.comm[row])], pid: number(table.pid[row]),
      path: [text(table.exe[row]), text(table.cwd?.[row])], is: [table.exit_status[row] ? "failed" : "", table.signal[row] ? "killed" : ""],
    }));
    const shown = processes.filter((process) => inRange(this.app, table.started_ns[process.index] as number | null, table.ended_ns[process.index] as number | null)
      && holds(process.index));
    replace(this.summary, shown.length === processes.length ? many(processes.length, "process", "processes")
      : `${count(shown.length)} of ${many(processes.length, "process", "processes")}`);
    this.table.show({ length: shown.length, rows: (from, to) => shown.slice(from, to) });
    this.table.mark(store.state.selected);
  }

  private title(process: Process): HTMLElement {
    const indent = h("span", { class: "indent", "aria-hidden": "true" });
    indent.style.width = `${Math.min(process.depth, 16) * 1.1}rem`;
    const rest = process.argv.slice(1).join(" ");
    return h("span", { class: "tree-cell" }, indent, h("b", null, process.title),
      process.title.includes(rest) ? null : h("span", { class: "quiet-text" }, ` ${rest.slice(0, 300)}`));
  }

  private life(process: Process): HTMLElement {
    const span = this.app.end;
    const piece = h("span", { class: "life-piece" });
    piece.style.left = `${(process.started / span) * 100}%`;
    piece.style.width = `max(2px, ${((process.ended - process.started) / span) * 100}%)`;
    return h("span", { class: "life", "aria-hidden": "true" }, piece);
  }

  private exit(row: number): HTMLElement | string {
    const { signal, exit_status: status } = this.app.tables.processes;
    if (signal[row]) return h("span", { class: "bad" }, text(signal[row]));
    return status[row] === null ? "–" : h("span", { class: status[row] ? "bad" : null }, text(status[row]));
  }
}
