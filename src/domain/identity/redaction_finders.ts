/** A text that is read character by character, so that a test can count the reads. */
export interface CharSource {
  readonly length: number;
  /** The UTF-16 unit at `index`; -1 outside the text. */
  code(index: number): number;
  slice(start: number, end: number): string;
}

/** Part of a text, `end` not included. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Finds the first secret of one class that starts at or after `from`; `null` when there is none. What lies before `from` is
 * not looked at: it was redacted and counts as a border. Each finder reads a text at most a fixed number of times.
 */
export type Finder = (text: CharSource, from: number) => Span | null;

// The character classes are bits, so that a run may be of several.
const DIGIT = 1;
const UPPER = 2;
const LOWER = 4;
const BASE64_MARK = 16; // + /
/** `_` and `-`. */
export const IDENT_MARK = 8;
/** Space and tab. */
export const BLANK = 32;
/** Carriage return and line feed. */
export const LINE_END = 64;
/** Single and double quote. */
export const QUOTE = 128;
/** Letters and digits of ASCII. */
export const ALNUM: number = DIGIT | UPPER | LOWER;

/** The class of a character as one bit; 0 for all that have none. */
export function classOf(code: number): number {
  if (code >= 0x61 && code <= 0x7a) return LOWER;
  if (code >= 0x41 && code <= 0x5a) return UPPER;
  if (code >= 0x30 && code <= 0x39) return DIGIT;
  switch (code) {
    case 0x5f:
    case 0x2d:
      return IDENT_MARK;
    case 0x2b:
    case 0x2f:
      return BASE64_MARK;
    case 0x20:
    case 0x09:
      return BLANK;
    case 0x0a:
    case 0x0d:
      return LINE_END;
    case 0x22:
    case 0x27:
      return QUOTE;
    default:
      return 0;
  }
}

/** End of the run of characters of `classes` that starts at `start`. */
export function runEnd(text: CharSource, start: number, classes: number): number {
  let end = start;
  while (end < text.length && (classOf(text.code(end)) & classes) !== 0) end++;
  return end;
}

/** Where `word` stands next, between `from` and `until`; -1 when nowhere. */
function findWord(text: CharSource, word: string, from: number, until: number): number {
  for (let at = from; at + word.length <= until; at++) {
    if (hasWord(text, word, at)) return at;
  }
  return -1;
}

function hasWord(text: CharSource, word: string, at: number): boolean {
  for (let index = 0; index < word.length; index++) {
    if (text.code(at + index) !== word.charCodeAt(index)) return false;
  }
  return true;
}

/** `BEGIN … PRIVATE KEY` to `-----END … PRIVATE KEY`, or to the end of the text when it is cut off. */
export function findPrivateKey(text: CharSource, from: number): Span | null {
  for (let at = from; at < text.length; at++) {
    if (text.code(at) !== 0x42 || !hasWord(text, "BEGIN", at)) continue;
    const bodyStart = afterKeyWords(text, at + 5);
    if (bodyStart < 0) continue;
    const endMark = findWord(text, "-----END", bodyStart, text.length);
    if (endMark < 0) return { start: at, end: text.length };
    const afterEnd = afterKeyWords(text, endMark + 8);
    return { start: at, end: afterEnd < 0 ? endMark + 8 : afterEnd };
  }
  return null;
}

/** Behind `PRIVATE KEY`, when only capital words of at most 40 characters stand before it; else -1. */
function afterKeyWords(text: CharSource, from: number): number {
  const until = Math.min(text.length, from + 51);
  const at = findWord(text, "PRIVATE KEY", from, until);
  if (at < 0 || runEnd(text, from, UPPER | DIGIT | BLANK) < at) return -1;
  return at + 11;
}

/** A JSON web token: from `eyJ` to the end of the run, when a dot is in it. The whole token goes, not its head alone. */
export function findJsonWebToken(text: CharSource, from: number): Span | null {
  let at = from;
  while (at < text.length) {
    let end = at;
    let start = -1;
    let dotted = false;
    for (; end < text.length; end++) {
      const code = text.code(end);
      if (code === 0x2e) {
        dotted ||= start >= 0;
      } else if ((classOf(code) & (ALNUM | IDENT_MARK)) === 0) {
        break;
      } else if (start < 0 && code === 0x65 && hasWord(text, "eyJ", end)) {
        start = end;
      }
    }
    if (dotted) return { start, end };
    at = end + 1;
  }
  return null;
}

