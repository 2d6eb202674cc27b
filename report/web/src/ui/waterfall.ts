/** What the time of an exchange went to, as bars under each other. */

import { h } from "../dom";
import { duration } from "../format";

export type Phase = [name: string, from: number, to: number];

const WORDS: Record<string, [client: string, server: string]> = {
  dns: ["name looked up", ""], connect: ["connect", ""], tls: ["TLS and first use", ""], send: ["request sent", "request received"],
  wait: ["waiting", "answering"], stream: ["response", "response sent"],
};

export function waterfall(phases: Phase[], side: string): HTMLElement {
  const from = Math.min(...phases.map(([, start]) => start));
  const span = Math.max(...phases.map(([, , end]) => end)) - from || 1;
  const rows = phases.flatMap(([name, start, end]) => {
    const fill = h("span", { class: `phase ${name}` });
    fill.style.left = `${((start - from) / span) * 100}%`;
    fill.style.width = `max(2px, ${((end - start) / span) * 100}%)`;
    return [h("dt", null, WORDS[name]?.[side === "server" ? 1 : 0] || name), h("dd", null, h("span", { class: "phase-track", "aria-hidden": "true" }, fill), h("span", { class: "figure" }, duration(end - start)))];
  });
  return h("dl", { class: "waterfall", "aria-label": "Where the time went" }, rows);
}
