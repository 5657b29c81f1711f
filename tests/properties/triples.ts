import type {
  AssignmentDocument,
  CallerDocument,
  IdentityDocument,
  ItemDocument,
  PrivilegeDocument,
  RoleDocument,
  RulesDocument,
  Triple,
} from "../reference/documents.ts";
import { lowerUnicode } from "../reference/text.ts";

/** Random numbers from a seed: a run can be repeated, and ten million draws cost little. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor(((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296 * bound);
  }

  /** True in `percent` of all cases. */
  often(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  some<T>(most: number, make: () => T): T[] {
    return Array.from({ length: this.below(most + 1) }, make);
  }
}

const RULE_PATHS = [
  "/metadata/instance",
  "/metadata/instance/",
  "/Metadata/INSTANCE/Compute",
  "/metadata/identity/oauth2/token",
  "/metadata/scheduledevents",
  "/metadata",
  "/machine/",
  "/machine",
  "/",
  "",
  "metadata/instance",
  "/metadata%2Finstance",
  "/metadata/instance%20",
  "/metadata/instance?api-version=1",
  "/metadata;v=1/instance",
  "/metadata/./instance",
  "/metadata/x/../instance",
  "/bad%ZZ",
  "/a\u0001b",
  "/caf\u00e9",
  "/CAF\u00c9",
  "/to\u212aen",
  "/\u03a3igma\u03a3",
  "/\u0130",
  "/i\u0307",
  "/\ufffd",
  "/\ufeffbom",
  "/\ua7ce\u{16ea0}",
  "/\ua7cf\u{16ebb}",
  "/\ua7d4/\u{16eb8}",
  "/\u{1f600}",
  "/x%C0%AFy",
];
const KEYS = [
  "api-version",
  "comp",
  "Comp",
  "resource",
  "k",
  "K",
  "%6b",
  "a b",
  "\u00e9",
  "\u03a3",
  "\ua7d2",
  "",
];
const VALUES = [
  "2021-02-01",
  "goalstate",
  "GoalState",
  "",
  "a+b",
  "a b",
  "a&b=c",
  "a=b",
  "%41",
  "%ZZ",
  "\u00c9",
  "\u0130",
  "\u{16eb8}",
  "\ufffd",
  "https://storage.azure.com/",
];
const USERS = ["root", "alice", "Alice", "\u0430lice", "svc", "undefined", ""];
const GROUPS = ["ops", "Ops", "dev", "wheel", ""];
const PROCESSES = ["curl", "Curl", "python3", "\ufffd", ""];
const EXE_PATHS = [
  "/usr/bin/curl",
  "/usr//bin/curl",
  "/usr/./bin/curl",
  "/usr/bin/curl/",
  "/usr/bin/curl/.",
  "//usr/bin/curl",
  "/USR/bin/curl",
  "usr/bin/curl",
  "./usr/bin/curl",
  "/usr/bin/../bin/curl",
  "/usr/bin/python3",
  "/usr/bin",
  "/",
  "//.",
  ".",
  "./",
  "",
];
const NAMES = ["n0", "n1", "n2", "N1", "n3", "n4", "__proto__", "constructor", "", '["n0","n1"]'];
const DEFAULTS = ["deny", "allow", "Allow", "ALLOW", "Deny", " allow", "", "permit"];
const MODES = ["enforce", "Enforce", "ENFORCE", "audit", "Audit"];
const METHODS = ["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
/** What is put in front of, between and behind the pieces of a path. */
const PIECES = [
  "/",
  "a",
  "s",
  "-x",
  "/compute",
  "%2F",
  "%2f",
  "%252F",
  "%3F",
  "%3Fcomp=goalstate",
  "%3fK=a%252Bb&comp=x",
  ";x=1",
  "/.",
  "/./",
  "/%2e",
  "/%2e%2e",
  "%5C",
  "\\",
  ".",
  "%20",
  "%00",
  "%0A",
  "%C3%A9",
  "%C3",
  "%80",
  "%C0%AF",
  "%ED%A0%80",
  "%EF%BB%BF",
  "%E2%84%AA",
  "%F4%90%80%80",
  "%",
  "%2",
  "%zz",
  "%25",
  "%CE%A3",
];

/** An item whose documents hit what is hard: shared prefixes, doubles, gaps, unknown names, foreign letters. */
export function randomItem(dice: Dice): ItemDocument {
  const item = {
    id: dice.pick(["r1", "", "eyJpZCI6IngifQ=="]),
    defaultAccess: dice.pick(DEFAULTS),
    mode: dice.often(3) ? "Disabled" : dice.pick(MODES),
  };
  return dice.often(4) ? item : { ...item, rules: randomRules(dice) };
}

function randomRules(dice: Dice): RulesDocument {
  const size = dice.often(3) ? 40 : 5;
  // Of a small alphabet, so that paths share prefixes.
  const small = dice.often(50);
  const privileges = dice.some(size, () => randomPrivilege(dice, small));
  const identities = dice.some(4, () => randomIdentity(dice));
  const roles = dice.some(3, () => randomRole(dice, namesOf(privileges)));
  const lists: RulesDocument = {
    privileges,
    roles,
    identities,
    roleAssignments: dice.some(
      5,
      () => randomAssignment(dice, namesOf(roles), namesOf(identities)),
    ),
  };
  if (!dice.often(5)) return lists;
  const missing = dice.pick(["privileges", "roles", "identities", "roleAssignments"] as const);
  if (dice.often(50)) return { ...lists, [missing]: null };
  const { [missing]: _, ...rest } = lists;
  return rest;
}

function namesOf(named: readonly { readonly name: string }[]): readonly string[] {
  return named.map((each) => each.name);
}

/** Mostly a name that exists. */
function reference(dice: Dice, known: readonly string[]): string {
  return known.length > 0 && dice.often(85) ? dice.pick(known) : dice.pick(NAMES);
}

function randomPrivilege(dice: Dice, small: boolean): PrivilegeDocument {
  const name = dice.pick(NAMES);
  const path = small ? smallPath(dice) : choose(dice, RULE_PATHS, 10);
  if (dice.often(60)) {
    return dice.often(20) ? { name, path, queryParameters: null } : { name, path };
  }
  const chosen = new Map<string, readonly [string, string]>();
  // Two keys that are the same in lower case leave open which one counts.
  for (let left = dice.below(3); left >= 0; left--) {
    const key = choose(dice, KEYS, 6);
    chosen.set(lowerUnicode(key), [key, choose(dice, VALUES, 4)]);
  }
  if (dice.often(10)) chosen.clear();
  return { name, path, queryParameters: Object.fromEntries(chosen.values()) };
}

/** Half of the time one of the first `plain` choices. */
function choose<T>(dice: Dice, choices: readonly T[], plain: number): T {
  return choices[dice.below(dice.often(50) ? plain : choices.length)]!;
}

function smallPath(dice: Dice): string {
  return (dice.often(90) ? "/" : "") + dice.some(5, () => dice.pick(["a", "b", "A", "/"])).join("");
}

function randomRole(dice: Dice, privileges: readonly string[]): RoleDocument {
  return { name: dice.pick(NAMES), privileges: dice.some(4, () => reference(dice, privileges)) };
}

function randomAssignment(
  dice: Dice,
  roles: readonly string[],
  identities: readonly string[],
): AssignmentDocument {
  return {
    role: reference(dice, roles),
    identities: dice.some(3, () => reference(dice, identities)),
  };
}

function randomIdentity(dice: Dice): IdentityDocument {
  const selector = (values: readonly string[]) =>
    dice.often(25) ? dice.pick(values) : dice.often(20) ? null : undefined;
  const entries = Object.entries({
    name: dice.pick(NAMES),
    userName: selector(USERS),
    groupName: selector(GROUPS),
    exePath: selector(EXE_PATHS),
    processName: selector(PROCESSES),
  }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as unknown as IdentityDocument;
}

/** A caller like one of the identities of `item`, or of the same names; any fact may be unknown. */
export function randomCaller(dice: Dice, item: ItemDocument): CallerDocument {
  const identities = item.rules?.identities ?? [];
  const near = identities.length > 0 && dice.often(70) ? dice.pick(identities) : null;
  const fact = (wanted: string | null | undefined, values: readonly string[]) =>
    typeof wanted === "string" && dice.often(80)
      ? wanted
      : dice.often(15)
      ? null
      : dice.pick(values);
  const group = fact(near?.groupName, GROUPS);
  return {
    userName: fact(near?.userName, USERS),
    userGroups: [...dice.some(2, () => dice.pick(GROUPS)), ...group === null ? [] : [group]],
    processName: fact(near?.processName, PROCESSES),
    processFullPath: fact(near?.exePath, EXE_PATHS),
    runAsElevated: dice.often(50),
  };
}

/** A target that comes near to what the rules of `item` say. */
export function randomTarget(dice: Dice, item: ItemDocument): string {
  const privileges = item.rules?.privileges ?? [];
  if (privileges.length === 0 || dice.often(10)) return loose(dice);
  const near = dice.pick(privileges);
  const path = randomPath(dice, near.path);
  const pairs = randomPairs(dice, near.queryParameters ?? {});
  const cut = dice.often(12) ? dice.below(pairs.length + 1) : 0;
  const embedded = pairs.slice(0, cut).join("&");
  const query = pairs.slice(cut).join("&");
  const prefix = dice.often(2)
    ? dice.pick(["http://169.254.169.254", "HTTP://2852039166:80", "http://h:x", "https://h"])
    : "";
  const stem = prefix + path + (cut > 0 ? dice.pick(["%3F", "%3f"]) + embedded : "");
  const fragment = dice.often(1) ? "#f?comp=x" : "";
  return stem + (query !== "" || dice.often(5) ? `?${query}` : "") + fragment;
}

function loose(dice: Dice): string {
  if (dice.often(5)) return dice.pick(["*", "/", "/?", "/??", "/%3F%3F", "/?&=&", "/%"]);
  return "/" + dice.some(6, () => dice.pick(PIECES)).join("");
}

function randomPath(dice: Dice, rulePath: string): string {
  let path = [...rulePath].map((character) => spelt(dice, character)).join("");
  if (dice.often(40)) path += dice.pick(PIECES);
  if (dice.often(15)) {
    const at = dice.below(path.length + 1);
    path = path.slice(0, at) + dice.pick(PIECES) + path.slice(at);
  }
  if (dice.often(8)) path = path.slice(0, -1);
  return path.startsWith("/") ? path : "/" + path;
}

/** One character of a rule as a request may spell it. What a target cannot carry as it is gets encoded. */
function spelt(dice: Dice, character: string): string {
  let shown = character;
  if (dice.often(10)) shown = dice.often(50) ? shown.toUpperCase() : shown.toLowerCase();
  const encode = dice.often(3) || !/^[!"$-;=@-_a-z{|}~?]*$/.test(shown);
  if (!encode) return shown;
  const escaped = [...new TextEncoder().encode(shown)]
    .map((byte) => "%" + byte.toString(16).padStart(2, "0"))
    .map((escape) => dice.often(50) ? escape.toUpperCase() : escape).join("");
  return dice.often(5) ? escaped.replaceAll("%", "%25") : escaped;
}

function randomPairs(dice: Dice, constraints: Readonly<Record<string, string>>): string[] {
  const pairs: string[] = [];
  const spell = (text: string) =>
    [...text].map((character) =>
      character === " " && dice.often(50)
        ? "+"
        : "&=+#?".includes(character) && dice.often(70)
        ? "%" + character.charCodeAt(0).toString(16)
        : spelt(dice, character)
    ).join("");
  for (const [key, value] of Object.entries(constraints)) {
    if (dice.often(6)) continue;
    const right = value === "" && dice.often(50) ? spell(key) : `${spell(key)}=${spell(value)}`;
    pairs.push(right);
    if (dice.often(12)) {
      const other = `${spell(key)}=${spell(dice.pick(VALUES))}`;
      if (dice.often(50)) pairs.push(other);
      else pairs.unshift(other);
    }
  }
  if (dice.often(30)) pairs.push(`${spell(dice.pick(KEYS))}=${spell(dice.pick(VALUES))}`);
  if (dice.often(8)) {
    pairs.push(dice.pick(["", "=x", "k", "k=%", "%80=1", "k=%0A", "k=v=w", "x=1?y=2", "%3Dk=1"]));
  }
  if (dice.often(10)) pairs.reverse();
  return pairs;
}

/** `each` triples of one random item. */
export function randomTriples(dice: Dice, each: number): Triple[] {
  const item = randomItem(dice);
  return Array.from({ length: each }, () => ({
    item,
    endpoint: dice.pick(["imds", "wireserver", "hostga"] as const),
    method: dice.pick(METHODS),
    target: randomTarget(dice, item),
    caller: randomCaller(dice, item),
  }));
}

/** Everything that is one step simpler than `value`: members and elements left out, texts shortened. */
function* simpler(value: unknown): Generator<unknown> {
  if (typeof value === "string") {
    for (let at = 0; at < value.length; at++) yield value.slice(0, at) + value.slice(at + 1);
  } else if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) yield value.filter((_, index) => index !== at);
    for (let at = 0; at < value.length; at++) {
      for (const part of simpler(value[at])) yield value.with(at, part);
    }
  } else if (typeof value === "object" && value !== null) {
    for (const [name, member] of Object.entries(value)) {
      if (OPTIONAL.has(name)) {
        yield Object.fromEntries(Object.entries(value).filter(([other]) => other !== name));
      }
      if (name === "method" || name === "endpoint" || name === "mode") continue;
      for (const part of simpler(member)) {
        yield Object.fromEntries(
          Object.entries(value).map(([other, kept]) => [other, other === name ? part : kept]),
        );
      }
    }
  }
}

const OPTIONAL = new Set([
  "rules",
  "queryParameters",
  "userName",
  "groupName",
  "exePath",
  "processName",
]);

/** The smallest triple, found step by step, that still `fails`. A caller keeps all of its members. */
export function shrink(triple: Triple, fails: (triple: Triple) => boolean): Triple {
  let smallest = triple;
  for (let steps = 0; steps < 1_000; steps++) {
    let found: Triple | null = null;
    for (const candidate of simpler(smallest) as Generator<Triple>) {
      const { caller, target } = candidate;
      const whole = "userName" in caller && "processName" in caller &&
        /^(?:\/|\*$|https?:\/\/.)/.test(target);
      if (whole && fails(candidate)) {
        found = candidate;
        break;
      }
    }
    if (found === null) return smallest;
    smallest = found;
  }
  return smallest;
}
