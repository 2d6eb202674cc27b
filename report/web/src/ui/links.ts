/** Ways from one thing to another. */

import { h, type Child } from "../dom";
import type { App } from "../model";

/** Selects something, and stays in the view. */
export function link(app: App, selected: string, words: Child): HTMLElement {
  return h("a", { href: app.store.link({ selected }), onclick: (event: Event) => {
    event.preventDefault();
    app.store.set({ selected });
  } }, words);
}

export function jump(app: App, words: string, change: Parameters<App["store"]["set"]>[0]): HTMLElement {
  return h("button", { type: "button", onclick: () => app.store.set(change) }, words);
}
