/** Connections, and the names that were looked up. */

import { h } from "../dom";
import { duration, moment, number, size, text } from "../format";
import { inRange, rowsOf, type App, type View } from "../model";
import { ListView, type ListColumn } from "./lists";

export class NetworkView implements View {
  readonly root: HTMLElement;
  private readonly parts: View[] = [];

  constructor(private readonly app: App) {
    this.root = h("section", { class: "view network", "aria-label": "Network" });
    const { connections, dns } = app.tables;
    if (rowsOf(connections)) this.part("Connections", this.connections());
    if (rowsOf(dns)) this.part("Names looked up", this.lookUps());
  }

  update(): void {
    for (const part of this.parts) part.update(false);
  }

  private part(title: string, view: View): void {
    this.parts.push(view);
    this.root.append(h("h2", null, title), view.root);
  }

  private connections(): ListView {
    const { connections: table } = this.app.tables;
    const has = (field: string) => table[field]?.some((value) => value !== null && value !== "") ?? false;
    const bytes = (field: string) => (row: number) => size(table[field][row] as number | null);
    const columns: (ListColumn | false)[] = [
      { key: "remote", title: "remote", width: "minmax(11rem, 3fr)", left: true, cell: (row) => this.who(text(table.name?.[row]), text(table.remote[row])) },
      { key: "protocol", title: "protocol", width: "5.5rem", left: true, room: "some", cell: (row) => text(table.protocol[row]) },
      has("direction") && { key: "direction", title: "direction", width: "6rem", left: true, room: "much", cell: (row: number) => text(table.direction[row]) },
      { key: "local", title: "local", width: "minmax(8rem, 2fr)", left: true, room: "much", cell: (row) => h("code", null, text(table.local[row])) },
      has("state") && { key: "state", title: "state", width: "7.5rem", left: true, room: "much", cell: (row: number) => text(table.state[row]).toLowerCase() },
      { key: "opened_ns", title: "opened", width: "6rem", room: "some", cell: (row) => (table.opened_ns[row] === null ? "before" : moment(number(table.opened_ns[row]))) },
      has("connect_ms") && { key: "connect_ms", title: "connect", width: "5.5rem", room: "much", cell: (row: number) => milli(table.connect_ms[row]) },
      has("rtt_ms") && { key: "rtt_ms", title: "RTT", width: "5.5rem", room: "some", cell: (row: number) => milli(table.rtt_ms[row]) },
      has("retransmits") && { key: "retransmits", title: "resent", width: "4.5rem", room: "much", cell: (row: number) => text(table.retransmits[row]) || "–" },
      has("sent_bytes") && { key: "sent_bytes", title: "sent", width: "5.5rem", cell: bytes("sent_bytes") },
      has("received_bytes") && { key: "received_bytes", title: "received", width: "5.5rem", cell: bytes("received_bytes") },
      has("pid") && { key: "pid", title: "pid", width: "5rem", room: "much", cell: (row: number) => text(table.pid[row]) },
    ];
    return new ListView(this.app, {
      name: "Connections", what: ["connection", "connections"], table, sort: { key: "opened_ns", descending: false }, selects: (row) => `connection:${row}`,
      columns: columns.filter((column): column is ListColumn => Boolean(column)), empty: "No connection fits the search and the range of time.",
      within: (row) => inRange(this.app, table.opened_ns[row] as number | null, table.closed_ns[row] as number | null),
      fields: (row) => ({ host: [text(table.name?.[row]), text(table.remote[row]), text(table.local[row])].join(" "), pid: number(table.pid?.[row]), class: "network",
                          is: [text(table.state?.[row]).toLowerCase(), text(table.protocol[row]).toLowerCase()] }),
    });
  }

  private lookUps(): ListView {
    const { dns: table } = this.app.tables;
    return new ListView(this.app, {
      name: "Names looked up", what: ["look-up", "look-ups"], table, sort: { key: "at_ns", descending: false }, selects: (row) => `lookup:${row}`,
      empty: "No look-up fits the search and the range of time.",
      within: (row) => inRange(this.app, number(table.at_ns[row]), number(table.at_ns[row]) + number(table.latency_ns[row])),
      fields: (row) => ({ host: [text(table.name[row]), ...(table.addresses[row] as string[]), ...(table.aliases[row] as string[])].join(" "), pid: number(table.pid[row]),
                          class: "network", is: [text(table.status[row]) === "ok" ? "" : "failed", text(table.type[row]).toLowerCase()], error: text(table.status[row]) }),
      columns: [
        { key: "name", title: "name", width: "minmax(10rem, 3fr)", left: true, cell: (row) => h("code", null, text(table.name[row])) },
        { key: "type", title: "type", width: "4rem", left: true, room: "some", cell: (row) => text(table.type[row]) },
        { key: "status", title: "answer", width: "6.5rem", left: true, cell: (row) => h("span", { class: table.status[row] === "ok" ? null : "bad" }, text(table.status[row])) },
        { key: "addresses", title: "addresses", width: "minmax(8rem, 3fr)", left: true, room: "much", cell: (row) => (table.addresses[row] as string[]).join(", ") || "–" },
        { key: "via", title: "via", width: "5rem", left: true, room: "much", cell: (row) => text(table.via[row]) },
        { key: "at_ns", title: "asked", width: "6rem", room: "some", cell: (row) => moment(number(table.at_ns[row])) },
        { key: "latency_ns", title: "took", width: "5.5rem", cell: (row) => duration(table.latency_ns[row] as number | null) },
      ],
    });
  }

  private who(name: string, address: string): HTMLElement {
    return name ? h("span", null, h("b", null, name), h("span", { class: "quiet-text" }, ` ${address}`)) : h("code", null, address || "–");
  }
}

function milli(value: unknown): string {
  return typeof value === "number" ? duration(value * 1e6) : "–";
}
