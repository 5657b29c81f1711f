import assert from "node:assert/strict";
import plugin from "../../../../tools/lint/layers.ts";

/** Ids and messages of what the plugin reports for a file of this path and text. */
function lint(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source).map(({ id, message }) => `${id}: ${message}`);
}

function clean(path: string, source: string): void {
  assert.deepEqual(lint(path, source), []);
}

function reports(path: string, source: string, pattern: RegExp): void {
  const found = lint(path, source);
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0] ?? "", pattern);
}

Deno.test("imports reports every kind of forbidden import", () => {
  const path = "src/agent/proxy/listener.ts";
  for (
    const source of [
      `import { a } from "../upstream/pool.ts";`,
      `export { a } from "../upstream/pool.ts";`,
      `export * from "../upstream/pool.ts";`,
      `export const load = () => import("../upstream/pool.ts");`,
    ]
  ) reports(path, source, /layers\/imports: the only door of src\/agent\/upstream/);
});

Deno.test("imports tells types from values", () => {
  const path = "src/platform/linux/a.ts";
  clean(path, `import type { A } from "../../domain/wire/a.ts";`);
  clean(path, `import { type A, type B } from "../../domain/wire/a.ts";`);
  reports(path, `import { type A, b } from "../../domain/wire/a.ts";`, /types only/);
});

Deno.test("imports recognises files by their absolute path", () => {
  const root = decodeURIComponent(new URL("../../../../", import.meta.url).pathname);
  reports(`${root}src/runtime/a.ts`, `import "../domain/wire/a.ts";`, /runtime may import/);
});

Deno.test("purity refuses clocks, chance, the machine and waiting in domain", () => {
  const path = "src/domain/policy/a.ts";
  clean(path, `export const day = (ms: number) => new Date(ms).getUTCDate();`);
  clean(path, `export const f = (x: { console: string }) => x.console;`);
  for (
    const source of [
      `export const f = () => Deno.pid;`,
      `export const f = () => Date.now();`,
      `export const f = () => new Date();`,
      `export const f = () => Math.random();`,
      `export const f = () => performance.now();`,
      `export const f = () => crypto.randomUUID();`,
      `import { randomBytes } from "node:crypto"; export const f = () => randomBytes(1);`,
      `export async function f() {}`,
      `export const f = async () => {};`,
    ]
  ) reports(path, source, /layers\/purity/);
});

Deno.test("purity refuses what ties agent to one system", () => {
  const path = "src/agent/status/a.ts";
  clean(path, `export const f = () => Deno.pid;`);
  reports(path, `export const os = () => Deno.build.os;`, /layers\/purity.*Deno\.build/);
  reports(path, `export const f = () => Deno.dlopen("x", {});`, /Deno\.dlopen/);
  reports(path, `export const f = () => Deno.env.get("X");`, /Deno\.env/);
});

Deno.test("console is for commands, tools and tests", () => {
  const source = `export const f = () => console.log("x");`;
  clean("src/commands/status.ts", source);
  clean("tools/check.ts", source);
  reports("src/agent/status/a.ts", source, /layers\/console/);
  reports("src/app.ts", source, /layers\/console/);
});

Deno.test("state refuses mutable module state, import-time work and default exports", () => {
  const path = "src/agent/status/a.ts";
  clean(path, `const WORDS = new Set(["a"]); export const f = () => WORDS.size;`);
  for (
    const source of [
      `export let count = 0;`,
      `const cache = new Map<string, string>(); export const f = () => cache;`,
      `const list: string[] = []; export const f = () => list;`,
      `f(); export function f() {}`,
      `export default 1;`,
    ]
  ) reports(path, source, /layers\/state/);
});

Deno.test("names refuses folders that say nothing, other spellings, and words of the subject below it", () => {
  reports("src/agent/utils/a.ts", `export const a = 1;`, /layers\/names.*utils/);
  reports("src/agent/status/StatusWriter.ts", `export const a = 1;`, /snake_case/);
  reports("src/runtime/a.ts", `export const imdsPort = 80;`, /layers\/names.*imdsPort/);
  clean("src/agent/status/a.ts", `export const imdsPort = 80;`);
});
