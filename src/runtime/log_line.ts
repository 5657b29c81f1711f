import type { Scalar } from "./errors.ts";
import type { LogFields, LogLevel } from "./logger.ts";

/** Every line's message begins after this many characters. Source: agent 8.1. */
export const HEADER_WIDTH = 34;

/** A whole message is cut to this many UTF-16 units. */
const LONGEST_MESSAGE = 4096;
/** A field's text is cut to this many UTF-16 units. */
const LONGEST_FIELD = 2048;
/** So many of them are looked through for secrets: the cut must not take away by what a secret is known. */
const LONGEST_REDACTED = 2 * LONGEST_FIELD;

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
/** Control and format characters, line and paragraph separators: what can forge a line or turn its text around. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
const PLAIN_VALUE = /^[\w.:/@%+,*-]+$/;

/** UTC, `YYYY-MM-DDTHH:MM:SS.mmm`, always 23 characters. Source: agent 4.2, 8.1. */
export function formatTimestamp(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(0, 23);
}

/** The timestamp as it stands in names of files: dots in place of colons, then the Unix nanoseconds. Source: agent 3.6. */
export function formatFileStamp(unixMs: number, extraNs = 0n): string {
  const ns = BigInt(Math.trunc(unixMs)) * 1_000_000n + extraNs;
  return `${formatTimestamp(unixMs).replaceAll(":", ".")}-${ns}`;
}

/** Timestamp and level, padded to the fixed width. Source: agent 8.1. */
export function formatHeader(unixMs: number, level: LogLevel): string {
  return `${formatTimestamp(unixMs)} [${level.toUpperCase()}]`.padEnd(HEADER_WIDTH).slice(
    0,
    HEADER_WIDTH,
  );
}

/** Cuts `text` to `max` UTF-16 units and marks the cut with `...`; never inside a character. */
export function truncateText(text: string, max: number): string {
  if (text.length <= max) return text;
  const last = text.charCodeAt(max - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return `${text.slice(0, splitsPair ? max - 1 : max)}...`;
}

/** Replaces each character that could forge a line by `\u` and four hexadecimal digits, which is also valid inside a JSON string. */
export function escapeUnsafe(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text;
  return text.replace(UNSAFE, (character) => {
    let escaped = "";
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}

/** JSON text of `value` on one line, without any character that could forge a line. Half characters come out as escapes. */
export function stringifySafe(value: unknown): string {
  return escapeUnsafe(JSON.stringify(value));
}

/** Text and fields as one message: `text key=value key="two words"`. `redact` sees the raw text of each field. */
export function formatMessage(
  text: string,
  fields: LogFields,
  redact: (text: string) => string,
): string {
  let message = escapeUnsafe(text);
  for (const key of Object.keys(fields)) {
    message += ` ${key}=${formatValue(fields[key] ?? null, redact)}`;
  }
  return truncateText(message, LONGEST_MESSAGE);
}

function formatValue(value: Scalar, redact: (text: string) => string): string {
  if (typeof value !== "string") return String(value);
  const text = truncateText(redact(truncateText(value, LONGEST_REDACTED)), LONGEST_FIELD);
  return PLAIN_VALUE.test(text) ? text : stringifySafe(text);
}
