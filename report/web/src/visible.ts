/** Texts as they were sent, made safe to show: whatever cannot be seen is spelled out, as report/text.py does. Line ends and tabs stay. */

// A joiner after a picture is a part of that; anywhere else it is one more sign that nobody sees
const UNSEEN = /(?<!\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier})\u200d|(?![\n\t\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Co}]/gu;
const NAMED: Record<string, string> = { "\r": "\\r", "\x1b": "\\e", "\n": "\\n", "\t": "\\t" };

export function visible(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSEEN, spelled);
}

/** In one line. */
export function inline(text: string): string {
  return text.replace(UNSEEN, spelled).replace(/[\n\t]/g, spelled);
}

/** The beginning of a text in one line, blanks and line ends in a row as one blank. */
export function preview(text: string, most: number): string {
  const some = text.slice(0, 2 * most).replace(/\s+/g, " ").trim();
  return visible(some.length > most || text.length > 2 * most ? `${some.slice(0, most)}…` : some);
}

function spelled(sign: string): string {
  const code = sign.codePointAt(0) ?? 0;
  if (NAMED[sign]) return NAMED[sign];
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`; // a byte that was no UTF-8
  return code < 0x80 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code > 0xffff ? `{${code.toString(16)}}` : code.toString(16).padStart(4, "0")}`;
}
