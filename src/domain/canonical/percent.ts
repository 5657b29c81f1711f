import { err, ok, type Result } from "../../runtime/result.ts";

const PERCENT = 0x25;
/** A percent sign that two hexadecimal digits do not follow. */
const MALFORMED_ESCAPE = /%(?![0-9A-Fa-f]{2})/;

/**
 * Decodes percent escapes once. Malformed escapes stay as they are, malformed UTF-8 becomes U+FFFD. Works on a path and on a
 * key or value of a query alike; `+` stays. Source: authorization 3.1.
 */
export function percentDecodeLossy(text: string): string {
  const first = text.indexOf("%");
  if (first < 0) return text.toWellFormed();
  const decoded = decodeAscii(text, first, "keep");
  return decoded === null ? utf8(decodedBytes(text), false)! : decoded.toWellFormed();
}

/**
 * Decodes percent escapes once and accepts neither malformed escapes nor malformed UTF-8; overlong sequences and surrogates
 * count as malformed. A malformed escape anywhere counts before malformed UTF-8. `+` stays. Source: authorization 3.9.
 */
export function percentDecodeStrict(text: string): Result<string, "CANON_PCT" | "CANON_UTF8"> {
  const first = text.indexOf("%");
  let decoded = first < 0 ? text : decodeAscii(text, first, "give-up");
  if (decoded === null) {
    if (MALFORMED_ESCAPE.test(text)) return err("CANON_PCT");
    decoded = utf8(decodedBytes(text), true);
  }
  // The encoder turns a lone surrogate of the text itself into a valid character.
  return decoded === null || !text.isWellFormed() ? err("CANON_UTF8") : ok(decoded);
}

/** The byte that the escape at `at` stands for; -1 when there is no well-formed escape at this place. */
export function escapeAt(text: string, at: number): number {
  if (text.charCodeAt(at) !== PERCENT) return -1;
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** Value of a hexadecimal digit; -1 for another character and for the end of the text. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * Decodes escapes of ASCII. `null` at the first escape of a byte beyond, which only makes sense together with others, and,
 * unless they are kept, at a malformed escape.
 */
function decodeAscii(text: string, first: number, malformed: "keep" | "give-up"): string | null {
  let decoded = "";
  let copied = 0;
  for (let at = first; at >= 0;) {
    const byte = escapeAt(text, at);
    if (byte >= 0x80 || (byte < 0 && malformed === "give-up")) return null;
    if (byte >= 0) {
      decoded += text.slice(copied, at) + String.fromCharCode(byte);
      copied = at + 3;
    }
    at = text.indexOf("%", at + (byte < 0 ? 1 : 3));
  }
  return decoded + text.slice(copied);
}

/** The bytes of the text in UTF-8 with well-formed escapes decoded. */
function decodedBytes(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at]!;
    if (byte === PERCENT && at + 2 < bytes.length) {
      const high = hexDigit(bytes[at + 1]!);
      const low = hexDigit(bytes[at + 2]!);
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low;
        at += 2;
      }
    }
    bytes[length++] = byte;
  }
  return bytes.subarray(0, length);
}

/** `null` when `fatal` and malformed. A leading byte order mark is a character like any other. */
function utf8(bytes: Uint8Array, fatal: boolean): string | null {
  try {
    return new TextDecoder("utf-8", { ignoreBOM: true, fatal }).decode(bytes);
  } catch {
    return null;
  }
}
