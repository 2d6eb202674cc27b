/** Small parts that several views use. */

import { h, s, type Child } from "../dom";

/** A bar whose length tells a share. */
export function bar(share: number, kind = ""): HTMLElement {
  const fill = h("span", { class: "fill" });
  fill.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  return h("span", { class: `bar ${kind}`, "aria-hidden": "true" }, fill);
}

/** A square in the colour of a class of calls. */
export function swatch(group: number): HTMLElement {
  return h("span", { class: `swatch c${group}`, "aria-hidden": "true" });
}

/** The lines of a list of names and values; those without a value are left out. */
export function pairs(...entries: [string, Child][]): HTMLElement {
  return h("dl", { class: "pairs" }, entries.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false)
    .flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]));
}

/** How many calls took how long: one column for each power of two. */
export function histogram(counts: number[], label: string, tell: (ns: number) => string): Element {
  const first = Math.max(counts.findIndex(Boolean) - 1, 0);
  const last = Math.max(counts.length - 1 - [...counts].reverse().findIndex(Boolean), first + 5);
  const some = counts.slice(first, last + 2);
  const most = Math.max(...some, 1);
  const [width, height, foot] = [Math.max(Math.floor(300 / some.length), 9), 84, 18];
  const every = Math.ceil(46 / width);
  const bars = some.map((count, place) => {
    const tall = count ? Math.max((count / most) * height, 1.5) : 0;
    const title = s("title", null, `${tell(first + place ? 2 ** (first + place + 6) : 0)} to ${tell(2 ** (first + place + 7))}: ${count.toLocaleString("en-US")}`);
    return [s("rect", { x: place * width + 1, y: height - tall, width: width - 2, height: tall, rx: 1.5 }),
            s("rect", { class: "hover", x: place * width, y: 0, width, height }, title),
            place % every === Math.floor(every / 2) ? s("text", { x: place * width, y: height + 13, "text-anchor": "middle" }, tell(2 ** (first + place + 6))) : ""];
  });
  return s("svg", { class: "histogram", role: "img", "aria-label": label, viewBox: `-14 0 ${some.length * width + 28} ${height + foot}`,
                    width: some.length * width + 28, height: height + foot }, bars.flat());
}
