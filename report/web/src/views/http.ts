/** What was said over HTTP: LLM calls as a conversation, all exchanges as a table, and how much of the traffic could be read. */

import { h, replace, type Child } from "../dom";
import { count, many, size } from "../format";
import type { App, View } from "../model";
import { ConversationView } from "./conversation";
import { exchangeList } from "./exchanges";
import type { ListView } from "./lists";

const MOST_TOLD = 200; // connections
const MODES: [string, string][] = [["", "Conversation"], ["exchanges", "Exchanges"]];

export class HttpView implements View {
  readonly root: HTMLElement;
  private readonly summary = h("p", { class: "summary" });
  private readonly switches = h("div", { class: "switch", role: "tablist", "aria-label": "How HTTP is shown" });
  private readonly body = h("div", { class: "switched" });
  private readonly conversation: ConversationView | null;
  private readonly list: ListView;

  constructor(private readonly app: App) {
    this.conversation = app.exchanges.ofCall.length ? new ConversationView(app, (found, all) => {
      replace(this.summary, found === all ? many(all, "LLM call") : `${count(found)} of ${many(all, "LLM call")}`, h("span", { class: "quiet-text" }, app.exchanges.searching(app)));
    }) : null;
    this.list = exchangeList(app);
    this.list.root.classList.add("bare"); // its summary stands beside the switches
    this.root = h("section", { class: "view list http", "aria-label": "LLM and HTTP" },
      h("div", { class: "http-top" }, h("div", { class: "line" }, this.conversation && this.switches, this.summary, this.list.summary), coverage(app)), this.body);
  }

  update(found: boolean): void {
    const { mode } = this.app.store.state;
    const view: View = mode === "exchanges" || !this.conversation ? this.list : this.conversation;
    replace(this.switches, MODES.map(([name, title]) => h("button", {
      type: "button", role: "tab", "aria-selected": String((name === "exchanges") === (view === this.list)), onclick: () => this.app.store.set({ mode: name }),
    }, title)));
    this.summary.hidden = view === this.list;
    this.list.summary.hidden = view !== this.list;
    if (view.root.parentElement !== this.body) replace(this.body, view.root);
    view.update(found);
  }
}

/** How much of TLS was read in clear, and what was taken out. */
function coverage(app: App): Child {
  const { coverage: told, notes } = app.head;
  const rows = told.unread.slice(0, MOST_TOLD);
  const words = [told.share && `TLS: ${told.share} in clear`, rows.length > 0 && `${many(told.unread.length, "connection")} not read, or not all`,
    told.secrets > 0 && `${many(told.secrets, "secret")} taken out`].filter(Boolean).join(" · ");
  const more = [told.redacted && `${told.redacted}.`, ...notes].filter(Boolean);
  if (!rows.length && !more.length) return words && h("p", { class: "coverage good" }, words);
  return h("details", { class: "coverage" }, h("summary", { class: rows.length ? "poor" : null }, words || "What is not here"),
    h("ul", null, rows.map((row) => h("li", null, h("code", null, row.name), ` ${[
      row.percent === null ? size(row.bytes) : `${Math.floor(row.percent)} % of ${size(row.bytes)} read`, row.reason, row.library, row.process].filter(Boolean).join(" · ")}`)),
      more.map((note) => h("li", null, note))));
}
