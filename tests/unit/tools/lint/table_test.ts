import assert from "node:assert/strict";
import { judgeImport, placeOf, resolve } from "../../../../tools/lint/table.ts";

function allowed(importer: string, specifier: string, typeOnly = false): void {
  assert.equal(judgeImport(importer, { specifier, typeOnly }), null);
}

function refused(importer: string, specifier: string, pattern: RegExp, typeOnly = false): void {
  assert.match(judgeImport(importer, { specifier, typeOnly }) ?? "allowed", pattern);
}

Deno.test("placeOf() tells tiers and rooms apart", () => {
  assert.deepEqual(placeOf("main.ts"), { tier: "wiring", room: null });
  assert.deepEqual(placeOf("src/app.ts"), { tier: "wiring", room: null });
  assert.deepEqual(placeOf("src/commands/status.ts"), { tier: "wiring", room: null });
  assert.deepEqual(placeOf("src/domain/wire/endpoints.ts"), {
    tier: "domain",
    room: "src/domain/wire",
  });
  assert.deepEqual(placeOf("src/agent/proxy/inner/a.ts"), {
    tier: "agent",
    room: "src/agent/proxy",
  });
  assert.deepEqual(placeOf("src/simulator/faults.ts"), {
    tier: "simulator",
    room: "src/simulator",
  });
  assert.deepEqual(placeOf("src/platform/mod.ts"), { tier: "platform-door", room: null });
  assert.deepEqual(placeOf("src/platform/linux/files.ts"), {
    tier: "platform",
    room: "src/platform/linux",
  });
  assert.deepEqual(placeOf("ffi/libc.ts"), { tier: "ffi", room: null });
  assert.deepEqual(placeOf("tools/check.ts"), { tier: "free", room: null });
});

Deno.test("resolve() follows a relative specifier", () => {
  assert.equal(
    resolve("src/agent/proxy/listener.ts", "../../domain/wire/a.ts"),
    "src/domain/wire/a.ts",
  );
  assert.equal(resolve("main.ts", "./src/app.ts"), "src/app.ts");
});

Deno.test("judgeImport() lets the wiring files import everything but a platform's room", () => {
  allowed("src/app.ts", "./agent/proxy/mod.ts");
  allowed("src/app.ts", "./platform/mod.ts");
  allowed("src/commands/simulator.ts", "../simulator/mod.ts");
  allowed("main.ts", "./ffi/libc.ts");
  refused("src/app.ts", "./platform/linux/files.ts", /only src\/platform itself/);
  allowed("src/version.ts", "../deno.json");
  refused("src/agent/status/writer.ts", "../../../deno.json", /does not depend/);
  refused("main.ts", "./tools/check.ts", /does not depend on `tools`/);
  refused("src/config.ts", "../tests/unit/a.ts", /does not depend on `tests`/);
});

Deno.test("judgeImport() opens a room by its mod.ts only", () => {
  allowed("src/agent/proxy/pipeline.ts", "../upstream/mod.ts");
  allowed("src/agent/proxy/pipeline.ts", "./intake.ts");
  allowed("src/simulator/verify.ts", "../agent/http1/mod.ts");
  refused(
    "src/agent/proxy/pipeline.ts",
    "../upstream/pool.ts",
    /only door of src\/agent\/upstream/,
  );
  refused("src/app.ts", "./agent/upstream/pool.ts", /only door of src\/agent\/upstream/);
  refused("src/app.ts", "./simulator/faults.ts", /only door of src\/simulator/);
  refused("src/simulator/verify.ts", "../agent/http1/limits.ts", /only door of src\/agent\/http1/);
});

Deno.test("judgeImport() keeps a room's files from going out by their own door", () => {
  refused("src/agent/proxy/pipeline.ts", "./mod.ts", /not the room's own door/);
});

Deno.test("judgeImport() keeps agent away from ffi, platform and wiring", () => {
  allowed("src/agent/status/writer.ts", "../../runtime/clock.ts");
  refused("src/agent/status/writer.ts", "../../../ffi/libc.ts", /agent may import/);
  refused("src/agent/status/writer.ts", "../../platform/mod.ts", /agent may import/);
  refused("src/agent/status/writer.ts", "../../config.ts", /agent may import/);
});

Deno.test("judgeImport() gives platform only the types of domain and agent", () => {
  allowed("src/platform/linux/a.ts", "../../../ffi/libc.ts");
  allowed("src/platform/linux/a.ts", "../../runtime/result.ts");
  allowed("src/platform/linux/a.ts", "../../agent/redirector/redirector.ts", true);
  refused("src/platform/linux/a.ts", "../../agent/redirector/mod.ts", /types only/);
  refused("src/platform/linux/a.ts", "../../domain/wire/endpoints.ts", /types only/);
  refused("src/platform/linux/a.ts", "../windows/a.ts", /platform may import/);
});

Deno.test("judgeImport() keeps domain, runtime and ffi to themselves", () => {
  allowed("src/domain/policy/a.ts", "../wire/endpoints.ts");
  allowed("src/domain/policy/a.ts", "../../runtime/result.ts");
  allowed("src/domain/policy/a.ts", "node:crypto");
  refused("src/domain/policy/a.ts", "../../runtime/clock.ts", /domain may import/, true);
  refused("src/domain/policy/a.ts", "../../agent/proxy/mod.ts", /domain may import/);
  refused("src/domain/policy/a.ts", "node:fs", /domain may import/);
  allowed("src/runtime/a.ts", "./clock.ts");
  refused("src/runtime/a.ts", "../domain/wire/endpoints.ts", /runtime may import/, true);
  allowed("ffi/libbpf.ts", "./errno.ts");
  refused("ffi/libbpf.ts", "../src/runtime/result.ts", /ffi may import/);
});

Deno.test("judgeImport() allows packages off the hot path only", () => {
  allowed("src/simulator/control.ts", "hono");
  allowed("src/agent/control/app.ts", "hono/streaming");
  refused("src/agent/proxy/listener.ts", "hono", /path of a request/);
  refused("src/runtime/a.ts", "hono", /path of a request/);
  refused("src/simulator/a.ts", "fast-check", /is for tests/);
  refused("src/simulator/a.ts", "npm:hono@4", /import map/);
});

Deno.test("judgeImport() leaves tests and tools free", () => {
  allowed("tests/unit/a_test.ts", "../../src/agent/upstream/pool.ts");
  allowed("tools/demo/main.ts", "fast-check");
});
