/**
 * What is typed into the search box: words that must all be found, `key:value` terms, "phrases with blanks", and -words that must not be.
 * Case does not matter. Durations and numbers take < and >, as in `duration:>1ms`. A filter language for all of ebtrace may take this place.
 */

export interface Term {
  key: string; // "" for a plain word
  value: string; // in small letters
  not: boolean;
}

const KEYS: Record<string, string> = {
  call: "name", syscall: "name", file: "path", err: "error", errno: "error", proc: "process", title: "process", cmd: "process",
  dur: "duration", time: "duration", result: "ret", type: "class", domain: "host", address: "host",
};
const UNITS: Record<string, number> = { "": 1, ns: 1, us: 1e3, "µs": 1e3, ms: 1e6, s: 1e9, m: 60e9, k: 1e3, kb: 1e3, mb: 1e6, gb: 1e9, b: 1 };

export function parse(query: string): Term[] {
  const terms: Term[] = [];
  for (const [, minus, key, quoted, plain] of query.matchAll(/(-?)(?:([a-z]+):)?(?:"([^"]*)"?|([^\s"]+))/giu)) {
    const value = (quoted ?? plain ?? "").toLowerCase();
    if (value) terms.push({ key: key ? (KEYS[key.toLowerCase()] ?? key.toLowerCase()) : "", value, not: minus === "-" });
  }
  return terms;
}

/** A test of a number, from ">1ms", "<=20", "3". */
export function comparison(value: string): (number: number) => boolean {
  const [, sign, digits, unit] = /^([<>]=?)?(-?[\d.]+)([a-zµ]*)$/.exec(value) ?? [];
  const limit = Number(digits) * (UNITS[unit ?? ""] ?? NaN);
  switch (sign) {
    case ">": return (number) => number > limit;
    case ">=": return (number) => number >= limit;
    case "<": return (number) => number < limit;
    case "<=": return (number) => number <= limit;
    default: return (number) => number === limit;
  }
}

/**
 * Whether a row of a table has all the terms. What a table knows nothing of, such as `name:` in a table of files, it lets pass.
 * `also` tells of plain words whether a row has them elsewhere.
 */
export function matcher(query: string, fields: (row: number) => Record<string, string | number | string[]>,
                        also: (row: number, word: string) => boolean = () => false): (row: number) => boolean {
  const terms = parse(query);
  if (!terms.length) return () => true;
  return (row) => {
    const known = fields(row);
    return terms.every(({ key, value, not }) => {
      if (!key) return (Object.values(known).some((found) => holds(found, value)) || also(row, value)) !== not;
      return !(key in known) || holds(known[key], value, true) !== not;
    });
  };
}

/** The plain words of a query, in small letters. */
export function wordsOf(query: string): string[] {
  return [...new Set(parse(query).filter(({ key }) => !key).map(({ value }) => value))];
}

function holds(found: string | number | string[], value: string, exact = false): boolean {
  if (typeof found === "number") return exact ? comparison(value)(found) : String(found) === value;
  if (Array.isArray(found)) return found.some((one) => (exact ? one.toLowerCase() === value || value === "*" : one.toLowerCase().includes(value)));
  return value === "*" ? found !== "" : found.toLowerCase().includes(value);
}
