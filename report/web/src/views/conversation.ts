/** LLM calls as a conversation. Each is an empty box until it comes near the screen. */

import { h, replace } from "../dom";
import type { App, View } from "../model";
import { turnBody, turnHead } from "../http/turn";

const MOST = 5000; // boxes at once
const NEAR = "600px";

export class ConversationView implements View {
  readonly root: HTMLElement;
  private readonly boxes = new Map<number, HTMLElement>();
  private readonly near: IntersectionObserver;
  private shown = "";
  private marked = "";
  private wanted: HTMLElement | null = null; // stays in sight while the boxes above it get their true heights

  /** `told` is given how many calls there are to see, and of how many. */
  constructor(private readonly app: App, private readonly told: (found: number, all: number) => void) {
    this.root = h("div", { class: "chat", role: "feed", tabindex: "0", "aria-label": "Conversation" });
    for (const moves of ["wheel", "pointerdown", "keydown"]) this.root.addEventListener(moves, () => (this.wanted = null), { passive: true });
    this.near = new IntersectionObserver((seen) => {
      for (const { isIntersecting, target } of seen) if (isIntersecting) void this.fill(Number((target as HTMLElement).dataset.call));
    }, { root: this.root, rootMargin: NEAR });
  }

  update(): void {
    const { exchanges, store } = this.app;
    const fits = exchanges.fitting(this.app);
    const calls = exchanges.ofCall.flatMap((row, call) => (row >= 0 && fits(row) ? [call] : []));
    this.told(calls.length, exchanges.ofCall.length);
    const some = calls.slice(0, MOST);
    const shown = some.join();
    if (shown !== this.shown || !this.root.childElementCount) {
      this.shown = shown;
      replace(this.root, ...some.map((call, place) => this.box(call, place, some.length)),
        calls.length > MOST && h("p", { class: "quiet-text" }, `The first ${MOST} calls; a range of time or a search shows others.`),
        !some.length && h("p", { class: "empty" }, "No LLM call fits the search and the range of time."));
    }
    this.mark(store.state.selected);
  }

  private box(call: number, place: number, all: number): HTMLElement {
    let box = this.boxes.get(call);
    if (!box) {
      box = h("article", { class: "turn", "data-call": call, tabindex: "-1" }, turnHead(this.app, call));
      this.boxes.set(call, box);
    }
    box.setAttribute("aria-posinset", String(place + 1));
    box.setAttribute("aria-setsize", String(all));
    box.setAttribute("aria-label", `LLM call ${call + 1}`);
    if (!box.dataset.filled) this.near.observe(box);
    return box;
  }

  private async fill(call: number): Promise<void> {
    const box = this.boxes.get(call);
    if (!box || box.dataset.filled) return;
    box.dataset.filled = "yes";
    this.near.unobserve(box);
    await this.app.spoken;
    const turn = await this.app.client.ask("turn", { row: call, all: false });
    if (turn) box.append(...turnBody(this.app, call, turn).filter((part): part is HTMLElement => part instanceof HTMLElement));
    else if (!this.app.head.bodies) box.append(h("p", { class: "quiet-text" }, "This file was made without what was said (--no-bodies)."));
    this.wanted?.scrollIntoView({ block: "start" });
  }

  /** Show which call is selected; bring it into sight when the selection came from elsewhere. */
  private mark(selected: string): void {
    if (selected === this.marked) return;
    this.marked = selected;
    const { exchanges } = this.app;
    const [what, which] = selected.split(":");
    const call = what === "exchange" ? exchanges.call(exchanges.row(Number(which))) : -1;
    for (const [one, box] of this.boxes) box.classList.toggle("marked", one === call);
    const box = this.boxes.get(call);
    this.wanted = box?.isConnected && !(box.dataset.filled && this.isInSight(box)) ? box : null;
    this.wanted?.scrollIntoView({ block: "start" });
  }

  private isInSight(box: HTMLElement): boolean {
    const [here, there] = [this.root.getBoundingClientRect(), box.getBoundingClientRect()];
    return there.top >= here.top - 4 && there.top < here.bottom - 60;
  }
}
