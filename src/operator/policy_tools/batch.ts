import { err, ok, type Result } from "../../runtime/result.ts";
import { BoundedMap } from "../../runtime/bounded_map.ts";
import {
  type CallerClaims,
  compileItem,
  type EndpointPolicy,
  type Matching,
  questionOf,
} from "../../domain/policy/mod.ts";
import {
  documentFault,
  ENDPOINT_NAMES,
  type EndpointName,
  itemReader,
  type JsonValue,
  parseStrictJson,
} from "../../domain/wire/mod.ts";
import { type MemberTexts, memberTexts } from "./batch_line.ts";
import { claimsOfJson } from "./claims_document.ts";
import { judge } from "./judge.ts";

/** A longer line is answered with an error. */
export const LONGEST_BATCH_LINE_BYTES = 16 * 1024 * 1024;
/** Items and callers that are kept, each with its text. */
const MOST_KEPT = 1024;
const MOST_KEPT_CHARACTERS = 32 * 1024 * 1024;
/** An error repeats no more of the line than this. */
const LONGEST_ERROR = 400;

/**
 * Answers questions of the form `{"item", "endpoint", "method", "target", "caller"}`, one JSON text each, by the production
 * engine. Items and callers that come again are recognised by their text and are not compiled again.
 * Source: authorization 9.7.
 */
export class BatchAnswerer {
  readonly #matching: Matching;
  readonly #readItem = itemReader();
  readonly #items = new TextCache<Result<EndpointPolicy, string>>();
  readonly #callers = new TextCache<Result<CallerClaims, string>>();

  constructor(matching: Matching) {
    this.#matching = matching;
  }

  /** The answer to one line, as one line: a verdict or `{"error"}`. Never throws. */
  answer(line: string): string {
    const members = memberTexts(line);
    if (!members.ok) return errorAnswer(members.error);
    const asked = this.#read(members.value);
    return asked.ok ? this.#verdict(asked.value) : errorAnswer(asked.error);
  }

  #verdict({ policy, endpoint, method, target, claims, matching }: BatchQuestion): string {
    const judged = judge(endpoint, questionOf(method, target, claims), policy, matching);
    const { rules } = judged;
    return JSON.stringify({
      compat: rules?.compat ?? "allow",
      canonical: rules?.canonical ?? "allow",
      verdict: judged.verdict,
      reason: judged.reason,
      privilege: rules?.privilege ?? null,
      identity: rules?.identity ?? null,
    });
  }

  #read(members: MemberTexts): Result<BatchQuestion, string> {
    for (const name of REQUIRED) {
      if (!members.has(name)) return err(`$.${name} is required`);
    }
    const policy = this.#items.get(members.get("item")!, (text) => this.#policy(text));
    if (!policy.ok) return policy;
    const endpoint = word(members, "endpoint", ENDPOINT_NAMES);
    if (!endpoint.ok) return endpoint;
    const method = textMember(members, "method");
    if (!method.ok) return method;
    const target = textMember(members, "target");
    if (!target.ok) return target;
    const claims = this.#callers.get(members.get("caller")!, (text) => {
      const value = valueOf(text, "$.caller");
      return value.ok ? claimsOfJson(value.value, "$.caller") : value;
    });
    if (!claims.ok) return claims;
    const matching = members.has("matching")
      ? word(members, "matching", MATCHINGS)
      : ok(this.#matching);
    if (!matching.ok) return matching;
    for (const [name, text] of members) {
      if (KNOWN.has(name)) continue;
      const value = valueOf(text, `$.${name.slice(0, 64)}`);
      if (!value.ok) return value;
    }
    return ok({
      policy: policy.value,
      endpoint: endpoint.value,
      method: method.value,
      target: target.value,
      claims: claims.value,
      matching: matching.value,
    });
  }

  /** The policy of an endpoint with this item; `null` is none, so that the built-in defaults decide, enforced. */
  #policy(text: string): Result<EndpointPolicy, string> {
    const value = valueOf(text, "$.item");
    if (!value.ok) return value;
    if (value.value === null) return ok({ kind: "built-in", mode: "enforce" });
    const item = this.#readItem(value.value, "$.item");
    if (!item.ok) return err(item.error.message);
    const { compiled, findings } = compileItem(item.value, { at: "$.item" });
    // A privilege without canonical form still decides in the legacy matcher; half an index decides nothing.
    const broken = findings.find(({ code }) => code === "too-many-grants");
    if (broken !== undefined) return err(`${broken.path} ${broken.message}`);
    return ok({ kind: "rules", mode: compiled.mode, rules: compiled });
  }
}

