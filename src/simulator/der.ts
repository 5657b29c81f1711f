import { Buffer } from "node:buffer";

/** Tags of the kinds of values that certificates are made of. Source: ITU-T X.690. */
export const DER = Object.freeze({
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_ID: 0x06,
  UTF8_STRING: 0x0c,
  UTC_TIME: 0x17,
  SEQUENCE: 0x30,
  SET: 0x31,
  /** `[0]`, explicit. */
  CONTEXT_0: 0xa0,
  /** `[0]`, implicit, of something that is not constructed. */
  IMPLICIT_0: 0x80,
});

/** One value with its tag and length; several parts follow each other inside. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(DER.SEQUENCE, ...parts);
}

/** A number that is not negative; bytes are taken as one, the most significant first. */
export function integer(value: number | Uint8Array): Buffer {
  const bytes = typeof value === "number" ? Buffer.from([value]) : Buffer.from(value);
  const isNegative = (bytes[0] ?? 0) >= 0x80;
  return der(DER.INTEGER, isNegative ? Buffer.concat([Buffer.from([0]), bytes]) : bytes);
}

/** An object identifier in dots. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return der(
    DER.OBJECT_ID,
    Buffer.from([first * 40 + second, ...rest.flatMap(base128)]),
  );
}

/** The values, tag and length included, that lie in a constructed one. `null` when it is none, or cut short. */
export function childrenOf(value: Uint8Array): Uint8Array[] | null {
  const outer = headOf(value, 0);
  if (outer === null || outer.end !== value.length) return null;
  const children: Uint8Array[] = [];
  for (let at = outer.start; at < outer.end;) {
    const child = headOf(value, at);
    if (child === null) return null;
    children.push(value.subarray(at, child.end));
    at = child.end;
  }
  return children;
}

/** Where the content of the value at `at` begins and ends. */
function headOf(bytes: Uint8Array, at: number): { start: number; end: number } | null {
  const first = bytes[at + 1];
  if (first === undefined) return null;
  const more = first < 0x80 ? 0 : first & 0x7f;
  if (more > 3) return null;
  let length = first < 0x80 ? first : 0;
  for (let index = 0; index < more; index++) length = length * 256 + (bytes[at + 2 + index] ?? 0);
  const start = at + 2 + more;
  return start + length > bytes.length ? null : { start, end: start + length };
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return [0x80 | bytes.length, ...bytes];
}

function base128(value: number): number[] {
  const digits = [value % 128];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) {
    digits.unshift(0x80 | left % 128);
  }
  return digits;
}
