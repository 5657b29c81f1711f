/** Every point of the specification's checklist names tests in `docs/conformance.md`, and these exist. */
import assert from "node:assert/strict";

const TESTS = new URL("../", import.meta.url);
const CHECKLIST = new URL("../../docs/conformance.md", import.meta.url);
const POINTS = 20;

interface Point {
  readonly number: number;
  readonly tests: { readonly file: string; readonly name: string }[];
}

/** The points of the document; a list entry may go on in lines that are indented. */
function pointsOf(markdown: string): Point[] {
  const points: Point[] = [];
  for (const line of markdown.replaceAll(/\n {2,}(?=\S)/g, " ").split("\n")) {
    const heading = /^### (\d+)\. /.exec(line);
    if (heading !== null) points.push({ number: Number(heading[1]), tests: [] });
    const entry = /^- `([^`]+)`: (.+)$/.exec(line);
    if (entry !== null) points.at(-1)?.tests.push({ file: entry[1]!, name: entry[2]! });
    else assert.ok(!line.startsWith("- "), `the entry names a file and a test: ${line}`);
  }
  return points;
}

/** Whether a test of this name stands in the text, as a whole string. */
function holdsTest(text: string, name: string): boolean {
  return ['"', "`"].some((quote) => text.includes(`${quote}${name}${quote}`));
}

Deno.test("every point of the checklist names tests that exist", () => {
  const points = pointsOf(Deno.readTextFileSync(CHECKLIST));
  assert.deepEqual(
    points.map(({ number }) => number),
    Array.from({ length: POINTS }, (_, index) => index + 1),
  );
  const missing: string[] = [];
  for (const { number, tests } of points) {
    if (tests.length === 0) missing.push(`point ${number} names no test`);
    for (const { file, name } of tests) {
      const text = readText(file);
      if (text === null) missing.push(`point ${number}: there is no tests/${file}`);
      else if (!holdsTest(text, name)) missing.push(`point ${number}: ${file} has no "${name}"`);
    }
  }
  assert.deepEqual(missing, []);
});

Deno.test("holdsTest() is not content with a part of a name", () => {
  assert.ok(holdsTest('Deno.test("a b", () => {})', "a b"));
  assert.ok(holdsTest("Deno.test(`a ${b}`, () => {})", "a ${b}"));
  assert.ok(!holdsTest('Deno.test("a b c", () => {})', "a b"));
});

function readText(file: string): string | null {
  try {
    return Deno.readTextFileSync(new URL(file, TESTS));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

Deno.test("every deviation that a table names is on the list of deviations", () => {
  const list = Deno.readTextFileSync(new URL("../../docs/deviations.md", import.meta.url));
  const folder = new URL("vectors/authorization/", TESTS);
  const named = new Set<string>();
  for (const { name } of Deno.readDirSync(folder)) {
    const text = Deno.readTextFileSync(new URL(name, folder));
    for (const [id] of text.matchAll(/\bD-\d+\b/g)) named.add(id);
  }
  assert.ok(named.size >= 8, [...named].join());
  assert.deepEqual([...named].filter((id) => !list.includes(`| ${id} `)), []);
});
