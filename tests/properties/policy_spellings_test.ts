/**
 * No spelling of a denied request gets through in `enforce`. The judge here reads targets as the most lenient server could:
 * it decodes until nothing is left to decode, takes backslashes for slashes, drops parameters, dots and spaces, and takes any
 * occurrence of a parameter. What such a server takes for the denied request must be refused, however it is spelt.
 *
 * SPELLINGS sets the number of cases; FAST_CHECK_FACTOR multiplies it, SPELLINGS_SEED repeats a run.
 */
import assert from "node:assert/strict";
import {
  type CompiledItem,
  compileItem,
  evaluate,
  questionOf,
} from "../../src/domain/policy/mod.ts";
import { sampleClaims, sampleCompiled } from "../unit/domain/policy/rule_samples.ts";
import { Dice } from "./triples.ts";

const FACTOR = Number(Deno.env.get("FAST_CHECK_FACTOR") ?? 1);
const CASES = Number(Deno.env.get("SPELLINGS") ?? 100_000 * FACTOR);
const SEED = Number(Deno.env.get("SPELLINGS_SEED") ?? Math.floor(Math.random() * 2 ** 32));

const STRANGER = sampleClaims({ userName: "stranger", userGroups: ["strangers"] });
const MEMBER = sampleClaims({ userName: "svc" });

interface Denied {
  readonly path: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
}

const DENIED: readonly Denied[] = [
  { path: ["metadata", "identity", "oauth2", "token"], parameters: {} },
  { path: ["machine"], parameters: { comp: "certificates" } },
  { path: ["metadata", "vault"], parameters: { resource: "https://vault.azure.net", v: "a b" } },
  { path: ["a"], parameters: {} },
];

/** Everybody may do everything but what is denied; of that, `svc` may do what it is granted. */
const OPEN = sampleCompiled({
  defaultAccess: "allow",
  privileges: Object.fromEntries(
    DENIED.map((
      { path, parameters },
      at,
    ) => [`p${at}`, [`/${path.join("/")}`, parameters] as const]),
  ),
  identities: { svc: { userName: "svc" } },
  grants: { p0: ["svc"], p1: ["svc"] },
});

function repeatedly(change: (text: string) => string, text: string): string {
  for (let before = "", now = text;; now = change(now)) {
    if (now === before) return now;
    before = now;
  }
}

function decoded(text: string): string {
  return text.replace(
    /%([0-9A-Fa-f]{2})/g,
    (_, hex: string) => String.fromCharCode(parseInt(hex, 16)),
  );
}

/** Path and parameters as the most lenient server reads them; every piece in lower case. */
function lenient(target: string): { path: string[]; pairs: (readonly [string, string])[] } {
  const hash = target.indexOf("#");
  const whole = hash < 0 ? target : target.slice(0, hash);
  const mark = whole.indexOf("?");
  const stem = repeatedly(decoded, mark < 0 ? whole : whole.slice(0, mark)).toLowerCase();
  const [rawPath, ...embedded] = stem.split("?");
  const path: string[] = [];
  for (const piece of rawPath!.split(/[/\\]+/)) {
    const name = piece.split(";")[0]!.replace(/[\0-\x20]/g, "");
    if (name === "" || name === ".") continue;
    if (name === "..") path.pop();
    else path.push(name.replace(/\.+$/, ""));
  }
  const query = [mark < 0 ? "" : whole.slice(mark + 1), ...embedded].join("&");
  const pairs = query.split(/[&;]/).map((piece) => {
    const equals = piece.indexOf("=");
    const text = (part: string) => decoded(part.replaceAll("+", " ")).toLowerCase();
    return equals < 0
      ? [text(piece), ""] as const
      : [text(piece.slice(0, equals)), text(piece.slice(equals + 1))] as const;
  });
  return { path, pairs };
}

function isTakenFor(denied: Denied, target: string): boolean {
  const { path, pairs } = lenient(target);
  return denied.path.every((segment, at) => path[at] === segment) &&
    Object.entries(denied.parameters).every(([key, value]) =>
      pairs.some((pair) => pair[0] === key && pair[1] === value)
    );
}

const JOINTS = [
  "/",
  "/",
  "/",
  "//",
  "/./",
  "%2F",
  "%2f",
  "%252F",
  "\\",
  "%5C",
  "/%2e/",
  "/;/",
  "/x/../",
];
const TAILS = [
  "",
  "",
  "",
  "/",
  ".",
  "%20",
  "/.",
  ";v=1",
  "%3B",
  "%00",
  "?",
  "/x",
  "%3Fx=1",
  "x",
  "#f",
];
const NOISE = ["x=1", "comp=x", "", "=", "selftest", "resource", "v=", "a%20b=c", "COMP=goalstate"];

