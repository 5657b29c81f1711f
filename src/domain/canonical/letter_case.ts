/**
 * Code points that have a lower-case letter since a later edition of Unicode than the runtime's. A rule spelt with one of
 * them would else be missed by the request that it is about. Source: authorization 3.17.
 */
const LATE_UPPER = /[\uA7CE\uA7D2\uA7D4\u{16EA0}-\u{16EB8}]/u;
const LATE_UPPER_ALL = /[\uA7CE\uA7D2\uA7D4\u{16EA0}-\u{16EB8}]/gu;
const LATE_ASTRAL_START = 0x16ea0;
const LATE_ASTRAL_DISTANCE = 0x1b;

const UPPER = /[A-Z]/;
const UPPER_ALL = /[A-Z]/g;
const BEYOND_ASCII = /[^\0-\x7f]/;

/** The text in lower case by all rules of Unicode, whatever edition the runtime knows. Source: authorization 3.1 and 3.17. */
export function unicodeLower(text: string): string {
  const lower = text.toLowerCase();
  return LATE_UPPER.test(lower) ? lower.replace(LATE_UPPER_ALL, lateLower) : lower;
}

/** The text with A to Z in lower case and everything else as it is: a Kelvin sign stays one. Source: authorization 3.17. */
export function asciiLower(text: string): string {
  if (!UPPER.test(text)) return text;
  // In ASCII the two notions of lower case agree, and the runtime's own is the faster one.
  if (!BEYOND_ASCII.test(text)) return text.toLowerCase();
  return text.replace(UPPER_ALL, (letter) => String.fromCharCode(letter.charCodeAt(0) | 0x20));
}

function lateLower(letter: string): string {
  const code = letter.codePointAt(0)!;
  return String.fromCodePoint(code + (code < LATE_ASTRAL_START ? 1 : LATE_ASTRAL_DISTANCE));
}
