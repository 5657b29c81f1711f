import {
  ALNUM,
  BLANK,
  type CharSource,
  classOf,
  IDENT_MARK,
  LINE_END,
  QUOTE,
  runEnd,
  type Span,
} from "./redaction_finders.ts";

/** How far the secret behind a name reaches. */
type Family =
  /** Passwords and connection-string keys: with `=` to the next `;`. */
  | "password"
  /** Signatures in addresses: with `=` to the next `&`. */
  | "signature"
  /** Secrets and tokens: one value. */
  | "secret"
  /** Words that are harmless unless what follows looks like a key. */
  | "weak"
  /** HTTP credentials: to the end of the line. */
  | "authorization";

/** Endings of names, in lower case, without `-` and `_`, and their families. The first that fits counts. */
const ENDINGS: readonly (readonly [ending: string, family: Family])[] = Object.freeze([
  ["authorization", "authorization"],
  ["password", "password"],
  ["passwd", "password"],
  ["pswd", "password"],
  ["pwd", "password"],
  ["accountkey", "password"],
  ["primarykey", "password"],
  ["secondarykey", "password"],
  ["sig", "signature"],
  ["secret", "secret"],
  ["token", "secret"],
  ["passphrase", "secret"],
  ["credential", "secret"],
  ["credentials", "secret"],
  ["apikey", "secret"],
  ["accesskey", "secret"],
  ["secretkey", "secret"],
  ["privatekey", "secret"],
  ["sharedkey", "secret"],
  ["storagekey", "secret"],
  ["masterkey", "secret"],
  ["encryptionkey", "secret"],
  ["signingkey", "secret"],
  ["subscriptionkey", "secret"],
  ["functionskey", "secret"],
  ["clientkey", "secret"],
  ["appkey", "secret"],
  ["sas", "weak"],
  ["key", "weak"],
  ["bearer", "weak"],
]);

const SHORTEST_ENDING = 3;

/** Authorization schemes, for `authorization` without a colon: in prose the word alone says nothing. */
const SCHEMES: readonly string[] = Object.freeze([
  "basic",
  "bearer",
  "digest",
  "negotiate",
  "ntlm",
  "oauth",
  "dpop",
  "pop",
  "token",
  "apikey",
  "sharedkey",
  "sharedkeylite",
  "sharedaccesssignature",
  "aws4-hmac-sha256",
  "azure-hmac-sha256",
  "hmac-sha256",
]);

/** Longest stretch of blanks, quotes and backslashes between a name and its value. */
const MAX_GAP = 8;

/**
 * Finds a name that says that a secret follows, with the secret: `password=…`, `"client_secret": "…"`, `--token …`,
 * `Authorization: …`. Names may be of any case and may have anything in front of them.
 */
export function findAssignment(text: CharSource, from: number): Span | null {
  let at = from;
  while (at < text.length) {
    const end = runEnd(text, at, ALNUM | IDENT_MARK);
    if (end === at) {
      at++;
      continue;
    }
    const named = end - at >= SHORTEST_ENDING && mayEndName(text.code(end));
    const family = named ? familyOf(text, at, end) : null;
    if (family !== null) {
      const secretEnd = endOfSecret(text, family, at, end);
      if (secretEnd > 0) return { start: nameStart(text, at, end), end: secretEnd };
    }
    at = end;
  }
  return null;
}

function mayEndName(code: number): boolean {
  return code === 0x3d || code === 0x3a || code === 0x5c ||
    (classOf(code) & (BLANK | QUOTE)) !== 0;
}

function familyOf(text: CharSource, start: number, end: number): Family | null {
  const name = text.slice(Math.max(start, end - 32), end).toLowerCase().replace(/[-_]/g, "");
  for (const [ending, family] of ENDINGS) {
    if (name.endsWith(ending)) return family;
  }
  return null;
}

/** Without the dashes of an option. */
function nameStart(text: CharSource, start: number, end: number): number {
  let first = start;
  while (first < end - 1 && text.code(first) === 0x2d) first++;
  return first;
}