/** `scheme://user:password@host`; also a long user alone, which is how tokens are put into addresses. */
export function findUrlCredentials(text: CharSource, from: number): Span | null {
  for (let at = from; at < text.length; at++) {
    if (text.code(at) !== 0x3a || text.code(at + 1) !== 0x2f || text.code(at + 2) !== 0x2f) {
      continue;
    }
    let colon = false;
    let sign = -1;
    let end = at + 3;
    for (; end < text.length && !endsAuthority(text.code(end)); end++) {
      if (text.code(end) === 0x40) sign = end;
      else if (text.code(end) === 0x3a && sign < 0) colon = true;
    }
    if (sign < 0 || (!colon && sign - at - 3 < 20)) continue;
    return { start: schemeStart(text, at, from), end };
  }
  return null;
}

function endsAuthority(code: number): boolean {
  // Everything that is no part of an authority, brackets included: what they enclose may be redacted already.
  return code <= 0x20 || code === 0x7f || '/?#"<>[]\\`{}|^'.includes(String.fromCharCode(code));
}

function schemeStart(text: CharSource, colon: number, from: number): number {
  let start = colon;
  const limit = Math.max(from, colon - 32);
  while (start > limit) {
    const code = text.code(start - 1);
    if ((classOf(code) & ALNUM) === 0 && code !== 0x2b && code !== 0x2d && code !== 0x2e) break;
    start--;
  }
  return start;
}

/** Keys that carry their maker's mark: `AzCa` (33 characters before, 6 behind), `AZDO` (76 before). The whole run goes. */
export function findMarkedKey(text: CharSource, from: number): Span | null {
  for (let start = from; start < text.length; start++) {
    const end = runEnd(text, start, ALNUM);
    if (end - start >= 43) {
      const cache = findWord(text, "AzCa", start + 33, end);
      if (cache >= 0 && end - cache >= 10) return { start, end: afterPadding(text, end) };
      const devops = findWord(text, "AZDO", start + 72, end);
      if (devops >= 0) return { start, end };
    }
    start = end;
  }
  return null;
}

/**
 * Base64 of at least 40 characters with padding, as storage and service keys have it. What follows does not matter: it may be
 * a secret too, and what is decided here must not change when that is gone.
 */
export function findPaddedKey(text: CharSource, from: number): Span | null {
  for (let start = from; start < text.length; start++) {
    const end = runEnd(text, start, ALNUM | BASE64_MARK);
    const padded = afterPadding(text, end);
    if (end - start >= 40 && padded > end) return { start, end: padded };
    start = end;
  }
  return null;
}

function afterPadding(text: CharSource, end: number): number {
  let padded = end;
  while (padded < end + 2 && text.code(padded) === 0x3d) padded++;
  return padded;
}

const ACCESS_TOKEN_MARKS: readonly string[] = Object.freeze([
  "token",
  "ado",
  "vsts",
  "azuredevops",
  "pat",
]);

/** A personal access token: a marking word, any one character, 52 base32 characters of one case. */
export function findAccessToken(text: CharSource, from: number): Span | null {
  for (let at = from; at < text.length; at++) {
    if ((classOf(text.code(at)) & (UPPER | LOWER)) === 0) continue;
    for (const mark of ACCESS_TOKEN_MARKS) {
      if (!hasWordIgnoringCase(text, mark, at)) continue;
      const start = at + mark.length + 1;
      const end = Math.max(base32End(text, start, LOWER), base32End(text, start, UPPER));
      if (end - start >= 52) return { start: at, end };
    }
  }
  return null;
}

function hasWordIgnoringCase(text: CharSource, word: string, at: number): boolean {
  for (let index = 0; index < word.length; index++) {
    if ((text.code(at + index) | 0x20) !== word.charCodeAt(index)) return false;
  }
  return true;
}

/** End of the run of base32 characters of one case; at most 128 are looked at. */
function base32End(text: CharSource, start: number, letters: number): number {
  let end = start;
  while (end < text.length && end < start + 128) {
    const code = text.code(end);
    if ((classOf(code) & letters) === 0 && (code < 0x32 || code > 0x37)) break;
    end++;
  }
  return end;
}
