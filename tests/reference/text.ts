/** Bytes of a text after decoding `%XX` once; what is no escape stays as it is. Source: authorization 3.1, step 2. */
function bytesOf(text: string): Uint8Array {
  const source = new TextEncoder().encode(text);
  const bytes: number[] = [];
  let at = 0;
  while (at < source.length) {
    const byte = source[at]!;
    const high = hexValue(source[at + 1]);
    const low = hexValue(source[at + 2]);
    if (byte === 0x25 && high !== -1 && low !== -1) {
      bytes.push(high * 16 + low);
      at += 3;
    } else {
      bytes.push(byte);
      at += 1;
    }
  }
  return new Uint8Array(bytes);
}

function hexValue(byte: number | undefined): number {
  return byte === undefined
    ? -1
    : "0123456789abcdef".indexOf(String.fromCharCode(byte).toLowerCase());
}

/** Decodes once, leniently; malformed UTF-8 becomes U+FFFD. Source: authorization 3.1, steps 2 and 3. */
export function decodeLossy(text: string): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesOf(text));
}

/** Whether every `%` starts an escape. */
export function hasOnlyWholeEscapes(text: string): boolean {
  return !/%(?![0-9a-fA-F]{2})/.test(text);
}

/** Decodes once; `null` when the bytes are no UTF-8. */
export function decodeStrict(text: string): string | null {
  try {
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal: true }).decode(
      bytesOf(text),
    );
  } catch {
    return null;
  }
}

/** Lower case by the full Unicode rules, with the 28 code points the platform leaves alone. Source: authorization 3.17. */
export function lowerUnicode(text: string): string {
  let lowered = "";
  for (const character of text.toLowerCase()) {
    const code = character.codePointAt(0)!;
    if (code === 0xa7ce || code === 0xa7d2 || code === 0xa7d4) {
      lowered += String.fromCodePoint(code + 1);
    } else if (code >= 0x16ea0 && code <= 0x16eb8) {
      lowered += String.fromCodePoint(code + 0x1b);
    } else lowered += character;
  }
  return lowered;
}

/** Lower case of A to Z and of nothing else. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 32));
}

/** The raw path and query of a request target, as an HTTP library hands them over. */
export function splitRaw(target: string): { readonly path: string; readonly query: string | null } {
  const whole = target.split("#")[0]!;
  const mark = whole.indexOf("?");
  const stem = mark === -1 ? whole : whole.slice(0, mark);
  const query = mark === -1 ? null : whole.slice(mark + 1);
  if (stem.startsWith("/") || stem === "*") return { path: stem, query };
  const scheme = stem.indexOf("://");
  if (scheme === -1) return { path: "", query };
  const slash = stem.indexOf("/", scheme + 3);
  return { path: slash === -1 ? "/" : stem.slice(slash), query };
}