/** Where the secret ends that belongs to the name; 0 when none does. */
function endOfSecret(text: CharSource, family: Family, start: number, end: number): number {
  const sign = skipGap(text, end);
  const separator = text.code(sign);
  if (separator !== 0x3d && separator !== 0x3a) {
    return endAfterBlank(text, family, start, end);
  }
  if (family === "authorization") return endOfLine(text, sign);
  if (separator === 0x3d && family === "password") return endBefore(text, sign + 1, 0x3b);
  if (family === "signature") {
    return separator === 0x3d ? endBefore(text, sign + 1, 0x26) : 0;
  }
  const valueStart = skipBlanks(text, sign + 1);
  return family === "weak" && !looksLikeKey(text, valueStart) ? 0 : endOfValue(text, valueStart);
}

/** `--token VALUE` and the like. Passwords are taken with any value, others in prose only when the value looks like a key. */
function endAfterBlank(text: CharSource, family: Family, start: number, end: number): number {
  const valueStart = skipBlanks(text, end);
  if (valueStart === end || family === "signature") return 0;
  if (family === "authorization") {
    const word = runEnd(text, valueStart, ALNUM | IDENT_MARK);
    const scheme = text.slice(valueStart, Math.min(word, valueStart + 32)).toLowerCase();
    return SCHEMES.includes(scheme) ? endOfLine(text, word) : 0;
  }
  const sure = family === "password" || (family === "secret" && text.code(start) === 0x2d);
  return sure || looksLikeKey(text, valueStart) ? endOfValue(text, valueStart) : 0;
}

/**
 * Where a value ends: with its quotes, which may be escaped, or before white space, `;`, `&` or a quote. 0 when it is empty.
 */
function endOfValue(text: CharSource, start: number): number {
  let at = start;
  const escaped = text.code(at) === 0x5c && isQuote(text.code(at + 1));
  if (escaped) at++;
  const quote = text.code(at);
  if (!isQuote(quote)) {
    while (at < text.length && !endsValue(text.code(at))) at++;
    return at > start ? at : 0;
  }
  for (at++; at < text.length; at++) {
    if (text.code(at) === quote && (text.code(at - 1) === 0x5c) === escaped) {
      return at + 1;
    }
  }
  return text.length;
}

function endsValue(code: number): boolean {
  return code === 0x3b || code === 0x26 || (classOf(code) & (BLANK | LINE_END | QUOTE)) !== 0;
}

/**
 * At least 20 characters of an encoding, with letters and digits mixed, or 32 and more. Looks at 34 characters at most: a
 * name may be followed by any number of such values that are none.
 */
function looksLikeKey(text: CharSource, from: number): boolean {
  let start = from;
  if (text.code(start) === 0x5c) start++;
  if (isQuote(text.code(start))) start++;
  if (text.code(start) === 0x2f) return false; // a path
  let at = start;
  let digits = 0;
  let letters = 0;
  for (; at < start + 32; at++) {
    const code = text.code(at);
    if (code >= 0x30 && code <= 0x39) digits++;
    else if ((classOf(code) & ALNUM) !== 0) letters++;
    else if (!KEY_MARKS.includes(code)) break;
  }
  const length = at - start;
  return length >= 32 || (length >= 20 && digits > 0 && letters > 0);
}

/** `+ / _ - ~ =`. */
const KEY_MARKS: readonly number[] = Object.freeze([0x2b, 0x2f, 0x5f, 0x2d, 0x7e, 0x3d]);

function isQuote(code: number): boolean {
  return (classOf(code) & QUOTE) !== 0;
}

/** Behind blanks, quotes and backslashes. */
function skipGap(text: CharSource, from: number): number {
  let at = from;
  while (at < from + MAX_GAP) {
    const code = text.code(at);
    if (code !== 0x5c && (classOf(code) & (BLANK | QUOTE)) === 0) break;
    at++;
  }
  return at;
}

function skipBlanks(text: CharSource, from: number): number {
  let at = from;
  while (at < from + MAX_GAP && (classOf(text.code(at)) & BLANK) !== 0) at++;
  return at;
}

function endBefore(text: CharSource, from: number, stop: number): number {
  let at = from;
  while (at < text.length && text.code(at) !== stop) at++;
  return at;
}

function endOfLine(text: CharSource, from: number): number {
  let at = from;
  while (at < text.length && (classOf(text.code(at)) & LINE_END) === 0) at++;
  return at;
}
