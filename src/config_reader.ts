import CONFIG_SCHEMA from "./config_schema.json" with { type: "json" };
import { type JsonSchema, SchemaChecker } from "./domain/wire/schema_checker.ts";
import type { JsonValue } from "./domain/wire/strict_json.ts";

/** Where a value comes from; `environment`: from the file, with a variable's value in it. */
export type ConfigOrigin = "file" | "default" | "environment";

/** A key with the value that counts, in the units of the file. */
export interface EffectiveValue {
  readonly key: string;
  /** `null`: not set, and nothing stands in for it. */
  readonly value: string | number | boolean | null;
  readonly origin: ConfigOrigin;
}

const PROPERTIES = CONFIG_SCHEMA.properties as Readonly<Record<string, JsonSchema>>;
const REQUIRED: readonly string[] = CONFIG_SCHEMA.required;
const SHOWN_CHARACTERS = 60;
/** Longest key for which a near one is looked for. */
const LONGEST_COMPARED = 64;

/** Every key that a configuration may carry. */
export const KNOWN_CONFIG_KEYS: readonly string[] = Object.freeze(Object.keys(PROPERTIES));

/** Checks keys against the schema and collects what is wrong. After an error the value is a stand-in that is never used. */
export class KeyReader {
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  readonly #values: EffectiveValue[] = [];
  readonly #members: ReadonlyMap<string, JsonValue>;
  readonly #environment: (name: string) => string | undefined;

  constructor(
    members: ReadonlyMap<string, JsonValue>,
    environment: (name: string) => string | undefined,
  ) {
    this.#members = this.#checked(members);
    this.#environment = environment;
  }

  /** What was read, in the order of reading. */
  get values(): readonly EffectiveValue[] {
    return this.#values;
  }

  /** A folder with `%NAME%` replaced and without a slash at the end. */
  folder(key: string): string {
    const given = this.#members.get(key);
    if (typeof given !== "string") return "";
    const expanded = this.#expanded(key, given);
    const text = expanded.length > 1 ? expanded.replace(/\/+$/, "") : expanded;
    this.#warnRelative(key, text);
    return this.#note(key, text, expanded === given ? "file" : "environment");
  }

  /** A path that is taken as it stands. */
  path<F extends string | null>(key: string, fallback: F): string | F {
    const text = this.text(key, fallback);
    if (text !== null) this.#warnRelative(key, text);
    return text;
  }

  text<F extends string | null>(key: string, fallback: F): string | F {
    const value = this.#members.get(key);
    return typeof value === "string"
      ? this.#note<string | F>(key, value, "file")
      : this.#note<string | F>(key, fallback, "default");
  }

  integer(key: string, fallback: number): number {
    const value = this.#members.get(key);
    return typeof value === "number"
      ? this.#note(key, value, "file")
      : this.#note(key, fallback, "default");
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.#members.get(key);
    return typeof value === "boolean"
      ? this.#note(key, value, "file")
      : this.#note(key, fallback, "default");
  }

  /**
   * One of several words, in any case. An unknown word is only a warning and counts as `unknown`.
   * @param inner an object whose member counts where the key itself is not there
   */
  word<W extends string, F extends W | null>(
    key: string,
    words: readonly W[],
    absent: F,
    unknown: W,
    inner?: { readonly key: string; readonly member: string },
  ): W | F {
    const outer = inner === undefined ? undefined : this.#members.get(inner.key);
    const nested = inner !== undefined && outer instanceof Map
      ? this.#word(`${inner.key}.${inner.member}`, outer.get(inner.member), words, unknown)
      : null;
    const word = this.#word(key, this.#members.get(key), words, unknown) ?? nested;
    return word === null
      ? this.#note<W | F>(key, absent, "default")
      : this.#note<W | F>(key, word, "file");
  }

  warnUnknown(): void {
    this.#warnUnknownOf(this.#members, PROPERTIES, "");
    for (const [key, { properties }] of Object.entries(PROPERTIES)) {
      const inner = this.#members.get(key);
      if (properties === undefined || !(inner instanceof Map)) continue;
      this.#warnUnknownOf(inner, properties, `${key}.`);
    }
  }

