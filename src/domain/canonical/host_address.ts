/** An address as its parts: an IPv4 address as one number of 32 bits, an IPv6 address as eight groups of 16 bits. */
export type HostAddress =
  | { readonly family: "v4"; readonly bits: number }
  | { readonly family: "v6"; readonly groups: readonly number[] };

const DIGITS = /^[0-9]+$/;
const OCTAL = /^[0-7]+$/;
const HEX_NUMBER = /^0[xX][0-9a-fA-F]{1,8}$/;
const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;
const OCTET = /^(?:0|[1-9][0-9]{0,2})$/;
const MAX_U32 = 0xffff_ffff;

/** Reads four decimal numbers of up to 255, without leading zeros, as an address; `null` for anything else. */
export function parseDottedQuad(text: string): number | null {
  if (text.length > 15) return null;
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let bits = 0;
  for (const part of parts) {
    if (!OCTET.test(part)) return null;
    const octet = Number(part);
    if (octet > 255) return null;
    bits = bits * 256 + octet;
  }
  return bits;
}

/**
 * Reads a host that is written as one to four numbers, each decimal, octal (leading `0`) or hexadecimal (leading `0x`). The
 * last number fills all bytes that the ones before leave. `null` when a part is malformed or too large.
 * Source: authorization 3.10, step 4d.
 */
export function parseNumericHost(text: string): number | null {
  const parts = text.split(".", 5);
  if (parts.length > 4) return null;
  let bits = 0;
  for (const [index, part] of parts.entries()) {
    const value = parseNumber(part);
    if (value === null) return null;
    const isLast = index === parts.length - 1;
    const bytes = isLast ? 4 - index : 1;
    if (value >= 256 ** bytes) return null;
    bits = bits * 256 ** bytes + value;
  }
  return bits;
}

/** `null` unless it is a number of at most 32 bits. */
function parseNumber(part: string): number | null {
  if (HEX_NUMBER.test(part)) return Number(part);
  if (!DIGITS.test(part)) return null;
  if (part.length === 1 || !part.startsWith("0")) return withinU32(Number(part));
  return OCTAL.test(part) ? withinU32(Number.parseInt(part, 8)) : null;
}

function withinU32(value: number): number | null {
  return value <= MAX_U32 ? value : null;
}

/**
 * Reads an IPv6 literal, without brackets and without a zone, as eight groups; `null` for anything else. The last two groups
 * may be a dotted quad. Source: RFC 4291, section 2.2.
 */
export function parseIpv6(text: string): readonly number[] | null {
  if (text.length > 45) return null;
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [headText = "", tailText] = halves;
  const head = parseGroups(headText, tailText === undefined);
  if (tailText === undefined) return head?.length === 8 ? head : null;
  const tail = parseGroups(tailText, true);
  if (head === null || tail === null) return null;
  // The double colon stands for at least one group of zeros.
  const zeros = 8 - head.length - tail.length;
  return zeros < 1 ? null : [...head, ...new Array<number>(zeros).fill(0), ...tail];
}

/** Groups between colons; the last one may be a dotted quad where `quadAllowed`. No text, no groups. */
function parseGroups(text: string, quadAllowed: boolean): number[] | null {
  const groups: number[] = [];
  if (text === "") return groups;
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (HEX_GROUP.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const bits = quadAllowed && index === parts.length - 1 ? parseDottedQuad(part) : null;
    if (bits === null) return null;
    groups.push(Math.floor(bits / 65_536), bits % 65_536);
  }
  return groups;
}

/** The address behind eight groups: an IPv4 address where it is mapped (`::ffff:0:0/96`), otherwise the groups themselves. */
export function unmapped(groups: readonly number[]): HostAddress {
  const mapped = groups.every((group, index) => index > 5 || group === (index === 5 ? 0xffff : 0));
  if (!mapped) return { family: "v6", groups };
  return { family: "v4", bits: groups[6]! * 65_536 + groups[7]! };
}

/** A dotted quad. */
export function dottedQuad(bits: number): string {
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
}

/** Eight groups in hexadecimal, none left out: one text for each address. */
export function groupsText(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(":");
}
