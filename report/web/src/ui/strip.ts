/** The strip under the tabs: calls over the whole session, and the range of time that all views look at. */

import { h, perFrame, replace, surface } from "../dom";
import { count, duration, moment } from "../format";
import type { Head, Range } from "../types";
import type { Store } from "../state";
import { onTheme, palette } from "./theme";

const GRIP = 7; // pixels on either side of a border where that can be taken hold of
const LEAST = 100; // ns

export class Strip {
  private readonly canvas = h("canvas", { class: "strip-canvas", tabindex: "0", role: "slider", "aria-label": "Range of time", "aria-valuemin": "0" });
  private readonly label = h("span", { class: "strip-label" });
  private readonly clear = h("button", { type: "button", class: "quiet", onclick: () => this.store.set({ range: null }) }, "All time");
  private held: { side: "from" | "to" | "both" | "new"; at: number; range: Range } | null = null;
  private readonly redraw = perFrame(() => this.draw());

  constructor(root: HTMLElement, private readonly head: Head, private readonly store: Store) {
    replace(root, h("div", { class: "strip-chart" }, this.canvas), h("div", { class: "strip-side" }, this.label, this.clear));
    this.canvas.addEventListener("pointerdown", (event) => this.grasp(event));
    this.canvas.addEventListener("pointermove", (event) => this.drag(event));
    this.canvas.addEventListener("pointerup", () => this.release());
    this.canvas.addEventListener("pointercancel", () => this.release());
    this.canvas.addEventListener("dblclick", () => store.set({ range: null }));
    this.canvas.addEventListener("keydown", (event) => this.pressed(event));
    store.listen((_, changed) => changed.has("range") && this.redraw());
    onTheme(this.redraw);
    new ResizeObserver(this.redraw).observe(this.canvas);
  }

  private draw(): void {
    const { range } = this.store.state;
    const span = this.head.span_ns;
    this.label.textContent = range ? `${moment(range.from, (range.to - range.from) / 100)} + ${duration(range.to - range.from)}` : duration(span);
    this.clear.hidden = !range;
    this.canvas.setAttribute("aria-valuemax", String(Math.round(span / 1e3)));
    this.canvas.setAttribute("aria-valuenow", String(Math.round((range?.from ?? 0) / 1e3)));
    this.canvas.setAttribute("aria-valuetext", range ? `from ${moment(range.from)} to ${moment(range.to)}` : `all of ${duration(span)}`);
    const drawn = surface(this.canvas);
    if (!drawn) return;
    const { pen, width, height } = drawn;
    const colours = palette();
    const classes = this.head.chart.slice(0, -1);
    const sums = classes[0].map((_, place) => classes.reduce((sum, row) => sum + row[place], 0));
    const most = Math.max(...sums, 1);
    const step = width / sums.length;
    sums.forEach((sum, place) => {
      if (!sum) return;
      const tall = Math.max(Math.sqrt(sum / most) * (height - 8), 1.5);
      const inside = !range || (((place + 1) * span) / sums.length > range.from && (place * span) / sums.length < range.to);
      pen.fillStyle = inside ? colours.accentSoft : colours.line;
      pen.fillRect(place * step, height - tall, Math.max(step - 0.6, 0.6), tall);
    });
    if (!range) return;
    const [left, right] = [(range.from / span) * width, Math.max((range.to / span) * width, (range.from / span) * width + 2)];
    pen.fillStyle = colours.wash;
    pen.fillRect(0, 0, left, height);
    pen.fillRect(right, 0, width - right, height);
    pen.fillStyle = colours.accent;
    pen.fillRect(left - 1, 0, 2, height);
    pen.fillRect(right - 1, 0, 2, height);
    pen.fillRect(left, height - 2, right - left, 2);
  }

  private at(event: PointerEvent): number {
    const { left, width } = this.canvas.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - left) / width, 0), 1) * this.head.span_ns;
  }

  private grasp(event: PointerEvent): void {
    if (event.button) return;
    const at = this.at(event);
    const { range } = this.store.state;
    const grip = (GRIP / this.canvas.clientWidth) * this.head.span_ns;
    const side = !range ? "new" : Math.abs(at - range.from) < grip ? "from" : Math.abs(at - range.to) < grip ? "to"
      : at > range.from && at < range.to ? "both" : "new";
    this.held = { side, at, range: range ?? { from: at, to: at } };
    this.canvas.setPointerCapture(event.pointerId);
  }

  private drag(event: PointerEvent): void {
    const at = this.at(event);
    if (!this.held) return;
    const { side, range, at: began } = this.held;
    const moved = at - began;
    if (side === "new" && Math.abs(moved) < this.head.span_ns * (3 / this.canvas.clientWidth)) return;
    this.store.set({ range: tidy(side === "new" ? { from: Math.min(began, at), to: Math.max(began, at) }
      : side === "both" ? { from: range.from + moved, to: range.to + moved }
      : side === "from" ? { from: at, to: range.to } : { from: range.from, to: at }, this.head.span_ns) });
  }

  private release(): void {
    this.held = null;
  }

  private pressed(event: KeyboardEvent): void {
    const span = this.head.span_ns;
    const range = this.store.state.range ?? { from: 0, to: span };
    const [step, middle] = [(range.to - range.from) / 8, (range.from + range.to) / 2];
    const changes: Record<string, Range> = {
      ArrowLeft: { from: range.from - step, to: range.to - step }, ArrowRight: { from: range.from + step, to: range.to + step },
      "+": { from: middle - 2 * step, to: middle + 2 * step }, "=": { from: middle - 2 * step, to: middle + 2 * step },
      "-": { from: middle - 8 * step, to: middle + 8 * step },
    };
    const next = changes[event.key];
    if (!next) return;
    event.preventDefault();
    this.store.set({ range: whole(next, span) ? null : tidy(next, span) });
  }
}

/** The range inside the session, the right way round, and not too short. */
export function tidy(range: Range, span: number): Range {
  const length = Math.min(Math.max(Math.abs(range.to - range.from), LEAST), span);
  const from = Math.min(Math.max(Math.min(range.from, range.to), 0), span - length);
  return { from, to: from + length };
}

export function whole(range: Range, span: number): boolean {
  return range.from <= 0 && range.to >= span;
}

/** The calls of a chart in words, for those who do not see it. */
export function told(head: Head): string {
  return head.classes.map((name, place) => [name, head.chart[place].reduce((sum, one) => sum + one, 0)] as const)
    .filter(([, calls]) => calls).map(([name, calls]) => `${name} ${count(calls)}`).join(", ");
}
