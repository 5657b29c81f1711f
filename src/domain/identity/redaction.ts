import { cutToBytes } from "../wire/text_cut.ts";
import type { RedactedText } from "./caller.ts";
import { findAssignment } from "./redaction_assignments.ts";
import {
  type CharSource,
  findAccessToken,
  type Finder,
  findJsonWebToken,
  findMarkedKey,
  findPaddedKey,
  findPrivateKey,
  findUrlCredentials,
  type Span,
} from "./redaction_finders.ts";

/** What stands in place of a secret. */
export const REDACTION_MARK = "[REDACTED]";
/** Most bytes of a text that are looked at; the rest is dropped. */
export const MAX_REDACTION_BYTES = 4096;
/** Where a text is cut, at most so many characters of the last word are hidden with it. */
const MAX_HIDDEN_TAIL = 512;

/** A class of secrets: how it is found, and a native test that is false for most texts which have none of it. */
interface SecretClass {
  readonly find: Finder;
  readonly possible: (text: string) => boolean;
}

const CLASSES: readonly SecretClass[] = Object.freeze([
  { find: findAssignment, possible: (text) => NAME_ENDINGS.test(text) },
  { find: findUrlCredentials, possible: (text) => text.includes("://") && text.includes("@") },
  { find: findJsonWebToken, possible: (text) => text.includes("eyJ") },
  { find: findPrivateKey, possible: (text) => text.includes("PRIVATE KEY") },
  { find: findMarkedKey, possible: (text) => text.includes("AzCa") || text.includes("AZDO") },
  { find: findPaddedKey, possible: (text) => text.includes("=") && text.length > 40 },
  { find: findAccessToken, possible: (text) => text.length > 52 && BASE32_RUN.test(text) },
]);

// Both are linear: a choice of words, and a run of fixed length.
const NAME_ENDINGS =
  /authorization|passw|pswd|pwd|key|sig|secret|token|passphrase|credential|sas|bearer/i;
const BASE32_RUN = /[a-z2-7]{52}|[A-Z2-7]{52}/;

/**
 * The only maker of `RedactedText`: at most the first 4 KiB of `text`, with the secrets replaced by `[REDACTED]`.
 * Where the text is cut, its last, perhaps incomplete word is hidden too. Source: wire-protocol 8.3, authorization 5.6.
 */
export function redactedText(text: string): RedactedText {
  const head = cutToBytes(text, MAX_REDACTION_BYTES);
  if (head.length === text.length) return redact(head) as RedactedText;
  const lastBlank = Math.max(head.lastIndexOf(" "), head.lastIndexOf("\n"));
  const wordStart = Math.max(lastBlank + 1, head.length - MAX_HIDDEN_TAIL);
  return redact(head.slice(0, wordStart) + REDACTION_MARK) as RedactedText;
}

/**
 * `text` with its secrets replaced by `[REDACTED]`. Total, linear in the length of the text, and doing it again changes
 * nothing. DEVIATION D-16: more is recognised than others do, never less.
 * Source: wire-protocol 8.3 and S-27, authorization 5.6, agent 8.6.
 */
export function redact(text: string): string {
  const finders = CLASSES.filter(({ possible }) => possible(text)).map(({ find }) => find);
  if (finders.length === 0) return text;
  const source: CharSource = {
    length: text.length,
    code: (index) => index >= 0 && index < text.length ? text.charCodeAt(index) : -1,
    slice: (start, end) => text.slice(start, end),
  };
  return redactSource(source, finders);
}

/** The same with all classes, over any source of characters. */
export function redactSource(
  text: CharSource,
  finders: readonly Finder[] = CLASSES.map(({ find }) => find),
): string {
  const found = finders.map((find) => find(text, 0));
  let redacted = "";
  let at = 0;
  for (let next = firstOf(found); next !== null; next = firstOf(found)) {
    redacted += text.slice(at, next.start) + REDACTION_MARK;
    at = endOfOverlap(found, next.end);
    for (const [index, find] of finders.entries()) {
      const span = found[index] ?? null;
      if (span !== null && span.start < at) found[index] = find(text, at);
    }
  }
  return redacted + text.slice(at, text.length);
}

/**
 * Where the last of the spans ends that hang together with one ending at `end`. Secrets may reach into each other; what is left
 * of one would be looked for again and again, and is a secret all the same.
 */
function endOfOverlap(spans: readonly (Span | null)[], end: number): number {
  const longer = spans.find((span) => span !== null && span.start < end && span.end > end);
  return longer === undefined || longer === null ? end : endOfOverlap(spans, longer.end);
}

/** The span that starts first; of two that start together the longer one. */
function firstOf(spans: readonly (Span | null)[]): Span | null {
  let first: Span | null = null;
  for (const span of spans) {
    if (span === null) continue;
    if (
      first === null || span.start < first.start ||
      (span.start === first.start && span.end > first.end)
    ) first = span;
  }
  return first;
}
