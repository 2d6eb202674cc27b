/** The data that stands in the page: JSON, and raw deflate streams as base64. */

export function embedded(id: string): string {
  return document.getElementById(id)?.textContent ?? "";
}

/** Bytes from base64. */
export function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;
  if (native) return native.call(Uint8Array, base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** What a raw deflate stream holds. */
export async function inflate(stream: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const plain = new Blob([stream]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

export async function inflateText(base64: string): Promise<string> {
  return new TextDecoder().decode(await inflate(bytesOf(base64)));
}
