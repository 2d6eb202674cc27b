/** Draws the lanes of the timeline that can be seen. */

import { moment, roundStep } from "../format";
import type { App } from "../model";
import type { Calls, Level, Range } from "../types";
import { palette, parts } from "../ui/theme";
import type { Bar, Lane } from "./lanes";
import { Columns, fill, paint, pixel, rowsWithin } from "./raster";

export const RULER = 26;

/** What is drawn, and where: pixels of the page, of which the left `gutter` is for names. */
export interface Scene {
  pen: CanvasRenderingContext2D;
  width: number;
  height: number;
  gutter: number;
  scroll: number;
  lanes: Lane[];
  range: Range;
  app: App;
  loaded: { calls: Calls; level: Level } | null;
  groups: Uint8Array;
  mask: Uint8Array | null;
}

export class Picture {
  private readonly room: number;

  constructor(private readonly scene: Scene) {
    this.room = scene.width - scene.gutter;
  }

  /** Whether calls of the session are missing in it. */
  draw(): boolean {
    const { pen, lanes } = this.scene;
    pen.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    this.ruler();
    this.within(() => lanes.forEach((lane) => this.life(lane)));
    const sampled = this.calls();
    this.within(() => {
      for (const lane of lanes) {
        if (lane.bars.length) this.bars(lane, this.y(lane));
        else if (lane.thread >= 0) this.names(lane, this.y(lane));
      }
    });
    for (const lane of lanes) this.label(lane, this.y(lane));
    return sampled;
  }

  private x(at: number): number {
    const { gutter, range } = this.scene;
    return gutter + ((at - range.from) / (range.to - range.from)) * this.room;
  }

  private y(lane: Lane): number {
    return RULER + lane.top - this.scene.scroll;
  }

  /** Nothing of this reaches over the names or the ruler. */
  private within(draw: () => void): void {
    const { pen, gutter, height } = this.scene;
    pen.save();
    pen.beginPath();
    pen.rect(gutter, RULER, this.room, height - RULER);
    pen.clip();
    draw();
    pen.restore();
  }

  private life(lane: Lane): void {
    if (!lane.process) return;
    const { pen, gutter, width } = this.scene;
    const [left, right] = [Math.max(this.x(lane.process.started), gutter), Math.min(this.x(lane.process.ended), width)];
    pen.fillStyle = palette().idle;
    if (right > left) pen.fillRect(left, this.y(lane) + 2, Math.max(right - left, 1.5), lane.height - 4);
  }

  private ruler(): void {
    const { pen, width, height, range, gutter } = this.scene;
    const { line, muted } = palette();
    const step = roundStep(((range.to - range.from) / (width - gutter)) * 110);
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    for (let at = Math.ceil(range.from / step) * step; at <= range.to; at += step) {
      pen.fillStyle = line;
      pen.fillRect(Math.round(this.x(at)), RULER - 8, 1, height);
      pen.fillStyle = muted;
      if (this.x(at) + 60 < width) pen.fillText(at ? moment(at, step) : "0", Math.round(this.x(at)) + 5, RULER / 2 - 1);
    }
  }

  /** Calls are painted pixel by pixel: tens of thousands of rectangles would take longer than a frame lasts. */
  private calls(): boolean {
    const { pen, height, gutter, scroll, lanes, range, loaded, groups, mask, app } = this.scene;
    if (!loaded) return false;
    const ratio = window.devicePixelRatio || 1;
    const [across, down] = [Math.round(this.room * ratio), Math.round((height - RULER) * ratio)];
    if (across < 1 || down < 1) return false;
    const x = Math.round(gutter * ratio);
    const picture = pen.getImageData(x, Math.round(RULER * ratio), across, down);
    const columns = new Columns(across);
    const { classes, bad, line } = palette();
    const inks = Uint32Array.from([...classes, line, bad], (colour) => pixel(parts(colour)));
    const whole = app.head.every === 1;
    let sampled = false;
    for (const lane of lanes) {
      if (lane.thread < 0) continue;
      if (fill(columns, lane.thread, range, loaded.calls, loaded.level, groups, mask, whole) && !whole) sampled = true;
      paint(picture, columns, Math.round((lane.top - scroll + 2) * ratio), Math.round((lane.height - 4) * ratio), inks);
    }
    pen.putImageData(picture, x, Math.round(RULER * ratio));
    return sampled;
  }

