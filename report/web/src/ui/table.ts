/** A table of any length: only the rows in sight are elements. Its columns sort; its rows are chosen with the mouse or the keyboard. */

import { h, perFrame, replace, type Child } from "../dom";

export interface Column<Row> {
  key: string;
  title: string;
  width: string; // a track of a CSS grid
  cell: (row: Row) => Child;
  left?: boolean;
  sorts?: boolean;
  room?: "some" | "much"; // left out where there is less
  hint?: string;
}

export interface Source<Row> {
  length: number;
  rows: (from: number, to: number) => Row[] | Promise<Row[]>;
}

interface Options<Row> {
  label: string;
  columns: Column<Row>[];
  key: (row: Row) => string;
  choose?: (row: Row) => void;
  sort?: (key: string, descending: boolean) => void;
  empty?: string;
}

const ROW = 30; // pixels, as in the style
const TALLEST = 8_000_000; // pixels: browsers do not lay out what is much taller
const SPARE = 6;

export class DataTable<Row> {
  readonly root: HTMLElement;
  private readonly body: HTMLElement;
  private readonly sheet: HTMLElement;
  private readonly header: HTMLElement;
  private readonly canvas: HTMLElement;
  private source: Source<Row> = { length: 0, rows: () => [] };
  private top = 0; // pixels from the first row, were all rows laid out
  private drawn = 0;
  private active = -1;
  private chosen = "";
  private sorted: { key: string; descending: boolean } | null = null;
  private readonly draw = perFrame(() => void this.render());
  private expected = -1; // scrollTop that this table has set itself

  constructor(private readonly options: Options<Row>) {
    this.header = h("div", { class: "table-head", role: "row" });
    this.sheet = h("div", { class: "table-sheet", role: "rowgroup" });
    this.canvas = h("div", { class: "table-canvas" }, this.sheet);
    this.body = h("div", { class: "table-body", tabindex: "0", role: "table", "aria-label": options.label }, this.header, this.canvas);
    this.root = h("div", { class: "table" }, this.body);
    const tracks = (...rooms: (string | undefined)[]): string => options.columns.filter(({ room }) => rooms.includes(room)).map(({ width }) => width).join(" ");
    this.root.style.setProperty("--tracks-much", tracks(undefined, "some", "much"));
    this.root.style.setProperty("--tracks-some", tracks(undefined, "some"));
    this.root.style.setProperty("--tracks-little", tracks(undefined).replace(/minmax\([^,]+,/g, "minmax(0,"));
    this.body.addEventListener("scroll", () => this.scrolled());
    this.body.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    this.body.addEventListener("keydown", (event) => this.pressed(event));
    new ResizeObserver(this.draw).observe(this.body);
    this.titles();
  }

  /** Show other rows. `from`: the first one in sight; without it the place is kept. */
  show(source: Source<Row>, from?: number): void {
    this.source = source;
    this.canvas.style.height = `${Math.min(source.length * ROW, TALLEST)}px`;
    if (from !== undefined) this.scrollTo(from);
    this.top = Math.max(Math.min(this.top, source.length * ROW - this.room), 0);
    this.body.setAttribute("aria-rowcount", String(source.length));
    void this.render();
  }

  /** Mark the row with this key. */
  mark(key: string): void {
    this.chosen = key;
    this.draw();
  }

  /** Mark the title of the column by which rows are sorted. */
  markSort(key: string, descending: boolean): void {
    this.sorted = { key, descending };
    this.titles();
  }

  /** Bring a row into the middle of what is in sight. */
  scrollTo(row: number): void {
    this.top = Math.max(Math.min(row * ROW - this.room / 2, this.source.length * ROW - this.room), 0);
    this.settle();
    this.draw();
  }

  private get room(): number {
    return Math.max(this.body.clientHeight - this.header.offsetHeight, ROW);
  }

  /** Scrolled pixels for one pixel of rows: less than 1 where the rows together would be too tall. */
  private get scale(): number {
    const whole = this.source.length * ROW;
    return whole <= TALLEST ? 1 : (TALLEST - this.room) / (whole - this.room);
  }

  private settle(): void {
    this.expected = Math.round(this.top * this.scale);
    this.body.scrollTop = this.expected;
  }

  private scrolled(): void {
    const { scrollTop } = this.body;
    if (Math.abs(scrollTop - this.expected) > 1 || this.scale === 1) this.top = scrollTop / this.scale;
    this.expected = scrollTop;
    this.draw();
  }

  private wheeled(event: WheelEvent): void {
    if (this.scale === 1 || event.ctrlKey) return;
    event.preventDefault(); // else one turn of the wheel would pass hundreds of rows
    this.move(event.deltaMode ? event.deltaY * ROW : event.deltaY);
  }

  private move(pixels: number): void {
    this.top = Math.max(Math.min(this.top + pixels, this.source.length * ROW - this.room), 0);
    this.settle();
    this.draw();
  }

  private pressed(event: KeyboardEvent): void {
    const page = Math.floor(this.room / ROW) - 1;
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      const start = this.active >= 0 ? this.active : Math.floor(this.top / ROW) - 1;
      this.active = Math.max(Math.min(start + steps[event.key], this.source.length - 1), 0);
      if (this.active * ROW < this.top) this.top = this.active * ROW;
      if ((this.active + 1) * ROW > this.top + this.room) this.top = (this.active + 1) * ROW - this.room;
      this.settle();
      this.draw();
    } else if (event.key === "Enter" && this.active >= 0) {
      event.preventDefault();
      void Promise.resolve(this.source.rows(this.active, this.active + 1)).then(([row]) => row && this.options.choose?.(row));
    }
  }

