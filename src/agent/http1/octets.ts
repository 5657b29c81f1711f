import { Buffer } from "node:buffer";

export const TAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const COLON = 58;
export const SEMICOLON = 59;

/** Per byte: the lower-cased token character, or 0 when the byte may not stand in a field name. Source: RFC 9110 5.6.2. */
export const TOKEN_LOWER: Uint8Array = tokenTable();

/** Per byte: 1 when it may stand in a field value: visible, blank, tab, or 0x80 and above. Source: RFC 9110 5.5. */
export const FIELD_CONTENT: Uint8Array = contentTable();

/** Per byte: value of a hex digit, or 255. */
export const HEX_VALUE: Uint8Array = hexTable();

/** Text of the bytes `from` to `to`, one character per byte. */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString("latin1");
}

function tokenTable(): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
    table[character.charCodeAt(0)] = character.charCodeAt(0);
  }
  for (let upper = 65; upper <= 90; upper++) table[upper] = upper + 32;
  return table;
}

function contentTable(): Uint8Array {
  const table = new Uint8Array(256);
  table.fill(1, 32, 256);
  table[TAB] = 1;
  table[127] = 0;
  return table;
}

function hexTable(): Uint8Array {
  const table = new Uint8Array(256).fill(255);
  for (let digit = 0; digit < 10; digit++) table[48 + digit] = digit;
  for (let digit = 10; digit < 16; digit++) {
    table[65 + digit - 10] = digit;
    table[97 + digit - 10] = digit;
  }
  return table;
}
