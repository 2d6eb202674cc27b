/** Processes and threads as rows over time; zooms from the whole session to single calls. */

import { h, perFrame, replace, surface } from "../dom";
import { count, duration, moment, roundStep } from "../format";
import type { App, View } from "../model";
import { lanesOf, type Bar, type Lane } from "../timeline/lanes";
import { Columns, fill, paint, pixel, rowsWithin } from "../timeline/raster";
import type { Calls, Level, Range } from "../types";
import { swatch } from "../ui/bits";
import { tidy, whole } from "../ui/strip";
import { onTheme, palette, parts } from "../ui/theme";

const RULER = 26;
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
  private sampled = false; // not all calls of the session are in the drawing

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
    const { pen, width, height } = drawn;
    const colours = palette();
    const { range, gutter } = this;
    const room = width - gutter;
    const scroll = this.scroller.scrollTop;
    const shown = this.lanes.filter((lane) => lane.top + lane.height > scroll && lane.top < scroll + height - RULER);
    const x = (at: number): number => gutter + ((at - range.from) / (range.to - range.from)) * room;
    const y = (lane: Lane): number => RULER + lane.top - scroll;
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    this.ruler(pen, width, height, x);
    pen.save();
    pen.beginPath();
    pen.rect(gutter, RULER, room, height - RULER);
    pen.clip();
    for (const lane of shown) {
      if (!lane.process) continue;
      const [left, right] = [Math.max(x(lane.process.started), gutter), Math.min(x(lane.process.ended), width)];
      pen.fillStyle = colours.idle;
      if (right > left) pen.fillRect(left, y(lane) + 2, Math.max(right - left, 1.5), lane.height - 4);
    }
    pen.restore();
    this.drawCalls(pen, shown, scroll, room, gutter, height);
    pen.save();
    pen.beginPath();
    pen.rect(gutter, RULER, room, height - RULER);
    pen.clip();
    for (const lane of shown) {
      if (lane.bars.length) this.drawBars(pen, lane, y(lane), x, width);
      else if (lane.thread >= 0) this.drawNames(pen, lane, y(lane), x);
    }
    pen.restore();
    for (const lane of shown) this.drawLabel(pen, lane, y(lane), gutter);
    const told = `${duration(range.to - range.from)} from ${moment(range.from, (range.to - range.from) / 1000)}`;
    replace(this.summary, this.loaded ? told : "Reading the calls…", this.sampled && h("span", { class: "quiet-text" }, " · so close, only the calls that this file holds are drawn"));
  }

  private ruler(pen: CanvasRenderingContext2D, width: number, height: number, x: (at: number) => number): void {
    const { range, gutter } = this;
    const { line, muted } = palette();
    const step = roundStep(((range.to - range.from) / (width - gutter)) * 110);
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    for (let at = Math.ceil(range.from / step) * step; at <= range.to; at += step) {
      pen.fillStyle = line;
      pen.fillRect(Math.round(x(at)), RULER - 8, 1, height);
      pen.fillStyle = muted;
      if (x(at) + 60 < width) pen.fillText(at ? moment(at, step) : "0", Math.round(x(at)) + 5, RULER / 2 - 1);
    }
  }

  /** Calls are painted pixel by pixel: tens of thousands of rectangles would take longer than a frame lasts. */
  private drawCalls(pen: CanvasRenderingContext2D, lanes: Lane[], scroll: number, room: number, gutter: number, height: number): void {
    this.sampled = false;
    if (!this.loaded) return;
    const ratio = window.devicePixelRatio || 1;
    const [across, down] = [Math.round(room * ratio), Math.round((height - RULER) * ratio)];
    if (across < 1 || down < 1) return;
    const x = Math.round(gutter * ratio);
    const picture = pen.getImageData(x, Math.round(RULER * ratio), across, down);
    const columns = new Columns(across);
    const { classes, bad, line } = palette();
    const inks = Uint32Array.from([...classes, line, bad], (colour) => pixel(parts(colour)));
    for (const lane of lanes) {
      if (lane.thread < 0) continue;
      const whole = this.app.head.every === 1;
      if (fill(columns, lane.thread, this.range, this.loaded.calls, this.loaded.level, this.groups, this.mask, whole) && !whole) this.sampled = true;
      paint(picture, columns, Math.round((lane.top - scroll + 2) * ratio), Math.round((lane.height - 4) * ratio), inks);
    }
    pen.putImageData(picture, x, Math.round(RULER * ratio));
  }

  /** Names on calls that are wide enough, and a frame around the one that is selected. */
  private drawNames(pen: CanvasRenderingContext2D, lane: Lane, top: number, x: (at: number) => number): void {
    if (!this.loaded) return;
    const { calls } = this.loaded;
    const { kinds } = this.app.about;
    const { range } = this;
    const { surface: light, ink, classes } = palette();
    const { first, last } = rowsWithin(calls, lane.thread, range);
    const [what, which] = this.app.store.state.selected.split(":");
    const selected = what === "call" ? Number(which) : -1;
    if (selected >= 0 && calls.thread[selected] === lane.thread) {
      pen.strokeStyle = ink;
      pen.lineWidth = 2;
      const left = x(calls.start[selected]);
      pen.strokeRect(left - 1, top + 1, Math.max(x(calls.start[selected] + calls.duration[selected]) - left, 2) + 2, lane.height - 2);
    }
    if (last - first > 3000) return;
    for (let place = first; place < last; place++) {
      const row = calls.byThread[place];
      const left = Math.max(x(calls.start[row]), this.gutter);
      const right = x(calls.start[row] + calls.duration[row]);
      if (right - left < 2.5) continue;
      pen.fillStyle = light;
      pen.fillRect(right - 0.5, top + 2, 0.5, lane.height - 4);
      const name = kinds[calls.kind[row]].name;
      if (right - left < 7 * name.length + 8 || (this.mask && !this.mask[row])) continue;
      pen.fillStyle = readable(classes[this.groups[calls.kind[row]]]);
      pen.fillText(name, left + 4, top + lane.height / 2 + 0.5);
    }
  }

  private drawBars(pen: CanvasRenderingContext2D, lane: Lane, top: number, x: (at: number) => number, width: number): void {
    const { classes, bad } = palette();
    for (const bar of lane.bars) {
      const [left, right] = [Math.max(x(bar.from), this.gutter), Math.min(x(bar.to), width)];
      if (right < this.gutter || left > width) continue;
      if (bar.answered !== undefined) {
        this.drawExchange(pen, bar, left, right, top, lane.height, x);
        continue;
      }
      pen.fillStyle = bar.failed ? bad : classes[lane.group];
      pen.beginPath();
      pen.roundRect(left, top + 2, Math.max(right - left, 2), lane.height - 4, 2);
      pen.fill();
      if (right - left > 7 * bar.label.length + 8) {
        pen.fillStyle = readable(bar.failed ? bad : classes[lane.group]);
        pen.fillText(bar.label, left + 4, top + lane.height / 2 + 0.5);
      }
    }
  }

  /** Waiting is pale and has a frame, the answer is solid. */
  private drawExchange(pen: CanvasRenderingContext2D, bar: Bar, left: number, right: number, top: number, height: number, x: (at: number) => number): void {
    const { accent, classes, bad, ink, surface: light } = palette();
    const [y, tall] = [top + 2, height - 4];
    const wide = Math.max(right - left, 2);
    const middle = bar.answered == null ? right : Math.min(Math.max(x(bar.answered), left), right);
    const colour = bar.failed ? bad : bar.model ? accent : classes[2];
    pen.fillStyle = light;
    pen.fillRect(left, y, wide, tall);
    pen.globalAlpha = 0.28;
    pen.fillStyle = colour;
    pen.fillRect(left, y, wide, tall);
    pen.globalAlpha = 1;
    pen.fillRect(middle, y, Math.max(right - middle, wide > 2 ? 0 : 2), tall);
    pen.strokeStyle = colour;
    pen.lineWidth = this.app.store.state.selected === bar.selects ? 2.5 : 1;
    if (this.app.store.state.selected === bar.selects) pen.strokeStyle = ink;
    pen.strokeRect(left + 0.5, y + 0.5, Math.max(wide - 1, 1), tall - 1);
    const room = 7 * bar.label.length + 8;
    const inAnswer = right - middle > room;
    if (!inAnswer && middle - left < room) return;
    pen.fillStyle = inAnswer ? readable(colour) : ink;
    pen.fillText(bar.label, (inAnswer ? middle : left) + 4, top + height / 2 + 0.5);
  }

  private drawLabel(pen: CanvasRenderingContext2D, lane: Lane, top: number, gutter: number): void {
    const { ink, muted, paper } = palette();
    const left = 4 + Math.min(lane.depth, 8) * 10;
    const words = fitted(pen, lane.label, gutter ? gutter - left - 58 : 150);
    pen.textAlign = "left";
    if (!gutter && words) {
      pen.globalAlpha = 0.8;
      pen.fillStyle = paper;
      pen.fillRect(0, top + 2, pen.measureText(words).width + 8, lane.height - 4);
      pen.globalAlpha = 1;
    }
    pen.fillStyle = ink;
    pen.fillText(words, gutter ? left : 4, top + lane.height / 2 + 0.5);
    if (!gutter) return;
    pen.fillStyle = muted;
    pen.textAlign = "right";
    pen.fillText(lane.note, gutter - 8, top + lane.height / 2 + 0.5);
    pen.textAlign = "left";
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

/** As much of the words as fits. */
function fitted(pen: CanvasRenderingContext2D, words: string, width: number): string {
  if (pen.measureText(words).width <= width) return words;
  let kept = Math.min(words.length, Math.ceil(width / 4));
  while (kept > 1 && pen.measureText(`${words.slice(0, kept)}…`).width > width) kept--;
  return `${words.slice(0, kept)}…`;
}

/** Black or white, whichever can be read on this colour. */
function readable(colour: string): string {
  const [red, green, blue] = parts(colour);
  return red * 0.299 + green * 0.587 + blue * 0.114 > 140 ? "#14151a" : "#ffffff";
}
