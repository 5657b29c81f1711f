import assert from "node:assert/strict";
import { readXml } from "../../../../src/agent/telemetry/xml_reader.ts";
import {
  type GoalState,
  readGoalState,
  readSharedConfig,
  type SharedConfig,
} from "../../../../src/domain/wire/mod.ts";
import { goalStateXml, sharedConfigXml } from "../../../../src/simulator/machine_documents.ts";
import { readVectors } from "../../../vectors/read.ts";

const GOAL_STATES = readVectors<{ readonly text: string; readonly goalState: GoalState | null }>(
  "telemetry/goal_state.json",
  ["text", "goalState"],
);
for (const { id, text, goalState } of GOAL_STATES) {
  Deno.test(`readGoalState() reads: ${id}`, () => {
    const tree = readXml(text);
    const read = tree.ok ? readGoalState(tree.value) : tree;
    assert.deepEqual(read.ok ? read.value : null, goalState);
  });
}

const CONFIGS = readVectors<{ readonly text: string; readonly sharedConfig: SharedConfig | null }>(
  "telemetry/shared_config.json",
  ["text", "sharedConfig"],
);
for (const { id, text, sharedConfig } of CONFIGS) {
  Deno.test(`readSharedConfig() reads: ${id}`, () => {
    const tree = readXml(text);
    assert.ok(tree.ok);
    const read = readSharedConfig(tree.value);
    assert.deepEqual(read.ok ? read.value : null, sharedConfig);
  });
}

Deno.test("readXml() reads what the simulated host sends", () => {
  const goalState = readXml(goalStateXml({ address: "168.63.129.16", port: 80 }));
  assert.ok(goalState.ok && readGoalState(goalState.value).ok);
  const config = readXml(sharedConfigXml());
  assert.ok(config.ok && readSharedConfig(config.value).ok);
});

Deno.test("readXml() says where a document is wrong and quotes none of it", () => {
  const read = readXml("<a>\n<secret></a>");
  assert.ok(!read.ok);
  assert.match(read.error, /line 2/);
  assert.doesNotMatch(read.error, /secret/);
});

Deno.test("readXml() takes no document that is too long, too deep or empty", () => {
  assert.deepEqual(readXml(`<a>${"b".repeat(131_072)}</a>`), {
    ok: false,
    error: "the document is too long",
  });
  assert.deepEqual(readXml("<a>".repeat(70) + "</a>".repeat(70)), {
    ok: false,
    error: "the document is too deep",
  });
  for (const text of ["", " ", "{}", "<a>".repeat(40_000)]) assert.equal(readXml(text).ok, false);
});

Deno.test("readXml() expands no entity", () => {
  const bomb =
    `<!DOCTYPE a [<!ENTITY b "${"x".repeat(1000)}"><!ENTITY c "${"&b;".repeat(1000)}">]>` +
    "<a>&c;&amp;</a>";
  const read = readXml(bomb);
  assert.deepEqual(read.ok && read.value.children.join(""), "&c;&");
});
