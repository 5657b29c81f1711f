import { isJsonObject } from "./canonical_json.ts";
import type { DocumentCode, DocumentFault } from "./document_reader.ts";
import { jsonPathStep, type JsonValue } from "./strict_json.ts";

/**
 * A JSON Schema, as far as the generated ones go. What is not listed here tells editors something and decides nothing;
 * `tools/schema` sees to it that no generated schema says more than this.
 */
export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
  /** Two of them: the second is `null`. */
  readonly type?: string | readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly propertyNames?: JsonSchema;
  readonly additionalProperties?: JsonSchema;
  /** Ends the sentence "… must be …". */
  readonly errorMessage?: string;
}

/** Elements that are looked at between two pauses. */
const ELEMENTS_IN_A_STEP = 128;
const SHOWN_CHARACTERS = 60;

/**
 * Checks parsed documents against a schema. Members that the schema does not know are let be; `null` stands for an absent
 * member where the schema has it so. What no JSON Schema can say holds besides: texts, and the names of an object's
 * members, are well-formed Unicode.
 * Source: authorization 1.2.
 */
export class SchemaChecker {
  readonly #root: Node;

  /** @throws TypeError for a schema of another kind */
  constructor(schema: JsonSchema) {
    this.#root = compile(schema, schema.$defs ?? {});
  }

  /** What is wrong with the document, or with the part of it at `path`; `null` when nothing is. */
  check(value: JsonValue, path = "$"): DocumentFault | null {
    const steps = this.steps(value, path);
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  /** The same in steps, each well below a millisecond. */
  *steps(value: JsonValue, path = "$"): Generator<void, DocumentFault | null> {
    const walk = new Walk(path);
    try {
      yield* walk.document(this.#root, value);
      return null;
    } catch (error) {
      if (error instanceof CheckStop) return error.fault;
      throw error;
    }
  }
}

type Node = {
  /** What is expected, for the sentence "must be …". */
  readonly expected: string;
  readonly isNullable: boolean;
} & Kind;

type Kind =
  | { readonly kind: "string"; readonly pattern: RegExp | null }
  | { readonly kind: "boolean" }
  | { readonly kind: "integer"; readonly least: number; readonly most: number }
  | { readonly kind: "array"; readonly items: Node; readonly least: number }
  | {
    readonly kind: "object";
    readonly members: ReadonlyMap<string, Node>;
    readonly required: readonly string[];
    readonly names: Node | null;
    readonly values: Node | null;
  };

function compile(schema: JsonSchema, definitions: Readonly<Record<string, JsonSchema>>): Node {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.replace("#/$defs/", "");
    const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
    if (definition === undefined) throw new TypeError(`no definition \`${schema.$ref}\``);
    return compile(definition, definitions);
  }
  if (schema.anyOf !== undefined) {
    const [first, second] = schema.anyOf;
    if (schema.anyOf.length !== 2 || first === undefined || second?.type !== "null") {
      throw new TypeError("the only choice that is known is the one between a value and null");
    }
    return { ...compile(first, definitions), isNullable: true };
  }
  if (schema.type !== undefined && typeof schema.type !== "string") {
    const [type, second] = schema.type;
    return compile(
      { ...schema, anyOf: [{ type: type ?? "none" }, { type: second ?? "none" }] },
      definitions,
    );
  }
  const { expected, kind } = compileKind(schema, definitions);
  return { ...kind, expected: schema.errorMessage ?? expected, isNullable: false };
}

function compileKind(
  schema: JsonSchema,
  definitions: Readonly<Record<string, JsonSchema>>,
): { readonly expected: string; readonly kind: Kind } {
  const inner = (part: JsonSchema | undefined) =>
    part === undefined ? null : compile(part, definitions);
  switch (schema.type) {
    case "string": {
      const pattern = schema.pattern === undefined ? null : new RegExp(schema.pattern, "u");
      return { expected: "a string", kind: { kind: "string", pattern } };
    }
    case "boolean":
      return { expected: "true or false", kind: { kind: "boolean" } };
    case "integer": {
      const { minimum: least = -Infinity, maximum: most = Infinity } = schema;
      return {
        expected: `an integer from ${least} to ${most}`,
        kind: { kind: "integer", least, most },
      };
    }
    case "array": {
      const items = inner(schema.items);
      if (items === null) throw new TypeError("an array whose elements are not described");
      return {
        expected: "an array",
        kind: { kind: "array", items, least: schema.minItems ?? 0 },
      };
    }
    case "object": {
      const members = Object.entries(schema.properties ?? {})
        .map(([name, part]) => [name, compile(part, definitions)] as const);
      return {
        expected: "an object",
        kind: {
          kind: "object",
          members: new Map(members),
          required: schema.required ?? [],
          names: inner(schema.propertyNames),
          values: inner(schema.additionalProperties),
        },
      };
    }
    default:
      throw new TypeError(`a schema of the unknown type \`${schema.type}\``);
  }
}

/** Ends a walk; never leaves this file. */
class CheckStop {
  constructor(readonly fault: DocumentFault) {}
}

/** One look at a document. Knows where it is. */
class Walk {
  readonly #start: string;
  readonly #trail: (string | number)[] = [];
  /** Counts over all lists: many short ones are one long one. */
  #untilPause = ELEMENTS_IN_A_STEP;

