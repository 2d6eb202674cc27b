/** What people and models say: text as it is, with the code in it set apart. Nothing else of Markdown is read. */

import { h, type Child } from "../dom";
import { visible } from "../visible";
import { longText } from "./longtext";

const LONG = 4000; // signs from which a text is shown piece by piece, as it is
const FENCE = /^ {0,3}```([^\n`]*)\n([\s\S]*?)(?:^ {0,3}```[ \t]*$\n?|$(?![\s\S]))/gm;

export function prose(text: string): HTMLElement {
  if (text.length > LONG) return longText(text, LONG / 2);
  const parts: Child[] = [];
  let from = 0;
  for (const fence of text.matchAll(FENCE)) {
    parts.push(visible(text.slice(from, fence.index)).trim(), h("pre", { class: "code" }, visible(fence[2])));
    from = fence.index + fence[0].length;
  }
  parts.push(visible(text.slice(from)).trim());
  return h("div", { class: "prose" }, parts.map((part) => (typeof part === "string" && part ? h("p", null, part) : part)));
}
