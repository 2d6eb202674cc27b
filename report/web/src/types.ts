/** What the page is told (report/html/page.py), and what page and worker tell each other. All times are ns after the start of the session. */

export type Value = string | number | boolean | null | Value[];

/** A table as columns of equal length, as `ebtrace stats --json` names them. */
export type Table = Record<string, Value[]>;

export interface Account {
  counted: number;
  delivered: number;
  sampled_out: number;
  lost: number;
  unaccounted: number;
}

/** What the first view needs; it stands in the page as it is. */
export interface Head {
  title: string;
  session: Record<string, Value>;
  ledger: Record<string, Account>;
  tracer: Record<string, number | null>;
  rows: Record<string, number>;
  chart: number[][];
  span_ns: number;
  classes: string[];
  /** The calls that took most time. */
  longest: { name: string; total_ns: number; calls: number }[];
  /** Sums over all syscalls. */
  all_calls: number;
  all_errors: number;
  all_total_ns: number;
  calls: number;
  held: number;
  every: number;
  coverage: Coverage;
  bodies: boolean; // whether this file was made with them
  notes: string[]; // what of HTTP was left out
}

/** name, kind, slot, shift, bits, signed */
export type Argument = [string, string, number, number, number, boolean];

export interface Kind {
  name: string;
  class: number;
  result: string;
  args: Argument[];
}

/** Where the planes of each column are: report/html/packing.py */
export type Directory = Record<string, { rows: number; planes: [plane: number, bytes: number, kept: number][] }>;

/** How the calls in the page are to be read. */
export interface About {
  kinds: Kind[];
  threads: { proc: number[]; tid: number[]; title: string[]; pid: (number | null)[] };
  columns: Directory;
  levels: { width_ns: number; pieces: number; columns: Directory };
  errnos: Record<string, string>;
}

/** The rest, compressed in the page. */
export interface Tables {
  syscalls: Table;
  processes: Table;
  files: Table;
  searches: Table;
  connections: Table;
  dns: Table;
  http: Table;
  llm: Table;
  histograms: Record<string, number[]>;
}

/** What drawings need of every call. */
export interface Calls {
  start: Float64Array;
  duration: Float64Array;
  kind: Uint32Array;
  thread: Uint32Array;
  failed: Uint8Array;
  /** Rows thread by thread, and where each thread's begin in that; one more entry than there are threads. */
  byThread: Uint32Array;
  threadFrom: Uint32Array;
}

/** Calls summed up by thread, piece of time and class, sorted by thread and piece. */
export interface Level {
  width: number;
  threadFrom: Uint32Array;
  piece: Uint32Array;
  group: Uint8Array;
  calls: Uint32Array;
  errors: Uint32Array;
  busy: Float64Array;
}

/** One call as words. */
export interface Call {
  row: number;
  start: number;
  duration: number | null;
  kind: number;
  name: string;
  thread: number;
  tid: number;
  /** Name, value, and of the first descriptor what it stood for. */
  args: [name: string, value: string, thing: string][];
  result: string;
  error: string | null;
  notes: string[];
}

/** One row of a summary of some calls. */
export interface Summary {
  kind: number;
  calls: number;
  errors: number;
  total: number;
  max: number;
  histogram: number[];
}

export interface Range {
  from: number;
  to: number;
}

/** What is said of TLS and of secrets. */
export interface Coverage {
  share: string; // "" if there was no TLS
  whole: boolean;
  connections: number;
  unread: { name: string; process: string | null; pid: number | null; reason: string; library: string; percent: number | null; bytes: number }[];
  secrets: number; // that were taken out
  redacted: string; // the same as a sentence
}

/** An exchange beyond its row in the table. Texts are as they were sent: what shows them makes them visible. */
export interface Said {
  target: [scheme: string, authority: string, target: string];
  /** Of the request, the response, and the same for trailers. */
  headers: [string, string][][];
  interim: number[];
  /** Whether there is a body of the request, one of the response, data of messages. */
  bodies: boolean[];
}

export interface StreamEvent {
  at: number | null;
  type: string;
  data: string;
}

export interface Body {
  text: string;
  binary: boolean; // the text is a dump
  type: string;
  length: number; // bytes that are here
  cut: boolean; // the session has more
  events: StreamEvent[] | null;
}

/** One message of a WebSocket. */
export interface Message {
  at: number;
  sent: boolean;
  kind: string;
  length: number;
  kept: number;
  text: string;
  binary: boolean;
}

/** One message of a prompt. */
export interface Prompt {
  role: string;
  text: string;
  answers: string; // the tool whose result it is, or the id of its call
  calls: ToolCall[];
  attached: string[]; // the kinds of what is no text
}

export interface ToolCall {
  id: string;
  name: string;
  args: string;
}

/** One LLM call. */
export interface Turn {
  base: number; // the call that it carries on, -1 if there is none
  known: number; // messages of the prompt that are known from there
  system: string;
  sameSystem: boolean;
  tools: string[];
  prompt: Prompt[];
  text: string;
  reasoning: string;
  error: string;
  calls: ToolCall[];
}

/** What the worker is asked for. */
export interface Questions {
  spoken: { ask: { about: string; bodies: string; rows: number[] }; answer: null };
  exchange: { ask: { row: number }; answer: Said | null };
  body: { ask: { row: number; part: number }; answer: Body | null };
  messages: { ask: { row: number }; answer: Message[] };
  turn: { ask: { row: number; all: boolean }; answer: Turn | null };
  find: { ask: { words: string[] }; answer: Uint8Array[] };
  load: { ask: { columns: string; texts: string; levels: string; about: About; classes: string[] };
          answer: { calls: Calls; level: Level } };
  filter: { ask: { query: string; range: Range | null }; answer: { rows: number; mask: Uint8Array | null; took: number } };
  sort: { ask: { by: "start" | "duration"; descending: boolean }; answer: null };
  rows: { ask: { from: number; to: number }; answer: Call[] };
  call: { ask: { row: number }; answer: Call | null };
  place: { ask: { row: number }; answer: number };
  summary: { ask: null; answer: Summary[] };
  slowest: { ask: { name: string; most: number }; answer: Call[] };
}

export type Question = keyof Questions;