  /** Names on calls that are wide enough, and a frame around the one that is selected. */
  private names(lane: Lane, top: number): void {
    const { pen, app, loaded, range, mask, groups, gutter } = this.scene;
    if (!loaded) return;
    const { calls } = loaded;
    const { kinds } = app.about;
    const { surface: light, ink, classes } = palette();
    const { first, last } = rowsWithin(calls, lane.thread, range);
    const [what, which] = app.store.state.selected.split(":");
    const selected = what === "call" ? Number(which) : -1;
    if (selected >= 0 && calls.thread[selected] === lane.thread) {
      pen.strokeStyle = ink;
      pen.lineWidth = 2;
      const left = this.x(calls.start[selected]);
      pen.strokeRect(left - 1, top + 1, Math.max(this.x(calls.start[selected] + calls.duration[selected]) - left, 2) + 2, lane.height - 2);
    }
    if (last - first > 3000) return;
    for (let place = first; place < last; place++) {
      const row = calls.byThread[place];
      const left = Math.max(this.x(calls.start[row]), gutter);
      const right = this.x(calls.start[row] + calls.duration[row]);
      if (right - left < 2.5) continue;
      pen.fillStyle = light;
      pen.fillRect(right - 0.5, top + 2, 0.5, lane.height - 4);
      const name = kinds[calls.kind[row]].name;
      if (right - left < 7 * name.length + 8 || (mask && !mask[row])) continue;
      pen.fillStyle = readable(classes[groups[calls.kind[row]]]);
      pen.fillText(name, left + 4, top + lane.height / 2 + 0.5);
    }
  }

  private bars(lane: Lane, top: number): void {
    const { pen, gutter, width } = this.scene;
    const { classes, bad } = palette();
    for (const [place, bar] of lane.bars.entries()) {
      const [left, right] = [Math.max(this.x(bar.from), gutter), Math.min(this.x(bar.to), width)];
      if (right < gutter || left > width) continue;
      if (bar.answered !== undefined) {
        this.exchange(bar, left, right, top, lane.height);
        continue;
      }
      pen.fillStyle = bar.failed ? bad : classes[lane.group];
      pen.beginPath();
      pen.roundRect(left, top + 2, Math.max(right - left, 2), lane.height - 4, 2);
      pen.fill();
      const next = lane.bars[place + 1]; // lies over this one, where there are more than rows for them
      if (Math.min(right, next ? this.x(next.from) : right) - left > 7 * bar.label.length + 8) {
        pen.fillStyle = readable(bar.failed ? bad : classes[lane.group]);
        pen.fillText(bar.label, left + 4, top + lane.height / 2 + 0.5);
      }
    }
  }

  /** Waiting is pale and has a frame, the answer is solid. */
  private exchange(bar: Bar, left: number, right: number, top: number, height: number): void {
    const { pen, app } = this.scene;
    const selected = app.store.state.selected === bar.selects;
    const { accent, classes, bad, ink, surface: light } = palette();
    const [y, tall] = [top + 2, height - 4];
    const wide = Math.max(right - left, 2);
    const middle = bar.answered == null ? right : Math.min(Math.max(this.x(bar.answered), left), right);
    const colour = bar.failed ? bad : bar.model ? accent : classes[2];
    pen.fillStyle = light;
    pen.fillRect(left, y, wide, tall);
    pen.globalAlpha = 0.28;
    pen.fillStyle = colour;
    pen.fillRect(left, y, wide, tall);
    pen.globalAlpha = 1;
    pen.fillRect(middle, y, Math.max(right - middle, wide > 2 ? 0 : 2), tall);
    pen.strokeStyle = colour;
    pen.lineWidth = selected ? 2.5 : 1;
    if (selected) pen.strokeStyle = ink;
    pen.strokeRect(left + 0.5, y + 0.5, Math.max(wide - 1, 1), tall - 1);
    const room = 7 * bar.label.length + 8;
    const inAnswer = right - middle > room;
    if (!inAnswer && middle - left < room) return;
    pen.fillStyle = inAnswer ? readable(colour) : ink;
    pen.fillText(bar.label, (inAnswer ? middle : left) + 4, top + height / 2 + 0.5);
  }

  private label(lane: Lane, top: number): void {
    const { pen, gutter } = this.scene;
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