  private async render(): Promise<void> {
    const number = ++this.drawn;
    const first = Math.max(Math.floor(this.top / ROW) - SPARE, 0);
    const last = Math.min(Math.ceil((this.top + this.room) / ROW) + SPARE, this.source.length);
    let rows = this.source.rows(first, last);
    if (rows instanceof Promise) rows = await rows;
    if (number !== this.drawn) return; // something newer has been asked for meanwhile
    const scrolled = this.body.scrollTop;
    this.sheet.style.transform = `translateY(${first * ROW - this.top + scrolled}px)`;
    if (!rows.length) replace(this.sheet, h("p", { class: "empty" }, this.source.length ? "…" : (this.options.empty ?? "Nothing here.")));
    else replace(this.sheet, rows.map((row, place) => this.line(row, first + place)));
  }

  private line(row: Row, place: number): HTMLElement {
    const { columns, choose, key } = this.options;
    const marked = key(row) === this.chosen;
    const cells = columns.map((column) => {
      const content = column.cell(row);
      const title = typeof content === "string" && content.length > 24 ? content : null;
      return h("div", { class: kindOf(column), role: "cell", title }, content);
    });
    return h("div", {
      class: `row${marked ? " marked" : ""}${place === this.active ? " active" : ""}`, role: "row", "aria-rowindex": place + 1,
      "aria-selected": marked ? "true" : null,
      onclick: choose && (() => {
        this.active = place;
        choose(row);
      }),
    }, cells);
  }

  private titles(): void {
    replace(this.header, this.options.columns.map((column) => {
      const now = this.sorted?.key === column.key ? (this.sorted.descending ? "descending" : "ascending") : null;
      const mark = now ? h("span", { class: "arrow", "aria-hidden": "true" }, now === "descending" ? "↓" : "↑") : null;
      const title = column.sorts && this.options.sort
        ? h("button", { type: "button", title: column.hint ?? `Sort by ${column.title}`, onclick: () => this.resort(column.key) }, column.title, mark)
        : h("span", { title: column.hint }, column.title);
      return h("div", { class: kindOf(column), role: "columnheader", "aria-sort": now }, title);
    }));
  }

  private resort(key: string): void {
    const descending = this.sorted?.key === key ? !this.sorted.descending : true;
    this.markSort(key, descending);
    this.options.sort?.(key, descending);
  }
}

function kindOf({ left, room }: { left?: boolean; room?: string }): string {
  return `cell${left ? " left" : ""}${room ? ` room-${room}` : ""}`;
}
