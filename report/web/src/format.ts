/** Numbers as people read them: the same three digits and units as in the terminal (report/text.py). */

import type { Value } from "./types";

const grouped = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const DURATIONS: [string, number][] = [["ns", 1], ["µs", 1e3], ["ms", 1e6], ["s", 1e9]];
const SIZES: [string, number][] = [["B", 1], ["kB", 1e3], ["MB", 1e6], ["GB", 1e9], ["TB", 1e12], ["PB", 1e15]];
const LONG: [number, number, string, string, number][] = [[86400, 3600, "d", "h", 2], [3600, 60, "h", "m", 2], [60, 1, "m", "s", 2]];

/** 1234567 as 1,234,567. */
export function count(number: number): string {
  return grouped.format(number);
}

export function many(number: number, one: string, more = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : more}`;
}

/** A time in three digits, from a minute on in two units. */
export function duration(ns: number | null | undefined): string {
  if (ns === null || ns === undefined) return "–";
  const sign = ns < 0 ? "−" : "";
  const length = Math.abs(ns);
  if (length < 59_950_000_000) return sign + scaled(length, DURATIONS);
  const seconds = Math.round(length / 1e9);
  for (const [large, small, name, fine, digits] of LONG) {
    if (seconds >= large) return `${sign}${Math.floor(seconds / large)}${name} ${String(Math.floor((seconds % large) / small)).padStart(digits, "0")}${fine}`;
  }
  return `${sign}${seconds} s`;
}

/** A number of bytes in three digits and powers of 1000. */
export function size(octets: number | null | undefined): string {
  return octets === null || octets === undefined ? "–" : scaled(octets, SIZES);
}

/** A moment, with as many digits as tell moments apart that are `step` ns away from each other. */
export function moment(ns: number, step = 1e3): string {
  if (!ns) return "0";
  const unit = Math.abs(ns) >= 999_999_500 || step >= 1e9 ? 1e9 : Math.abs(ns) >= 1e6 || step >= 1e6 ? 1e6 : 1e3;
  const digits = Math.min(Math.max(Math.ceil(Math.log10(unit / Math.max(step, 1))), 0), Math.round(Math.log10(unit)));
  const name = unit === 1e9 ? "s" : unit === 1e6 ? "ms" : "µs";
  return `${(ns / unit).toFixed(digits)} ${name}`;
}

/** 1, 2 or 5 times a power of ten, no less than what is given. */
export function roundStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10);
}

export function percent(part: number, whole: number): string {
  if (!whole) return "–";
  const share = (100 * part) / whole;
  return share > 0 && share < 0.1 ? "< 0.1 %" : `${share.toFixed(share < 10 ? 1 : 0)} %`;
}

export function text(value: Value | undefined): string {
  return value === null || value === undefined ? "" : String(value);
}

export function number(value: Value | undefined): number {
  return typeof value === "number" ? value : 0;
}

function scaled(value: number, units: [string, number][]): string {
  const [name, factor] = units.find(([, one]) => value / one < 999.5) ?? units[units.length - 1];
  const some = value / factor;
  if (factor === 1) return `${some.toFixed(0)} ${name}`;
  return `${some.toFixed(some < 9.995 ? 2 : some < 99.95 ? 1 : 0)} ${name}`;
}
