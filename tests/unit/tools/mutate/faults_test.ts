import assert from "node:assert/strict";
import plugin, { type Fault } from "../../../../tools/mutate/faults.ts";
import { type Mutant, planted, sample, SUBJECTS } from "../../../../tools/mutate/mutants.ts";
import { reportText, summarise } from "../../../../tools/mutate/report.ts";

/** What can be planted in `text`, as `kind: original -> replacement`. */
function faultsOf(text: string): string[] {
  return Deno.lint.runPlugin(plugin, "subject.ts", text).map(({ message }) => {
    const { kind, start, end, original, replacement }: Fault = JSON.parse(message);
    assert.equal(text.slice(start, end), original);
    return `${kind}: ${original} -> ${replacement}`;
  });
}

Deno.test("faults turn operators and boundaries round", () => {
  assert.deepEqual(faultsOf("f(a < b);"), [
    "statement removed: f(a < b); -> ;",
    "operator: < -> <=",
  ]);
  assert.deepEqual(faultsOf("const x = a === b;"), ["operator: === -> !=="]);
  assert.deepEqual(faultsOf("const x = a + b;"), ["operator: + -> -"]);
  assert.deepEqual(faultsOf("const x = a && b;"), [
    "operator: && -> ||",
    "operand dropped: a && b -> (a)",
    "operand dropped: a && b -> (b)",
  ]);
  assert.deepEqual(faultsOf("const x = a ?? b;"), [
    "default dropped: a ?? b -> (a)",
    "default forced: a ?? b -> (b)",
  ]);
  assert.deepEqual(faultsOf("const x = !a;"), ["negation: !a -> a"]);
});

Deno.test("faults change constants, and leave sentences alone", () => {
  assert.deepEqual(faultsOf("const x = 2;"), ["number: 2 -> (2 + 1)", "number: 2 -> (2 - 1)"]);
  assert.deepEqual(faultsOf("const x = 0;"), ["number: 0 -> (0 + 1)"]);
  assert.deepEqual(faultsOf("const x = true;"), ["boolean: true -> false"]);
  assert.deepEqual(faultsOf('const x = "deny";'), ['text: "deny" -> ""']);
  assert.deepEqual(faultsOf('const x = "for people to read";'), []);
  assert.deepEqual(faultsOf("const x = /^[a-z]+$/;"), [
    "pattern: /^[a-z]+$/ -> /[a-z]+$/",
    "pattern: /^[a-z]+$/ -> /^[a-z]+/",
    "pattern: /^[a-z]+$/ -> /^[^a-z]+$/",
    "pattern: /^[a-z]+$/ -> /^[a-z]*$/",
  ]);
});

Deno.test("faults swap branches, force conditions and remove statements", () => {
  assert.deepEqual(faultsOf("const x = a ? b : c;"), [
    "branches swapped: a ? b : c -> (a ? c : b)",
  ]);
  assert.deepEqual(faultsOf("if (a) f();"), [
    "condition true: a -> true",
    "condition false: a -> false",
    "statement removed: f(); -> ;",
  ]);
  assert.deepEqual(faultsOf("for (;;) break;"), ["statement removed: break; -> ;"]);
});

Deno.test("faults are never planted in types, names of members or imports", () => {
  assert.deepEqual(faultsOf('type X = "a" | 1 | true;'), []);
  assert.deepEqual(faultsOf('import { a } from "b";'), []);
  assert.deepEqual(faultsOf('export * from "b";'), []);
  assert.deepEqual(faultsOf('const x = { "a": b };'), []);
});

const MUTANTS: readonly Mutant[] = Array.from({ length: 20 }, (_, start) => ({
  file: "a.ts",
  line: 1,
  context: `x = ${start};`,
  kind: "number",
  start,
  end: start + 1,
  original: "1",
  replacement: String(start),
}));

Deno.test("sample() draws by its seed and keeps the order", () => {
  const drawn = sample(MUTANTS, 5, 1);
  assert.equal(drawn.length, 5);
  assert.deepEqual(drawn, sample(MUTANTS, 5, 1));
  assert.notDeepEqual(drawn, sample(MUTANTS, 5, 2));
  const places = drawn.map(({ start }) => start);
  assert.deepEqual(places, places.toSorted((left, right) => left - right));
  assert.deepEqual(sample(MUTANTS, 100, 1), MUTANTS);
});

Deno.test("planted() replaces exactly the piece", () => {
  const fault = { kind: "number", start: 4, end: 5, original: "1", replacement: "(1 + 1)" };
  assert.equal(planted("x = 1;", fault), "x = (1 + 1);");
});

Deno.test("summarise() counts what was caught, and excuses only what is listed", () => {
  const [first, second, third, fourth] = MUTANTS as unknown as [Mutant, Mutant, Mutant, Mutant];
  const trials = [
    { mutant: first, fate: "test", caughtBy: "t" },
    { mutant: second, fate: "survived", caughtBy: null },
    { mutant: third, fate: "survived", caughtBy: null },
    { mutant: fourth, fate: "time", caughtBy: null },
  ] as const;
  const excused = [{ ...third, why: "nobody can see it" }];
  const report = summarise(1, trials, excused);
  assert.deepEqual(
    [report.faults, report.caught, report.byTests, report.byTime, report.byTypes, report.excused],
    [4, 2, 1, 1, 0, 1],
  );
  assert.equal(report.caughtPercent, 66.6);
  assert.deepEqual(report.survivors.map(({ mutant }) => mutant), [second]);
  assert.match(reportText(report), /survived: a\.ts:1 number: 1 -> 1$/);
  assert.equal(summarise(1, [], []).caughtPercent, 0);
});

Deno.test("every subject of the faults exists", () => {
  const root = new URL("../../../../", import.meta.url);
  for (const subject of SUBJECTS) assert.ok(Deno.statSync(new URL(subject, root)).isFile, subject);
});