const REQUIRED = Object.freeze(["item", "endpoint", "method", "target", "caller"]);
const KNOWN: ReadonlySet<string> = new Set([...REQUIRED, "matching"]);
export const MATCHINGS: readonly Matching[] = Object.freeze(["compat", "shadow", "enforce"]);

interface BatchQuestion {
  readonly policy: EndpointPolicy;
  readonly endpoint: EndpointName;
  readonly method: string;
  readonly target: string;
  readonly claims: CallerClaims;
  readonly matching: Matching;
}

/** The answer to a line that cannot be understood. */
export function errorAnswer(error: string): string {
  const shown = error.length <= LONGEST_ERROR
    ? error
    : `${error.slice(0, LONGEST_ERROR).toWellFormed()}…`;
  return JSON.stringify({ error: shown });
}

function valueOf(text: string, path: string): Result<JsonValue, string> {
  const parsed = parseStrictJson(text);
  if (parsed.ok) return parsed;
  const fault = { ...parsed.error, path: path + parsed.error.path.slice(1) };
  return err(documentFault(fault).message);
}

/** Without escapes and control characters: what stands between the quotation marks is the text. */
const PLAIN_STRING = /^"[^"\\\p{Cc}]*"$/u;

function textMember(members: MemberTexts, name: string): Result<string, string> {
  const text = members.get(name)!;
  if (PLAIN_STRING.test(text)) return ok(text.slice(1, -1));
  const value = valueOf(text, `$.${name}`);
  if (!value.ok) return value;
  return typeof value.value === "string" ? ok(value.value) : err(`$.${name} must be a string`);
}

function word<T extends string>(
  members: MemberTexts,
  name: string,
  words: readonly T[],
): Result<T, string> {
  const text = textMember(members, name);
  if (!text.ok) return text;
  const found = words.find((each) => each === text.value);
  return found === undefined
    ? err(`$.${name} is ${JSON.stringify(text.value.slice(0, 60))}, must be ${words.join(", ")}`)
    : ok(found);
}

/**
 * What was made of texts that come again, kept from the second time on: where every line is new, nothing has to be kept and
 * cleared away. Bounded in number and in characters; the least recently used leave.
 */
class TextCache<T> {
  readonly #kept: BoundedMap<string, T>;
  /** Hashes of texts that came once. Two texts with one hash only mean that one is kept a line too early. */
  readonly #once: Int32Array = new Int32Array(MOST_ONCE);
  #characters = 0;

  constructor() {
    this.#kept = new BoundedMap(MOST_KEPT, (text) => {
      this.#characters -= text.length;
    });
  }

  get(text: string, make: (text: string) => T): T {
    const known = this.#kept.get(text);
    if (known !== undefined) return known;
    if (!this.#isSecond(text) || text.length > MOST_KEPT_CHARACTERS) return make(text);
    // A part of a text keeps the whole of it in memory, here everything that was read together with the line.
    const copy = ` ${text}`.slice(1);
    const made = make(copy);
    this.#kept.set(copy, made);
    this.#characters += copy.length;
    while (this.#characters > MOST_KEPT_CHARACTERS) {
      const [oldest] = this.#kept.entries();
      this.#characters -= oldest![0].length;
      this.#kept.delete(oldest![0]);
    }
    return made;
  }

  #isSecond(text: string): boolean {
    const hash = hashOf(text);
    const place = hash & (MOST_ONCE - 1);
    if (this.#once[place] === hash) return true;
    this.#once[place] = hash;
    return false;
  }
}

/** A power of two. */
const MOST_ONCE = 4096;
/** About as many characters a hash looks at, spread over the text. */
const HASHED = 512;

/** FNV-1a over characters of the text. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5 ^ text.length;
  const step = Math.max(1, Math.floor(text.length / HASHED));
  for (let at = 0; at < text.length; at += step) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return hash | 1;
}
