/** Bytes as something that can be read: text where they are text, else a dump. */

const DUMPED = 1 << 16; // bytes of a dump
const LINE = 16;
const LOOKED_AT = 4096;

/** The text, and whether it is a dump of bytes that are none. */
export function readable(bytes: Uint8Array<ArrayBuffer>, type: string): { text: string; binary: boolean } {
  const charset = /charset="?([\w.:-]+)/i.exec(type)?.[1] ?? "utf-8";
  const text = decoded(bytes, charset) ?? (isText(type) ? new TextDecoder().decode(bytes) : null);
  return text !== null && !isNoise(text) ? { text, binary: false } : { text: dump(bytes.subarray(0, DUMPED)), binary: true };
}

function isText(type: string): boolean {
  return /^text\/|json|xml|javascript|urlencoded/i.test(type);
}

/** As this charset, or else UTF-8; null if it is neither. A sign that is cut off at the end does not count. */
function decoded(bytes: Uint8Array<ArrayBuffer>, charset: string): string | null {
  for (const label of new Set([charset, "utf-8"])) {
    try {
      return new TextDecoder(label, { fatal: true }).decode(bytes, { stream: true });
    } catch {
      continue; // the label is unknown, or these are other bytes
    }
  }
  return null;
}

function isNoise(text: string): boolean {
  const some = text.slice(0, LOOKED_AT);
  const odd = some.match(/[\0-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]/g)?.length ?? 0;
  return odd * 10 > some.length || some.includes("\0");
}

function dump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += LINE) {
    const some = [...bytes.subarray(at, at + LINE)];
    const digits = some.map((byte) => byte.toString(16).padStart(2, "0")).join(" ").padEnd(3 * LINE);
    lines.push(`${at.toString(16).padStart(6, "0")}  ${digits} ${some.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : ".")).join("")}`);
  }
  return lines.join("\n");
}
