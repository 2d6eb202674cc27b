/** Processes and threads as rows over time; zooms from the whole session to single calls. */

import { h, perFrame, replace, surface } from "../dom";
import { count, duration, moment } from "../format";
import type { App, View } from "../model";
import { lanesOf, type Bar, type Lane } from "../timeline/lanes";
import { Picture, RULER } from "../timeline/picture";
import { rowsWithin } from "../timeline/raster";
import type { Calls, Level, Range } from "../types";
import { swatch } from "../ui/bits";
import { tidy, whole } from "../ui/strip";
import { onTheme } from "../ui/theme";

const LABELS = 208;
const ZOOM = 1.0018; // for each pixel of the wheel
const NARROW = 640;

export class TimelineView implements View {
  readonly root: HTMLElement;
  private readonly canvas = h("canvas", { class: "timeline-canvas", "data-read": "yes", tabindex: "0", role: "application", "aria-label":
    "Timeline of processes and their calls. Plus and minus zoom, the left and right arrows move, comma and period go from call to call." });
  private readonly scroller: HTMLElement;
  private readonly space = h("div", { class: "timeline-space" });
  private readonly tip = h("div", { class: "tip", hidden: true });
  private readonly summary = h("p", { class: "summary" });
  private readonly redraw = perFrame(() => this.draw());
  private readonly groups: Uint8Array;
  private lanes: Lane[] = [];
  private loaded: { calls: Calls; level: Level } | null = null;
  private drag: { x: number; y: number; range: Range; moved: boolean } | null = null;
  private mask: Uint8Array | null = null;

