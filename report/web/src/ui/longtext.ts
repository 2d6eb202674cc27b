/** A text of any length: its beginning, and as much more of it as the reader asks for. Line ends and blanks stay as they are. */

import { h, type Child } from "../dom";
import { size } from "../format";
import { visible } from "../visible";

const SIGNS_A_LINE = 50; // on the average, of what is shown at first: many short lines take as much room as a few long ones
const PIECE = 16_384; // signs that are laid out together; what is far away from the screen is not
const AT_ONCE = 1 << 20; // signs that one press brings

export function longText(text: string, first = 4000, kind = ""): HTMLElement {
  const root = h("div", { class: `long-text ${kind}` });
  let at = beginning(text, first);
  if (at * 1.2 >= text.length) {
    root.append(visible(text));
    return root;
  }
  const start = h("div", null, visible(text.slice(0, at)));
  const more = h("button", { type: "button", class: "more", onclick: (event: Event) => {
    event.stopPropagation();
    const until = Math.min(at + AT_ONCE, text.length);
    const pieces: Child[] = [];
    while (at < until) {
      const end = breakBefore(text, Math.min(at + PIECE, until), at);
      pieces.push(h("div", { class: "piece" }, visible(text.slice(at, end))));
      at = end;
    }
    more.before(...pieces.filter((piece): piece is HTMLElement => piece instanceof HTMLElement));
    label();
  } });
  const label = (): void => {
    const rest = text.length - at;
    more.hidden = rest <= 0;
    more.textContent = rest > AT_ONCE ? `Show ${size(AT_ONCE)} more of ${size(text.length)}` : `Show all ${size(text.length)}`;
  };
  label();
  root.append(start, more);
  return root;
}

/** Where what is shown at first ends. */
function beginning(text: string, signs: number): number {
  const most = Math.max(Math.ceil(signs / SIGNS_A_LINE), 8);
  let [at, lines] = [0, 0];
  while (lines < most) {
    const next = text.indexOf("\n", at);
    if (next < 0 || next > signs) return breakBefore(text, signs);
    at = next + 1;
    lines++;
  }
  return at;
}

/** The end of a line a little before this place, but after `from`; else the place itself, but never inside a sign. */
function breakBefore(text: string, place: number, from = 0): number {
  if (place >= text.length) return text.length;
  const line = text.lastIndexOf("\n", place - 1);
  if (line >= from && line > place - 2000) return line + 1;
  const unit = text.charCodeAt(place);
  return unit >= 0xdc00 && unit < 0xe000 ? place + 1 : place;
}
