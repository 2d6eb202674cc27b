/** What can be typed into the search box, and which keys there are. */

import { byId, h, replace } from "../dom";
import type { Head } from "../types";

const TERMS: [string, string][] = [
  ["passwd", "anything that has this word: a call, a path, a process, an error"], ['"my file"', "words with blanks between them"],
  ["-read", "not this word; works with all that follows, too"], ["name:openat", "calls of this name; name:epoll* for all that begin so"],
  ["path:/etc", "paths, arguments and addresses that have this"], ["error:ENOENT", "calls that failed so; error:* for all that failed"],
  ["pid:123  tid:124", "one process, one thread"], ["process:grep", "processes with this in their title"], ["duration:>1ms", "calls that took longer; also <, ns, µs, s"],
  ["ret:<0  fd:3", "results; descriptors"], ["host:example.com", "connections, look-ups, requests"], ["status:>=400  method:post", "requests over HTTP; also url:, type:, model:; plain words look into bodies, too"], ["is:failed", "also is:unfinished, is:changed, is:missing, is:killed, is:llm, is:retry, is:server"],
];
const KEYS: [string, string][] = [
  ["/", "search"], ["1 … 9", "views"], ["Esc", "close what is open"], ["↑ ↓ Enter", "choose a row"], ["← → + −", "move and zoom, on the timeline and on the strip"],
  [", .", "on the timeline: the call before, the call after"], ["Ctrl + wheel", "zoom the timeline"], ["Shift + wheel", "move the timeline"],
];

export function help(head: Head): { open: () => void } {
  const dialog = byId<HTMLDialogElement>("keys");
  const lines = (entries: [string, string][]) => h("dl", { class: "pairs" }, entries.flatMap(([what, does]) => [h("dt", null, h("code", null, what)), h("dd", null, does)]));
  replace(dialog, h("h2", null, "Search"), lines([...TERMS, [`class:${head.classes[0]}`, head.classes.slice(1).join(", ")]]), h("h2", null, "Keys"), lines(KEYS),
    h("form", { method: "dialog" }, h("button", null, "Close")));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return { open: () => dialog.showModal() };
}