/** The text in one of many spellings. */
function spelt(dice: Dice, text: string, unusual: number): string {
  let spelling = "";
  for (const character of text) {
    const cased = dice.often(25) ? character.toUpperCase() : character;
    const hex = `%${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
    const escaped = dice.often(50) ? hex.toUpperCase() : hex;
    const needed = /[ &=%]/.test(character);
    spelling += needed || dice.often(8)
      ? character === " " && dice.often(50)
        ? "+"
        : dice.often(unusual)
        ? escaped.replace("%", "%25")
        : escaped
      : cased;
  }
  return spelling;
}

function spelling(dice: Dice, { path, parameters }: Denied): string {
  // Half of the targets have nothing unusual in their paths, so that parameters get their share.
  const unusual = dice.often(50) ? 0 : 30;
  const joint = () => dice.often(unusual) ? dice.pick(JOINTS) : "/";
  let target = "/" + path.map((segment) => spelt(dice, segment, unusual)).join(joint());
  if (dice.often(unusual)) target = dice.pick(JOINTS).replace(/^(?!\/)/, "/") + target.slice(1);
  if (dice.often(40)) target += dice.pick(TAILS);
  const pairs = Object.entries(parameters).map(([key, value]) =>
    `${spelt(dice, key, 0)}=${spelt(dice, value, 0)}`
  );
  while (dice.often(40)) pairs.splice(dice.below(pairs.length + 1), 0, dice.pick(NOISE));
  if (pairs.length > 0 && dice.often(20)) pairs.push(dice.pick(pairs));
  if (pairs.length === 0) return target;
  return target + (dice.often(unusual) ? dice.pick(["%3F", "?"]) : "?") +
    pairs.join(dice.often(unusual) ? ";" : "&");
}

function isAllowed(item: CompiledItem, target: string, claims = STRANGER): boolean {
  return evaluate(item, questionOf("GET", target, claims), "enforce").allowed;
}

Deno.test("evaluate() allows no spelling of a denied request in enforce", () => {
  const dice = new Dice(SEED);
  let taken = 0;
  let strict = 0;
  for (let done = 0; done < CASES; done++) {
    const denied = DENIED[done % DENIED.length]!;
    const target = spelling(dice, denied);
    if (!isTakenFor(denied, target)) continue;
    taken++;
    if (isAllowed(OPEN, target)) assert.fail(`SPELLINGS_SEED=${SEED}: ${JSON.stringify(target)}`);
    if (evaluate(OPEN, questionOf("GET", target, STRANGER), "compat").compat === "allow") strict++;
  }
  assert.ok(taken * 2 > CASES, `only ${taken} spellings were taken for the denied request`);
  assert.ok(strict * 50 > CASES, `only ${strict} of them pass the legacy matcher`);
});

Deno.test("evaluate() lets the member through with the plain spellings only", () => {
  const dice = new Dice(SEED);
  let allowed = 0;
  const cases = Math.ceil(CASES / 10);
  for (let done = 0; done < cases; done++) {
    const target = spelling(dice, DENIED[done % 2]!);
    if (!isAllowed(OPEN, target, MEMBER)) continue;
    allowed++;
    const [path] = target.split(/[?#]/);
    assert.doesNotMatch(path!, /\\|;|%25|%2f|%5c|%3f|%3b|%00|\/\.(\/|$)|\/\//i);
  }
  assert.ok(allowed * 10 > cases, `only ${allowed}`);
});

Deno.test("evaluate() never allows in enforce what it refuses in compat", () => {
  const dice = new Dice(SEED);
  const granting = compileItem({
    id: "granting",
    defaultAccess: "deny",
    mode: "enforce",
    rules: {
      privileges: DENIED.map(({ path, parameters }, at) => ({
        name: `p${at}`,
        path: `/${path.join("/")}`,
        queryParameters: new Map(Object.entries(parameters)),
      })),
      roles: [{ name: "r", privileges: ["p0", "p1", "p2", "p3"] }],
      identities: [{
        name: "svc",
        userName: "svc",
        groupName: null,
        exePath: null,
        processName: null,
      }],
      roleAssignments: [{ role: "r", identities: ["svc"] }],
    },
    source: new Map(),
  }).compiled;
  const seen = { compat: 0, enforce: 0 };
  for (let done = 0; done < CASES; done++) {
    const question = questionOf("GET", spelling(dice, dice.pick(DENIED)), MEMBER);
    for (const item of [OPEN, granting]) {
      const compat = evaluate(item, question, "compat").allowed;
      const enforce = evaluate(item, question, "enforce").allowed;
      if (compat) seen.compat++;
      if (enforce) seen.enforce++;
      assert.ok(compat || !enforce, `SPELLINGS_SEED=${SEED}: ${JSON.stringify(question.target)}`);
    }
  }
  assert.ok(seen.enforce * 5 > CASES && seen.compat > seen.enforce, JSON.stringify(seen));
});
