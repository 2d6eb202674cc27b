/** A request as a command line of curl, for bash: whatever the request holds, the shell takes each word as it is. */

import type { Body, Said } from "../types";

const LEFT_OUT = new Set(["content-length", "connection", "transfer-encoding", "accept-encoding", "host"]);
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;

export function curlOf(method: string, said: Said, body: Body | null): string {
  const [scheme, authority, target] = said.target;
  const url = `${scheme || "http"}://${authority}${target.startsWith("/") ? "" : "/"}${target}`;
  const words = ["curl", "--globoff", "--request", quoted(method || "GET"), "--url", quoted(url)];
  for (const [name, value] of said.headers[0]) {
    // curl reads a file where a header begins with @, and takes a line end for the end of a header
    if (LEFT_OUT.has(name.toLowerCase()) || !TOKEN.test(name) || /[\r\n\0]/.test(value)) continue;
    words.push("--header", quoted(value ? `${name}: ${value}` : `${name};`));
  }
  if (said.headers[0].some(([name]) => name.toLowerCase() === "accept-encoding")) words.push("--compressed");
  if (body && isWord(body)) words.push("--data-raw", quoted(body.text));
  return words.join(" ");
}

/** What such a command leaves out, as a sentence; empty if nothing. `carries`: whether there was a body; `cut`: whether the trace kept only a part. */
export function leftOut(body: Body | null, carries: boolean, cut: boolean): string {
  if (carries && !(body && isWord(body))) return "Without the body: it is no text, or not in this file.";
  return body && (cut || body.cut) ? "With the beginning of the body: the rest is not here." : "";
}

/** Whether a body can stand on a command line. */
function isWord(body: Body): boolean {
  return !body.binary && !body.text.includes("\0");
}

/** One word for bash. What a terminal would act on is spelled out. */
export function quoted(word: string): string {
  if (/^[\w%+,./:=@-]+$/.test(word) && !word.startsWith("-")) return word;
  if (!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(word)) return `'${word.replaceAll("'", "'\\''")}'`;
  return `$'${word.replaceAll("\0", "").replace(/[\\']/g, "\\$&").replaceAll("\n", "\\n").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, bytes)}'`;
}

/** A sign as the bytes of its UTF-8, three digits each: a digit that follows is none of theirs. */
function bytes(sign: string): string {
  return [...new TextEncoder().encode(sign)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
}
