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
  const steps = parseStrictJsonSteps(text, maxDepth);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** The same in steps, for documents that would hold up everything else: each step takes well below a millisecond. */
export function* parseStrictJsonSteps(
  text: string,
  maxDepth: number = MAX_JSON_DEPTH,
): Generator<void, Result<JsonValue, JsonFault>> {
  const parser = new Parser(text, maxDepth);
  try {
    return ok(yield* parser.document());
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

/** A container whose end has not been read yet. */
type Container =
  | { readonly end: "}"; readonly members: Map<string, JsonValue>; name: string }
  | { readonly end: "]"; readonly items: JsonValue[] };

function contentOf(container: Container): JsonValue {
  return container.end === "]" ? container.items : container.members;
}

/** As many values are read between two pauses. */
const VALUES_IN_A_STEP = 512;

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

  *document(): Generator<void, JsonValue> {
    const value = yield* this.#value();
    this.#skipBlanks();
    if (this.#at < this.#text.length) throw new ParseStop("JSON_TRAILING_TEXT", this.#at);
    return value;
  }

  path(): string {
    let path = "$";
    for (const step of this.#trail) path += jsonPathStep(step);
    return path;
  }

  /** One value with all that it holds. Open containers are on a stack of their own, so that depth costs no recursion. */
  *#value(): Generator<void, JsonValue> {
    const open: Container[] = [];
    let untilPause = VALUES_IN_A_STEP;
    for (;;) {
      if (--untilPause === 0) {
        untilPause = VALUES_IN_A_STEP;
        yield;
      }
      this.#skipBlanks();
      let value: JsonValue;
      const first = this.#text[this.#at];
      if (first === "{" || first === "[") {
        const container = this.#open(first, open.length);
        if (this.#isFilled(container)) {
          open.push(container);
          this.#beginElement(container);
          continue;
        }
        value = contentOf(container);
      } else {
        value = this.#scalar(first);
      }
      // The value is complete; so is every container that it was the last one in.
      for (;;) {
        const container = open.at(-1);
        if (container === undefined) return value;
        this.#add(container, value);
        this.#skipBlanks();
        if (this.#take(",")) {
          this.#beginElement(container);
          break;
        }
        if (!this.#take(container.end)) throw this.#stop();
        value = contentOf(container);
        open.pop();
      }
    }
  }

  #scalar(first: string | undefined): JsonValue {
    switch (first) {
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

  #open(first: "{" | "[", depth: number): Container {
    this.#enter(depth);
    return first === "{" ? { end: "}", members: new Map(), name: "" } : { end: "]", items: [] };
  }

  /** Whether something follows before the end; an empty container is done with. */
  #isFilled(container: Container): boolean {
    this.#skipBlanks();
    return !this.#take(container.end);
  }

  /** Notes where the next value belongs; in an object that takes its name. */
  #beginElement(container: Container): void {
    if (container.end === "]") {
      this.#trail.push(container.items.length);
      return;
    }
    this.#skipBlanks();
    const nameAt = this.#at;
    if (this.#text[nameAt] !== '"') throw this.#stop();
    container.name = this.#string();
    this.#trail.push(container.name);
    if (container.members.has(container.name)) {
      throw new ParseStop("JSON_DUPLICATE_MEMBER", nameAt);
    }
    this.#skipBlanks();
    if (!this.#take(":")) throw this.#stop();
  }

  #add(container: Container, value: JsonValue): void {
    this.#trail.pop();
    if (container.end === "]") container.items.push(value);
    else container.members.set(container.name, value);
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