  /** Notes a value that was not read but follows from others. */
  noteDerived(key: string, value: string): void {
    const at = this.#values.findIndex((each) => each.key === key);
    if (at >= 0) this.#values[at] = { key, value, origin: "default" };
  }

  #warnUnknownOf(
    members: ReadonlyMap<string, JsonValue>,
    known: Readonly<Record<string, JsonSchema>>,
    prefix: string,
  ): void {
    for (const key of members.keys()) {
      if (Object.hasOwn(known, key)) continue;
      const nearest = nearestKey(key, Object.keys(known));
      const hint = nearest === null ? "" : `; did you mean \`${prefix}${nearest}\`?`;
      this.warnings.push(`${shown(prefix + key)} is no known key and changes nothing${hint}`);
    }
  }

  /** `%` word `%` becomes the variable; an unset variable leaves its bare name. Source: agent 2.2. */
  #expanded(key: string, text: string): string {
    return text.replace(/%(\w+)%/g, (_, name: string) => {
      const value = this.#environment(name);
      if (value === undefined) {
        this.warnings.push(
          `\`${key}\` names the variable ${
            shown(name)
          }, which is not set: its bare name is used; ` +
            "set it for the service or write the path out",
        );
      }
      return value ?? name;
    });
  }

  #warnRelative(key: string, path: string): void {
    if (path === "" || path.startsWith("/")) return;
    this.warnings.push(
      `\`${key}\` is ${shown(path)}, which depends on the folder that the agent is started in; ` +
        "begin it with /",
    );
  }

  #word<W extends string>(
    name: string,
    value: JsonValue | undefined,
    words: readonly W[],
    unknown: W,
  ): W | null {
    if (typeof value !== "string") return null;
    const given = value.trim().toLowerCase();
    if (given === "") return null;
    const word = words.find((candidate) => candidate === given);
    if (word !== undefined) return word;
    this.warnings.push(
      `\`${name}\` has the unknown value ${shown(value)}, \`${unknown}\` is used; ` +
        `use one of ${words.join(", ")}`,
    );
    return unknown;
  }

  /** The members that are as the schema wants them, and those that it does not know. */
  #checked(members: ReadonlyMap<string, JsonValue>): ReadonlyMap<string, JsonValue> {
    const good = new Map(members);
    for (const [key, schema] of Object.entries(PROPERTIES)) {
      const value = members.get(key);
      if (value === undefined) {
        if (!REQUIRED.includes(key)) continue;
        this.errors.push(`\`${key}\` is missing; add it with the path of a folder`);
        // A schema without a type lets everything pass.
      } else if (schema.type !== undefined) {
        const fault = new SchemaChecker(schema).check(value, `\`${key}\``);
        if (fault === null) continue;
        this.errors.push(fault.message);
        good.delete(key);
      }
    }
    return good;
  }

  #note<T extends string | number | boolean | null>(
    key: string,
    value: T,
    origin: ConfigOrigin,
  ): T {
    this.#values.push({ key, value, origin });
    return value;
  }
}

/** A text as an error shows it: quoted and cut. */
export function shown(text: string): string {
  const cut = text.length > SHOWN_CHARACTERS
    ? `${text.slice(0, SHOWN_CHARACTERS).toWellFormed()}...`
    : text;
  return `\`${cut}\``;
}

/** The known key that differs least, if it differs little. */
function nearestKey(key: string, knownKeys: readonly string[]): string | null {
  if (key.length > LONGEST_COMPARED) return null;
  let nearest: string | null = null;
  let least = Math.max(2, Math.floor(key.length / 3)) + 1;
  for (const known of knownKeys) {
    const distance = editDistance(key.toLowerCase(), known.toLowerCase());
    if (distance < least) [nearest, least] = [known, distance];
  }
  return nearest;
}

/** How many letters must be put in, taken out or changed to turn one text into the other. */
function editDistance(from: string, to: string): number {
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const change = (above[column - 1] ?? 0) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(change, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    above = current;
  }
  return above[to.length] ?? 0;
}