  constructor(private readonly app: App) {
    this.groups = Uint8Array.from(app.about.kinds, (kind) => kind.class);
    this.scroller = h("div", { class: "timeline" }, this.space, this.canvas, this.tip);
    const button = (name: string, label: string, act: () => void) => h("button", { type: "button", class: "quiet", "aria-label": label, title: label, onclick: act }, name);
    const used = new Set(app.about.kinds.map((kind) => kind.class));
    this.root = h("section", { class: "view timeline-view", "aria-label": "Timeline" },
      h("div", { class: "line" }, h("div", { class: "buttons" }, button("−", "Zoom out", () => this.zoom(2)), button("+", "Zoom in", () => this.zoom(0.5)),
        button("Fit", "Show all time", () => app.store.set({ range: null }))), this.summary,
        h("ul", { class: "key" }, app.head.classes.map((name, group) => used.has(group) && h("li", null, swatch(group), name)),
          app.exchanges.rows > 0 && ["wait", "stream"].map((kind) => h("li", null, h("span", { class: `swatch phase ${kind}`, "aria-hidden": "true" }), kind === "wait" ? "waiting for an answer" : "answer streams in")))),
      this.scroller);
    this.scroller.addEventListener("scroll", this.redraw);
    this.canvas.addEventListener("wheel", (event) => this.wheeled(event), { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.grasp(event));
    this.canvas.addEventListener("pointermove", (event) => this.moved(event));
    this.canvas.addEventListener("pointerup", (event) => this.release(event));
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.canvas.addEventListener("keydown", (event) => this.pressed(event));
    new ResizeObserver(this.redraw).observe(this.scroller);
    onTheme(this.redraw);
    void app.calls.then((loaded) => {
      this.loaded = loaded;
      this.redraw();
    });
    this.lay();
  }

  update(found: boolean): void {
    if (found) {
      this.mask = this.app.mask;
      this.lay();
    }
    this.redraw();
  }

  private get range(): Range {
    return this.app.store.state.range ?? { from: 0, to: this.app.end };
  }

  private get gutter(): number {
    return this.canvas.clientWidth < NARROW ? 0 : LABELS;
  }

  private lay(): void {
    const { threadFrom, byThread } = this.loaded?.calls ?? {};
    const has = (thread: number): boolean => {
      if (!this.mask || !threadFrom || !byThread) return true;
      if (thread < 0) return false;
      for (let place = threadFrom[thread]; place < threadFrom[thread + 1]; place++) if (this.mask[byThread[place]]) return true;
      return false;
    };
    const { lanes, height } = lanesOf(this.app, has);
    this.lanes = lanes;
    this.space.style.height = `${height + RULER}px`;
  }

  private draw(): void {
    const drawn = surface(this.canvas);
    if (!drawn) return;
    const { range, gutter, app, loaded, groups, mask } = this;
    const scroll = this.scroller.scrollTop;
    const lanes = this.lanes.filter((lane) => lane.top + lane.height > scroll && lane.top < scroll + drawn.height - RULER);
    const sampled = new Picture({ ...drawn, app, range, gutter, scroll, loaded, groups, mask, lanes }).draw();
    const told = `${duration(range.to - range.from)} from ${moment(range.from, (range.to - range.from) / 1000)}`;
    replace(this.summary, loaded ? told : "Reading the calls…", sampled && h("span", { class: "quiet-text" }, " · so close, only the calls that this file holds are drawn"));
  }

  /** What is under the pointer. */
  private at(event: PointerEvent): { lane: Lane; row: number; bar: Bar | null; moment: number } | null {
    const { range, gutter } = this;
    const lane = this.lanes.find(({ top, height }) => {
      const y = event.offsetY - RULER + this.scroller.scrollTop;
      return y >= top && y < top + height;
    });
    if (!lane || event.offsetY < RULER) return null;
    const scale = (range.to - range.from) / (this.canvas.clientWidth - gutter);
    const here = range.from + (event.offsetX - gutter) * scale;
    if (event.offsetX < gutter) return { lane, row: -1, bar: null, moment: here };
    const slack = 2 * scale;
    const bar = lane.bars.findLast(({ from, to }) => here >= from - slack && here <= to + slack) ?? null;
    let row = -1;
    if (lane.thread >= 0 && this.loaded) {
      const { calls } = this.loaded;
      const { first, last } = rowsWithin(calls, lane.thread, { from: here - slack, to: here + slack });
      let nearest = slack;
      for (let place = first; place < last; place++) {
        const one = calls.byThread[place];
        const away = Math.max(calls.start[one] - here, here - calls.start[one] - calls.duration[one], 0);
        if (away <= nearest && (!this.mask || this.mask[one])) [nearest, row] = [away, one];
      }
    }
    return { lane, row, bar, moment: here };
  }

  private moved(event: PointerEvent): void {
    if (this.drag) {
      const room = this.canvas.clientWidth - this.gutter;
      const away = ((event.clientX - this.drag.x) / room) * (this.drag.range.to - this.drag.range.from);
      if (Math.abs(event.clientX - this.drag.x) + Math.abs(event.clientY - this.drag.y) > 3) this.drag.moved = true;
      if (this.drag.moved) {
        this.tip.hidden = true;
        this.look({ from: this.drag.range.from - away, to: this.drag.range.to - away });
        return;
      }
    }
    const found = this.at(event);
    const words = found && this.describe(found);
    this.tip.hidden = !words;
    if (!words) return;
    replace(this.tip, ...words);
    const left = Math.min(event.offsetX + 14, this.canvas.clientWidth - this.tip.offsetWidth - 8);
    this.tip.style.transform = `translate(${Math.max(left, 4)}px, ${event.offsetY + 18 + this.scroller.scrollTop}px)`;
  }

  private describe({ lane, row, bar }: { lane: Lane; row: number; bar: Bar | null }): (Node | string)[] | null {
    if (bar?.answered != null) {
      return [h("b", null, bar.label), h("br"), `waited ${duration(bar.answered - bar.from)}, then ${duration(bar.to - bar.answered)} of answer`, bar.failed ? h("span", { class: "bad" }, " failed") : ""];
    }
    if (bar) return [h("b", null, bar.label), ` ${duration(bar.to - bar.from)}`];
    if (row >= 0 && this.loaded) {
      const { calls } = this.loaded;
      const kind = this.app.about.kinds[calls.kind[row]];
      return [h("b", null, kind.name), ` ${duration(calls.duration[row])}`, calls.failed[row] ? h("span", { class: "bad" }, " failed") : "",
              h("br"), h("span", { class: "quiet-text" }, `${moment(calls.start[row], 1e3)} · ${lane.process?.title ?? ""}`)];
    }
    return lane.process ? [h("b", null, lane.process.title), h("br"), h("span", { class: "quiet-text" }, `${count(lane.process.calls)} calls`)] : null;
  }

  private grasp(event: PointerEvent): void {
    if (event.button) return;
    this.drag = { x: event.clientX, y: event.clientY, range: this.range, moved: false };
    this.canvas.setPointerCapture(event.pointerId);
  }

  private release(event: PointerEvent): void {
    const { drag } = this;
    this.drag = null;
    if (!drag || drag.moved) return;
    const found = this.at(event);
    if (found?.bar) this.app.store.set({ selected: found.bar.selects });
    else if (found && found.row >= 0) this.app.store.set({ selected: `call:${found.row}` });
    else if (found?.lane.process) this.app.store.set({ selected: `process:${found.lane.process.proc}` });
  }

  private wheeled(event: WheelEvent): void {
    const across = event.shiftKey ? event.deltaY : event.deltaX;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const room = this.canvas.clientWidth - this.gutter;
      this.zoom(ZOOM ** (event.deltaY * (event.deltaMode ? 16 : 1)), Math.min(Math.max((event.offsetX - this.gutter) / room, 0), 1));
    } else if (across) {
      event.preventDefault();
      this.pan(across / (this.canvas.clientWidth - this.gutter));
    }
  }

