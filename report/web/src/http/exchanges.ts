/** The exchanges of the session: which of them the search and the range leave, and which LLM call belongs to which. */

import { number, text } from "../format";
import { inRange, rowsOf, type App } from "../model";
import { matcher, wordsOf } from "../query";
import type { Table } from "../types";

export class Exchanges {
  readonly rows: number;
  /** The exchange of each LLM call; -1 if it is not there. */
  readonly ofCall: number[];
  private readonly byNumber = new Map<number, number>();
  private readonly callOf = new Map<number, number>();
  private tested: { query: string; heard: unknown; holds: (row: number) => boolean } | null = null;

  constructor(readonly table: Table, readonly llm: Table) {
    this.rows = rowsOf(table);
    for (let row = this.rows - 1; row >= 0; row--) this.byNumber.set(number(table.number[row]), row);
    this.ofCall = Array.from({ length: rowsOf(llm) }, (_, call) => this.byNumber.get(number(llm.number[call])) ?? -1);
    this.ofCall.forEach((row, call) => this.callOf.set(row, call));
  }

  /** The row of an exchange by its number, -1 if there is none. */
  row(exchange: number): number {
    return this.byNumber.get(exchange) ?? -1;
  }

  /** The LLM call that an exchange is, -1 if it is none. */
  call(row: number): number {
    return this.callOf.get(row) ?? -1;
  }

  from(row: number): number {
    return number(this.table.started_ns[row]);
  }

  /** Its end; the end of the session if that was not seen. */
  to(app: App, row: number): number {
    return (this.table.ended_ns[row] ?? Math.max(app.end, this.from(row))) as number;
  }

  took(row: number): number | null {
    const ended = this.table.ended_ns[row];
    return ended === null ? null : number(ended) - this.from(row);
  }

  /** Whether it did not go well; as words. */
  isFailed(row: number): boolean {
    const status = this.table.status[row];
    return status === null || number(status) >= 400 || (this.call(row) >= 0 && Boolean(this.llm.error[this.call(row)]));
  }

  /** Which of them the search and the range leave. */
  fitting(app: App): (row: number) => boolean {
    const holds = this.holding(app);
    return (row) => inRange(app, this.from(row), this.to(app, row)) && holds(row);
  }

  /** Which of them the search leaves, at any time. */
  holding(app: App): (row: number) => boolean {
    const { query } = app.store.state;
    if (this.tested?.query !== query || this.tested.heard !== app.heard) {
      const known = new Map<number, boolean>(); // drawings ask again and again
      const holds = matcher(query, (row) => this.fields(row), (row, word) => app.heard.get(word)?.[row] === 1);
      this.tested = { query, heard: app.heard, holds: (row) => known.get(row) ?? (known.set(row, holds(row)).get(row) as boolean) };
    }
    return this.tested.holds;
  }

  /** What is said while the worker still looks into what was said. */
  searching(app: App): string {
    return wordsOf(app.store.state.query).every((word) => app.heard.has(word)) ? "" : " · looking into bodies…";
  }

  private fields(row: number): Record<string, string | number | string[]> {
    const { table, llm } = this;
    const call = this.call(row);
    const is = [this.isFailed(row) ? "failed" : "", call >= 0 ? "llm" : "http", table.tls[row] ? "tls" : "plain", text(table.side[row]), text(table.protocol[row]),
                call >= 0 && llm.retry_of[call] !== null ? "retry" : "", call >= 0 && llm.streamed[call] ? "streamed" : ""];
    const failed = [...(table.errors[row] as string[]), number(table.status[row]) >= 400 ? text(table.status[row]) : "", call >= 0 ? text(llm.error[call]) : ""];
    return {
      url: text(table.url[row]), host: `${hostOf(text(table.url[row]))} ${text(table.remote[row])}`, path: text(table.url[row]), method: text(table.method[row]).toLowerCase(),
      status: number(table.status[row]), type: text(table.content_type[row]), pid: number(table.pid[row]), process: text(table.process[row]), class: "network", is,
      error: failed.filter(Boolean), duration: this.took(row) ?? NaN, model: call < 0 ? "" : `${text(llm.model[call])} ${text(llm.response_model[call])}`,
      provider: call < 0 ? "" : text(llm.provider[call]),
    };
  }
}

function hostOf(url: string): string {
  return /^[a-z]+:\/\/([^/?#]*)/i.exec(url)?.[1] ?? "";
}