  constructor(start: string) {
    this.#start = start;
  }

  /** Pauses in lists, which are what can be long; their elements are small. */
  *document(node: Node, value: JsonValue): Generator<void, void> {
    if (value === null || node.kind === "string" || !this.#hasParts(node, value)) {
      this.#plain(node, value);
      return;
    }
    if (node.kind === "array") {
      for (const [index, element] of (value as readonly JsonValue[]).entries()) {
        this.#at(index, () => this.#plain(node.items, element));
        if (--this.#untilPause > 0) continue;
        this.#untilPause = ELEMENTS_IN_A_STEP;
        yield;
      }
      return;
    }
    for (const [name, part, member] of this.#parts(node, value)) {
      this.#trail.push(name);
      yield* this.document(part, member);
      this.#trail.pop();
    }
  }

  /** Whether this is a container of the right type, checked itself, whose parts are to be looked at. */
  #hasParts(node: Node, value: JsonValue): boolean {
    if (node.kind === "array") {
      if (!Array.isArray(value)) throw this.#fault("MEMBER_TYPE", node, value);
      if (value.length < node.least) throw this.#fault("MEMBER_VALUE", node, value);
      return true;
    }
    if (node.kind !== "object") return false;
    if (value === null || typeof value !== "object" || !isJsonObject(value)) {
      throw this.#fault("MEMBER_TYPE", node, value);
    }
    for (const name of value.keys()) {
      if (!name.isWellFormed()) {
        throw this.#stop("MEMBER_TYPE", "must have well-formed member names");
      }
    }
    for (const name of node.required) {
      const member = value.get(name) ?? null;
      if (member !== null) continue;
      this.#trail.push(name);
      throw this.#stop("MEMBER_MISSING", "is required");
    }
    return true;
  }

  /** The members that the schema knows; in a free map, all. */
  *#parts(node: Node, value: JsonValue): Generator<[string, Node, JsonValue]> {
    if (node.kind !== "object") return;
    const members = value as ReadonlyMap<string, JsonValue>;
    for (const [name, part] of node.members) {
      const member = members.get(name);
      if (member !== undefined) yield [name, part, member];
    }
    if (node.values === null) return;
    for (const [name, member] of members) {
      if (node.members.has(name)) continue;
      const { names } = node;
      if (names !== null) this.#at(name, () => this.#plain(names, name));
      yield [name, node.values, member];
    }
  }

  #plain(node: Node, value: JsonValue): void {
    if (value === null && node.isNullable) return;
    switch (node.kind) {
      case "string":
        if (typeof value !== "string") throw this.#fault("MEMBER_TYPE", node, value);
        if (!value.isWellFormed()) throw this.#stop("MEMBER_TYPE", "must be a well-formed string");
        if (node.pattern?.test(value) === false) throw this.#fault("MEMBER_VALUE", node, value);
        return;
      case "boolean":
        if (typeof value !== "boolean") throw this.#fault("MEMBER_TYPE", node, value);
        return;
      case "integer":
        if (
          typeof value !== "number" || !Number.isInteger(value) || value < node.least ||
          value > node.most
        ) throw this.#fault("MEMBER_TYPE", node, value);
        return;
      case "array":
        this.#hasParts(node, value);
        for (const [index, element] of (value as readonly JsonValue[]).entries()) {
          this.#at(index, () => this.#plain(node.items, element));
        }
        return;
      case "object":
        this.#hasParts(node, value);
        for (const [name, part, member] of this.#parts(node, value)) {
          this.#at(name, () => this.#plain(part, member));
        }
    }
  }

  #at(step: string | number, look: () => void): void {
    this.#trail.push(step);
    look();
    this.#trail.pop();
  }

  #fault(code: DocumentCode, node: Node, value: JsonValue): CheckStop {
    return this.#stop(code, `is ${shown(value)}, must be ${node.expected}`);
  }

  #stop(code: DocumentCode, words: string): CheckStop {
    const path = this.#trail.reduce<string>((at, step) => at + jsonPathStep(step), this.#start);
    return new CheckStop({ code, path, message: `${path} ${words}` });
  }
}

/** A value as an error shows it. Texts are quoted and cut, because they come from outside. */
function shown(value: JsonValue): string {
  if (typeof value === "string") {
    const cut = value.length > SHOWN_CHARACTERS
      ? `${value.slice(0, SHOWN_CHARACTERS).toWellFormed()}…`
      : value.toWellFormed();
    return JSON.stringify(cut);
  }
  if (value === null || typeof value !== "object") return String(value);
  if (isJsonObject(value)) return "an object";
  return value.length === 0 ? "an empty array" : "an array";
}