  private pressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts: Record<string, () => void> = {
      "+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), w: () => this.zoom(0.7), s: () => this.zoom(1.4),
      ArrowLeft: () => this.pan(-0.15), ArrowRight: () => this.pan(0.15), a: () => this.pan(-0.15), d: () => this.pan(0.15),
      ArrowUp: () => this.scroller.scrollBy({ top: -72 }), ArrowDown: () => this.scroller.scrollBy({ top: 72 }), "0": () => this.app.store.set({ range: null }),
      ",": () => this.step(-1), ".": () => this.step(1),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Select the call before or after the selected one, on its thread. */
  private step(by: number): void {
    if (!this.loaded) return;
    const { calls } = this.loaded;
    const [what, which] = this.app.store.state.selected.split(":");
    let next = -1;
    if (what === "call") {
      const row = Number(which);
      const { first, last } = rowsWithin(calls, calls.thread[row], { from: calls.start[row], to: calls.start[row] });
      const place = calls.byThread.subarray(first, last).indexOf(row) + first + by;
      if (place >= calls.threadFrom[calls.thread[row]] && place < calls.threadFrom[calls.thread[row] + 1]) next = calls.byThread[place];
    } else {
      const lane = this.lanes.find(({ thread }) => thread >= 0);
      if (lane) next = calls.byThread[rowsWithin(calls, lane.thread, this.range).first];
    }
    if (next < 0) return;
    this.app.store.set({ selected: `call:${next}` });
    const { range } = this;
    const middle = calls.start[next];
    if (middle < range.from || middle > range.to) this.look({ from: middle - (range.to - range.from) / 2, to: middle + (range.to - range.from) / 2 });
  }

  private zoom(factor: number, about = 0.5): void {
    const { from, to } = this.range;
    const fixed = from + (to - from) * about;
    const length = Math.min((to - from) * factor, this.app.end);
    this.look({ from: fixed - length * about, to: fixed + length * (1 - about) });
  }

  private pan(share: number): void {
    const { from, to } = this.range;
    this.look({ from: from + (to - from) * share, to: to + (to - from) * share });
  }

  private look(range: Range): void {
    const next = tidy(range, this.app.end);
    this.app.store.set({ range: whole(next, this.app.end) ? null : next });
  }
}
