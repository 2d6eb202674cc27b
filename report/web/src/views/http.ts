/** What was said over HTTP: LLM calls as a conversation, all exchanges as a table, and how much of the traffic could be read. */

import { h, replace, type Child } from "../dom";
import { count, many, size } from "../format";
import type { App, View } from "../model";
import { ConversationView } from "./conversation";
import { exchangeList } from "./exchanges";

const MODES: [string, string][] = [["", "Conversation"], ["exchanges", "Exchanges"]];

export class HttpView implements View {
  readonly root: HTMLElement;
  private readonly summary = h("p", { class: "summary" });
  private readonly switches = h("div", { class: "switch", role: "tablist", "aria-label": "How HTTP is shown" });
  private readonly body = h("div", { class: "switched" });
  private readonly conversation: ConversationView | null;
  private readonly list: View;

  constructor(private readonly app: App) {
    this.conversation = app.exchanges.ofCall.length ? new ConversationView(app, (found, all) => {
      replace(this.summary, found === all ? many(all, "LLM call") : `${count(found)} of ${many(all, "LLM call")}`);
    }) : null;
    this.list = exchangeList(app);
    this.root = h("section", { class: "view list http", "aria-label": "LLM and HTTP" },
      h("div", { class: "http-top" }, h("div", { class: "line" }, this.conversation && this.switches, this.summary), coverage(app)), this.body);
  }

  update(found: boolean): void {
    const { mode } = this.app.store.state;
    const view = mode === "exchanges" || !this.conversation ? this.list : this.conversation;
    replace(this.switches, MODES.map(([name, title]) => h("button", {
      type: "button", role: "tab", "aria-selected": String((name === "exchanges") === (view === this.list)), onclick: () => this.app.store.set({ mode: name }),
    }, title)));
    if (view === this.list) replace(this.summary);
    if (view.root.parentElement !== this.body) replace(this.body, view.root);
    view.update(found);
  }
}

/** How much of TLS was read in clear, and what was taken out. */
function coverage(app: App): Child {
  const { coverage: told, notes } = app.head;
  const words = [told.share && `TLS: ${told.share} in clear`, told.redacted].filter(Boolean).join(" · ");
  const rows = told.unread.slice(0, 200);
  if (!rows.length && !notes.length) return words && h("p", { class: "coverage good" }, words);
  return h("details", { class: "coverage" }, h("summary", { class: rows.length ? "poor" : null }, words || "What is not here",
      rows.length > 0 && ` · ${many(rows.length, "connection")} not read, or not all`),
    h("ul", null, notes.map((note) => h("li", null, note)), rows.map((row) => h("li", null, h("code", null, row.name), ` ${[
      row.percent !== null && `${Math.floor(row.percent)} % of`, size(row.bytes), row.reason && `· ${row.reason}`, row.library && `· ${row.library}`,
      row.process && `· ${row.process}`].filter(Boolean).join(" ")}`))));
}
