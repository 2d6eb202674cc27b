/** Charts and figures of the first view; its sentences, ledger and costs stand in the page already. They do not wait for the calls. */

import { byId, h, perFrame, replace, surface } from "../dom";
import { count, duration, many, moment, percent, roundStep } from "../format";
import type { Head } from "../types";
import type { Store } from "../state";
import { bar, swatch } from "../ui/bits";
import { told } from "../ui/strip";
import { onTheme, palette } from "../ui/theme";

const TICK = 110; // pixels between times, at the least

export function overview(head: Head, store: Store): HTMLElement {
  fact("fact-calls", count(head.all_calls), "system calls", store.link({ view: "syscalls" }));
  fact("fact-errors", count(head.all_errors), "failed", store.link({ view: "events", query: "error:*" }));
  fact("fact-processes", count(head.rows.processes), head.rows.processes === 1 ? "process" : "processes", store.link({ view: "processes" }));
  fact("fact-files", count(head.rows.files), head.rows.files === 1 ? "file" : "files", store.link({ view: "files" }));
  replace(byId("activity"), head.calls ? activity(head, store) : null);
  replace(byId("longest"), head.longest.length ? longest(head, store) : null);
  return byId("overview");
}

function fact(id: string, figure: string, what: string, address: string): void {
  replace(byId(id), h("a", { href: address }, h("b", null, figure), ` ${what}`));
}

/** Calls over time, stacked by class. */
function activity(head: Head, store: Store): HTMLElement {
  const canvas = h("canvas", { class: "activity", role: "img", "aria-label": `Calls over ${duration(head.span_ns)} by class: ${told(head)}` });
  const sums = head.classes.map((_, group) => head.chart[group].reduce((sum, one) => sum + one, 0));
  const note = h("span", { class: "note-inline" });
  const width = head.span_ns / head.chart[0].length;
  const draw = perFrame(() => {
    const drawn = surface(canvas);
    if (!drawn) return;
    const { pen, width: across, height } = drawn;
    const { classes: colours, line, muted, bad } = palette();
    const tall = height - 20;
    const columns = head.chart[0].length;
    const totals = head.chart[0].map((_, place) => head.classes.reduce((sum, _class, group) => sum + head.chart[group][place], 0));
    const most = Math.max(...totals, 1);
    const step = across / columns;
    pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    pen.fillStyle = line;
    pen.fillRect(0, tall, across, 1);
    for (let place = 0; place < columns; place++) {
      let at = tall;
      for (let group = 0; group < head.classes.length; group++) {
        const part = (head.chart[group][place] / most) * (tall - 6);
        if (!part) continue;
        pen.fillStyle = colours[group];
        pen.fillRect(place * step, at - part, Math.max(step - 0.8, 0.7), part);
        at -= part;
      }
      if (head.chart[head.classes.length][place]) {
        pen.fillStyle = bad;
        pen.fillRect(place * step, tall + 2, Math.max(step - 0.8, 1), 2);
      }
    }
    pen.fillStyle = muted;
    const apart = roundStep((head.span_ns / across) * TICK);
    for (let at = 0; at < head.span_ns; at += apart) {
      const left = (at / head.span_ns) * across;
      if (left + TICK / 3 < across) pen.fillText(moment(at, apart), left, height - 3);
    }
  });
  canvas.addEventListener("pointermove", (event) => {
    const place = Math.min(Math.max(Math.floor((event.offsetX / canvas.clientWidth) * head.chart[0].length), 0), head.chart[0].length - 1);
    const here = head.classes.map((name, group) => [name, head.chart[group][place]] as const).filter(([, calls]) => calls).sort((one, other) => other[1] - one[1]);
    note.textContent = `${moment(place * width, width)}: ${here.map(([name, calls]) => `${name} ${count(calls)}`).join(", ") || "nothing"}`;
  });
  canvas.addEventListener("pointerleave", () => (note.textContent = ""));
  canvas.addEventListener("click", (event) => {
    const middle = (event.offsetX / canvas.clientWidth) * head.span_ns;
    store.set({ view: "timeline", range: { from: Math.max(middle - head.span_ns / 40, 0), to: Math.min(middle + head.span_ns / 40, head.span_ns) } });
  });
  onTheme(draw);
  new ResizeObserver(draw).observe(canvas);
  const key = h("ul", { class: "key" }, head.classes.map((name, group) => sums[group] > 0 && h("li", { title: many(sums[group], "call") }, swatch(group), name)),
    head.all_errors > 0 && h("li", null, h("span", { class: "swatch error", "aria-hidden": "true" }), "failed"));
  return h("figure", { class: "chart" }, h("figcaption", null, h("h2", null, "Calls over time"), note), canvas, key);
}

/** Where the time went. */
function longest(head: Head, store: Store): HTMLElement {
  const all = head.all_total_ns;
  const timed = head.longest.some(({ total_ns }) => total_ns);
  const most = Math.max(...head.longest.map(({ total_ns, calls }) => (timed ? total_ns : calls)), 1);
  const rows = head.longest.map(({ name, total_ns, calls }) => h("li", null,
    h("a", { href: store.link({ view: "syscalls", selected: `syscall:${name}` }) }, h("code", null, name)),
    bar((timed ? total_ns : calls) / most),
    h("span", { class: "figure" }, timed ? duration(total_ns) : count(calls)),
    h("span", { class: "figure quiet-text" }, timed ? percent(total_ns, all) : "")));
  return h("figure", { class: "chart" }, h("figcaption", null, h("h2", null, timed ? "Time spent in calls" : "Calls made"),
    h("span", { class: "note-inline" }, timed ? "of all threads, waiting included" : "")), h("ol", { class: "bars" }, rows));
}
