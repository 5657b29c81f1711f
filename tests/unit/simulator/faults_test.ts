import assert from "node:assert/strict";
import { type Fault, FaultList, parseFaults } from "../../../src/simulator/mod.ts";

function faults(...items: unknown[]): Fault[] {
  const parsed = parseFaults(items);
  assert.ok(parsed.ok, parsed.ok ? "" : parsed.error);
  return parsed.value;
}

Deno.test("parseFaults() fills in what is not said", () => {
  assert.deepEqual(faults({ kind: "reset" }), [
    {
      ...{ kind: "reset", endpoint: null, path: "", method: null, count: null },
      ...{ ms: 0, status: 200, bytes: 0, contentType: "" },
    },
  ]);
  assert.deepEqual(parseFaults({ faults: [] }), { ok: true, value: [] });
});

Deno.test("parseFaults() says what is wrong, and where", () => {
  const cases: [unknown, string][] = [
    [null, "list"],
    [{}, "list"],
    [new Array(65).fill({ kind: "hang" }), "at most 64"],
    [[1], "fault 0: must be an object"],
    [[{ kind: "hang" }, { kind: "x" }], "fault 1: `kind`"],
    [[{ kind: "hang", extra: 1 }], "`extra`"],
    [[{ kind: "hang", endpoint: "x" }], "`endpoint`"],
    [[{ kind: "hang", path: 1 }], "`path`"],
    [[{ kind: "hang", method: 1 }], "`method`"],
    [[{ kind: "slow" }], "`ms`"],
    [[{ kind: "slow", ms: 600_001 }], "`ms`"],
    [[{ kind: "slow", ms: 0.5 }], "`ms`"],
    [[{ kind: "status" }], "`status`"],
    [[{ kind: "status", status: 100 }], "`status`"],
    [[{ kind: "huge-body" }], "`bytes`"],
    [[{ kind: "huge-body", bytes: 67_108_865 }], "`bytes`"],
    [[{ kind: "content-type" }], "`contentType`"],
    [[{ kind: "content-type", contentType: "text/plain\r\nx: y" }], "`contentType`"],
    [[{ kind: "hang", count: 0 }], "`count`"],
  ];
  for (const [document, text] of cases) {
    const parsed = parseFaults(document);
    assert.ok(!parsed.ok && parsed.error.includes(text), JSON.stringify(document));
  }
});

Deno.test("take() hits by endpoint, method and beginning of the target", () => {
  const list = new FaultList();
  list.set(faults({ kind: "hang", endpoint: "imds", method: "GET", path: "/metadata/" }));
  assert.equal(list.take("wireserver", "GET", "/metadata/x"), null);
  assert.equal(list.take("imds", "PUT", "/metadata/x"), null);
  assert.equal(list.take("imds", "GET", "/x"), null);
  assert.equal(list.hits, 0);
  assert.equal(list.take("imds", "GET", "/metadata/x")?.kind, "hang");
  assert.equal(list.hits, 1);
});

Deno.test("take() counts down, then the next fault is due", () => {
  const list = new FaultList();
  list.set(faults({ kind: "reset", count: 2 }, { kind: "close", count: 1 }, { kind: "hang" }));
  const hit = () => list.take("imds", "GET", "/")?.kind;
  assert.deepEqual([hit(), hit(), hit(), hit(), hit()], [
    "reset",
    "reset",
    "close",
    "hang",
    "hang",
  ]);
  assert.equal(list.list.length, 1);
  assert.equal(list.hits, 5);
});

Deno.test("set() replaces all faults", () => {
  const list = new FaultList();
  list.set(faults({ kind: "reset" }));
  list.set([]);
  assert.equal(list.take("imds", "GET", "/"), null);
});
