import { err, ok, type Result } from "../../runtime/result.ts";

/** A parsed JSON object. A map, so that no member name can reach a prototype. */
export type JsonObject = ReadonlyMap<string, JsonValue>;
/** A parsed JSON value. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** Why a text is not acceptable JSON. */
export type JsonCode =
  | "JSON_SYNTAX"
  | "JSON_TRAILING_TEXT"
  | "JSON_DUPLICATE_MEMBER"
  | "JSON_TOO_DEEP";

/** Where and why parsing ended. */
export interface JsonFault {
  readonly code: JsonCode;
  /** Index into the text, in UTF-16 units. */
  readonly offset: number;
  /** Where in the document, e.g. `$.authorizationRules.imds.mode`. */
  readonly path: string;
}

/** Deepest nesting that is accepted unless the caller says otherwise. */
export const MAX_JSON_DEPTH = 128;

/**
 * Parses JSON by the letter of RFC 8259 and refuses what `JSON.parse` lets through: a member name that occurs twice in one
 * object, at any depth, and nesting deeper than `maxDepth`. Objects become maps. Linear in the length of the text.
 * DEVIATION D-15: repeated names are refused everywhere, also where the schema knows no member.
 * Source: authorization 1.2 and 3.17, wire-protocol 2.2 and S-43.
 */
export function parseStrictJson(
  text: string,
  maxDepth: number = MAX_JSON_DEPTH,
): Result<JsonValue, JsonFault> {
  const parser = new Parser(text, maxDepth);
  try {
    return ok(parser.document());
  } catch (error) {
    if (error instanceof ParseStop) {
      return err({ code: error.code, offset: error.offset, path: parser.path() });
    }
    throw error;
  }
}

/** Ends the recursion; never leaves this file. */
class ParseStop {
  constructor(readonly code: JsonCode, readonly offset: number) {}
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

class Parser {
  /** Everything but control characters, the quote and the backslash. */
  readonly #plainText = /[ !#-[\]-\uffff]*/y;
  readonly #digits = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
  readonly #hex4 = /[0-9a-fA-F]{4}/y;
  readonly #text: string;
  readonly #maxDepth: number;
  #at = 0;
  /** Member names and indices on the way to the current value. */
  readonly #trail: (string | number)[] = [];

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#skipBlanks();
    if (this.#at < this.#text.length) throw new ParseStop("JSON_TRAILING_TEXT", this.#at);
    return value;
  }

  path(): string {
    let path = "$";
    for (const step of this.#trail) path += jsonPathStep(step);
    return path;
  }

  #value(depth: number): JsonValue {
    this.#skipBlanks();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    this.#enter(depth);
    const members = new Map<string, JsonValue>();
    this.#skipBlanks();
    if (this.#take("}")) return members;
    do {
      this.#skipBlanks();
      const nameAt = this.#at;
      if (this.#text[nameAt] !== '"') throw this.#stop();
      const name = this.#string();
      this.#trail.push(name);
      if (members.has(name)) throw new ParseStop("JSON_DUPLICATE_MEMBER", nameAt);
      this.#skipBlanks();
      if (!this.#take(":")) throw this.#stop();
      members.set(name, this.#value(depth + 1));
      this.#trail.pop();
      this.#skipBlanks();
    } while (this.#take(","));
    if (!this.#take("}")) throw this.#stop();
    return members;
  }

  #array(depth: number): readonly JsonValue[] {
    this.#enter(depth);
    const items: JsonValue[] = [];
    this.#skipBlanks();
    if (this.#take("]")) return items;
    do {
      this.#trail.push(items.length);
      items.push(this.#value(depth + 1));
      this.#trail.pop();
      this.#skipBlanks();
    } while (this.#take(","));
    if (!this.#take("]")) throw this.#stop();
    return items;
  }

  #enter(depth: number): void {
    if (depth >= this.#maxDepth) throw new ParseStop("JSON_TOO_DEEP", this.#at);
    this.#at++;
  }

  #string(): string {
    this.#at++;
    let text = this.#match(this.#plainText) ?? "";
    while (!this.#take('"')) {
      if (!this.#take("\\")) throw this.#stop();
      text += this.#escape();
      text += this.#match(this.#plainText) ?? "";
    }
    return text;
  }

  #escape(): string {
    if (this.#take("u")) {
      const digits = this.#match(this.#hex4);
      if (digits === null) throw this.#stop();
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const plain = ESCAPES.get(this.#text[this.#at] ?? "");
    if (plain === undefined) throw this.#stop();
    this.#at++;
    return plain;
  }

  #number(): number {
    const digits = this.#match(this.#digits);
    if (digits === null) throw this.#stop();
    return Number(digits);
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#stop();
    this.#at += word.length;
    return value;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.#at += match[0].length;
    return match[0];
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #skipBlanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #stop(): ParseStop {
    return new ParseStop("JSON_SYNTAX", this.#at);
  }
}

/** One step of a JSON path. Names that are no plain words are quoted, long ones are cut: they come from outside. */
export function jsonPathStep(step: string | number): string {
  if (typeof step === "number") return `[${step}]`;
  const name = step.length <= 64 ? step : step.slice(0, 64).toWellFormed() + "…";
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}
