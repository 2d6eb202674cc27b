/** A view that is one table of the session: rows that the search and the range leave, sorted as asked. */

import { h, replace, type Child } from "../dom";
import { count } from "../format";
import { rowsOf, type App, type View } from "../model";
import { matcher } from "../query";
import type { Table } from "../types";
import { DataTable, type Column } from "../ui/table";

export interface ListColumn extends Column<number> {
  /** What the column is sorted by; a column of the table of the same name unless given. */
  by?: (row: number) => number | string;
}

interface Options {
  name: string;
  what: [one: string, more: string];
  table: Table;
  columns: ListColumn[];
  sort: { key: string; descending: boolean };
  fields?: (row: number) => Record<string, string | number | string[]>;
  within?: (row: number) => boolean;
  /** In the place of both: which rows the search and the range leave. */
  fits?: () => (row: number) => boolean;
  selects: (row: number) => string;
  empty: string;
  note?: () => Child;
}

export class ListView implements View {
  readonly root: HTMLElement;
  private readonly table: DataTable<number>;
  readonly summary = h("p", { class: "summary" });
  private rows: number[] = [];
  private sorted: { key: string; descending: boolean };

  constructor(private readonly app: App, private readonly options: Options) {
    this.sorted = options.sort;
    this.table = new DataTable<number>({
      label: options.name, columns: options.columns.map((column) => ({ sorts: true, ...column })), key: options.selects, empty: options.empty,
      choose: (row) => app.store.set({ selected: options.selects(row) }),
      sort: (key, descending) => {
        this.sorted = { key, descending };
        this.show(0);
      },
    });
    this.table.markSort(options.sort.key, options.sort.descending);
    this.root = h("section", { class: "view list", "aria-label": options.name }, this.summary, this.table.root);
  }

  update(): void {
    const { query, selected } = this.app.store.state;
    const { fields = () => ({}), within = () => true } = this.options;
    const holds = matcher(query, fields);
    const fits = this.options.fits?.() ?? ((row: number) => within(row) && holds(row));
    const all = rowsOf(this.options.table);
    this.rows = Array.from({ length: all }, (_, row) => row).filter(fits);
    const [one, more] = this.options.what;
    replace(this.summary, this.rows.length === all ? `${count(all)} ${all === 1 ? one : more}` : `${count(this.rows.length)} of ${count(all)} ${more}`,
      this.options.note?.());
    this.show();
    this.table.mark(selected);
  }

  private show(from?: number): void {
    const column = this.options.columns.find(({ key }) => key === this.sorted.key);
    const values = this.options.table[this.sorted.key];
    const value = column?.by ?? ((row: number) => (values?.[row] ?? -Infinity) as number | string);
    const sign = this.sorted.descending ? -1 : 1;
    const keys = new Map(this.rows.map((row) => [row, value(row)]));
    this.rows.sort((one, other) => {
      const [left, right] = [keys.get(one) ?? 0, keys.get(other) ?? 0];
      return left < right ? -sign : left > right ? sign : one - other;
    });
    this.table.show({ length: this.rows.length, rows: (first, last) => this.rows.slice(first, last) }, from);
  }
}
