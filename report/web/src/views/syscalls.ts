/** System calls: the kernel's exact totals, or the same sums over the calls that the search and the range leave. */

import { h, replace } from "../dom";
import { count, duration, many, number, percent, size, text } from "../format";
import { rowsOf, type App, type View } from "../model";
import { bar, swatch } from "../ui/bits";
import { DataTable } from "../ui/table";

interface Row {
  name: string;
  group: number;
  calls: number;
  errors: number;
  total: number | null;
  max: number | null;
  p50: number | null;
  p99: number | null;
  bytes: number | null;
}

type Key = "name" | "calls" | "errors" | "total" | "max" | "p50" | "p99" | "bytes";

export class SyscallsView implements View {
  readonly root: HTMLElement;
  private readonly table: DataTable<Row>;
  private readonly summary = h("p", { class: "summary" });
  private readonly groups: Map<string, number>;
  private sorted: { key: Key; descending: boolean } = { key: "total", descending: true };
  private rows: Row[] = [];
  private asked = 0;

  constructor(private readonly app: App) {
    this.groups = new Map(app.about.kinds.map((kind) => [kind.name, kind.class]));
    const time = (key: "total" | "max" | "p50" | "p99", title: string, hint: string, room?: "some" | "much") =>
      ({ key, title, hint, room, width: "5.5rem", sorts: true, cell: (row: Row) => duration(row[key]) });
    this.table = new DataTable<Row>({
      label: "System calls", key: ({ name }) => `syscall:${name}`, choose: ({ name }) => app.store.set({ selected: `syscall:${name}` }),
      empty: "No call fits the search and the range of time.",
      sort: (key, descending) => {
        this.sorted = { key: key as Key, descending };
        this.show();
      },
      columns: [
        { key: "name", title: "call", width: "minmax(10rem, 2fr)", left: true, sorts: true, cell: ({ name, group }) => h("span", { class: "tree-cell" }, swatch(group), h("code", null, name)) },
        { key: "calls", title: "calls", width: "6rem", sorts: true, cell: ({ calls }) => count(calls) },
        { key: "errors", title: "errors", width: "5rem", sorts: true, cell: ({ errors }) => (errors ? h("span", { class: "bad" }, count(errors)) : "–") },
        { key: "share", title: "", width: "minmax(4rem, 1.4fr)", left: true, room: "much", cell: (row) => bar((row.total ?? 0) / Math.max(...this.rows.map(({ total }) => total ?? 0), 1), `c${row.group}`) },
        time("total", "time", "Time in all calls together, waiting included"), time("p50", "median", "Half of the calls took no longer", "some"),
        time("p99", "p99", "99 of 100 calls took no longer", "some"), time("max", "longest", "The longest call", "some"),
        { key: "bytes", title: "bytes", width: "5.5rem", sorts: true, room: "much", cell: ({ bytes }) => (bytes ? size(bytes) : "–") },
      ],
    });
    this.table.markSort("total", true);
    this.root = h("section", { class: "view list", "aria-label": "System calls" }, this.summary, this.table.root);
  }

  update(found: boolean): void {
    const { query, range, selected } = this.app.store.state;
    this.table.mark(selected);
    if (!query && !range) {
      this.asked++;
      this.rows = this.counted();
      this.sum("counted by the kernel, exact");
    } else if (found || this.app.found >= 0) void this.summarized();
  }

  /** The kernel's own totals. */
  private counted(): Row[] {
    const { syscalls: table } = this.app.tables;
    return Array.from({ length: rowsOf(table) }, (_, row) => ({
      name: text(table.name[row]), group: this.groups.get(text(table.name[row])) ?? this.app.head.classes.length - 1, calls: number(table.calls[row]),
      errors: number(table.errors[row]), total: table.p50_ns[row] === null ? null : number(table.total_ns[row]),
      max: table.p50_ns[row] === null ? null : number(table.max_ns[row]), p50: table.p50_ns[row] as number | null, p99: table.p99_ns[row] as number | null,
      bytes: number(table.bytes[row]),
    }));
  }

  /** Sums over what has been found. */
  private async summarized(): Promise<void> {
    const asked = ++this.asked;
    const sums = await this.app.client.ask("summary", null);
    if (asked !== this.asked) return;
    const rows = new Map<string, Row & { histogram: number[] }>();
    for (const sum of sums) {
      const { name, class: group } = this.app.about.kinds[sum.kind];
      const row = rows.get(name);
      if (!row) {
        rows.set(name, { name, group, calls: sum.calls, errors: sum.errors, total: sum.total, max: sum.max, p50: null, p99: null, bytes: null, histogram: sum.histogram });
        continue;
      }
      row.calls += sum.calls;
      row.errors += sum.errors;
      row.total = (row.total ?? 0) + sum.total;
      row.max = Math.max(row.max ?? 0, sum.max);
      row.histogram = row.histogram.map((one, place) => one + sum.histogram[place]);
    }
    for (const row of rows.values()) [row.p50, row.p99] = [0.5, 0.99].map((share) => quantile(row.histogram, row.max ?? 0, share));
    this.rows = [...rows.values()];
    const { every } = this.app.head;
    this.sum(`summed up from ${every > 1 ? "the calls in this file" : "the recorded calls"} that the search and the range leave`);
  }

  private sum(how: string): void {
    const calls = this.rows.reduce((sum, row) => sum + row.calls, 0);
    const errors = this.rows.reduce((sum, row) => sum + row.errors, 0);
    replace(this.summary, `${many(calls, "call")}, ${errors ? `${count(errors)} failed (${percent(errors, calls)})` : "none failed"} `, h("span", { class: "quiet-text" }, `· ${how}`));
    this.show();
  }

  private show(): void {
    const { key, descending } = this.sorted;
    const sign = descending ? -1 : 1;
    this.rows.sort((one, other) => {
      const [left, right] = [one[key] ?? -1, other[key] ?? -1];
      return left < right ? -sign : left > right ? sign : other.calls - one.calls;
    });
    this.table.show({ length: this.rows.length, rows: (from, to) => this.rows.slice(from, to) });
  }
}

/** The latency that this share did not exceed; inside its power of two interpolated as report/syscalls.py does. */
function quantile(histogram: number[], max: number, share: number): number | null {
  const calls = histogram.reduce((sum, one) => sum + one, 0);
  if (!calls) return null;
  const rank = share * calls;
  let [bucket, before] = [0, 0];
  while (before + histogram[bucket] < rank) before += histogram[bucket++];
  const part = (rank - before) / histogram[bucket];
  const low = 2 ** (bucket + 6);
  if (!bucket) return Math.min(Math.round(2 * low * part), max);
  const high = bucket === histogram.length - 1 ? max : 2 * low;
  return Math.min(Math.round(low * (high / low) ** part), max);
}
