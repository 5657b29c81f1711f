import { err, ok, type Result } from "../../runtime/result.ts";

/** The texts of an object's members, each a JSON value by the look of its brackets and quotation marks. */
export type MemberTexts = ReadonlyMap<string, string>;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Takes the text of a JSON object apart at its first level, without reading the values: what is found well-formed here, and
 * whose values are JSON, is JSON as a whole. A member that occurs twice, or whose name is written with escapes, is an error.
 * Reading nothing but the ends of values makes it cheap to recognise values that were read before.
 */
export function memberTexts(text: string): Result<MemberTexts, string> {
  const members = new Map<string, string>();
  let at = skipBlanks(text, 0);
  if (text[at] !== "{") return err("the line is no JSON object");
  at = skipBlanks(text, at + 1);
  if (text[at] === "}") return atEnd(text, at + 1, members);
  for (;;) {
    const nameEnd = text.charCodeAt(at) === QUOTE ? endOfString(text, at) : -1;
    if (nameEnd < 0) return notJson(at);
    const name = text.slice(at + 1, nameEnd - 1);
    if (!/^[^\\\p{Cc}]*$/u.test(name)) return err(`a member has an odd name at offset ${at}`);
    if (members.has(name)) return err(`$.${name.slice(0, 64)} occurs twice`);
    at = skipBlanks(text, nameEnd);
    if (text[at] !== ":") return notJson(at);
    at = skipBlanks(text, at + 1);
    const end = endOfValue(text, at);
    if (end <= at) return notJson(at);
    members.set(name, text.slice(at, end));
    at = skipBlanks(text, end);
    if (text[at] === "}") return atEnd(text, at + 1, members);
    if (text[at] !== ",") return notJson(at);
    at = skipBlanks(text, at + 1);
  }
}

function atEnd(text: string, at: number, members: MemberTexts): Result<MemberTexts, string> {
  const end = skipBlanks(text, at);
  return end === text.length ? ok(members) : err(`text after the object at offset ${end}`);
}

function notJson(at: number): Result<MemberTexts, string> {
  return err(`not JSON at offset ${at}`);
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return at;
    at++;
  }
}

/** Behind the closing quotation mark; -1 when there is none. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at + 1;
  }
  return -1;
}

/** Behind the value that begins at `start`; -1 when it has no end. */
function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  let at = start;
  if (first !== 0x7b && first !== 0x5b) {
    while (at < text.length && !isDelimiter(text.charCodeAt(at))) at++;
    return at;
  }
  for (let depth = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at) - 1;
      if (at < 0) return -1;
    } else if (code === 0x7b || code === 0x5b) {
      depth++;
    } else if ((code === 0x7d || code === 0x5d) && --depth === 0) {
      return at + 1;
    }
  }
  return -1;
}

/** What ends a number or a word: a comma, a brace, a bracket or a blank. */
function isDelimiter(code: number): boolean {
  return code === 0x2c || code === 0x7d || code === 0x5d || code === 0x20 || code === 0x09 ||
    code === 0x0a || code === 0x0d;
}
