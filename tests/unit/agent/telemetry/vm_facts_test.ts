import assert from "node:assert/strict";
import { loadXmlReader, VmFactsSource } from "../../../../src/agent/telemetry/mod.ts";
import type { LatchedKey } from "../../../../src/domain/endorsement/mod.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { goalStateXml, sharedConfigXml } from "../../../../src/simulator/machine_documents.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { sampleKey } from "../../domain/sample_values.ts";
import { VM } from "./samples.ts";

const SIGNAL = new AbortController().signal;
const INSTANCE = JSON.stringify({
  compute: { subscriptionId: "s", resourceGroupName: "rg", vmId: "v", offer: "" },
});

function stand() {
  const clock = new FakeClock();
  const asked: string[] = [];
  const texts = {
    goalState: goalStateXml({ address: "168.63.129.16", port: 80 }),
    shared: sharedConfigXml(),
    instance: INSTANCE,
    failure: null as Error | null,
  };
  const answer = (what: string, key: LatchedKey | null, syntax: "xml" | "json", text: string) => {
    asked.push(`${what} ${key === null ? "unsigned" : "signed"}`);
    return texts.failure === null
      ? Promise.resolve({ syntax, text })
      : Promise.reject(texts.failure);
  };
  let key: LatchedKey | null = null;
  const source = new VmFactsSource({
    clock,
    key: () => key,
    machine: VM.machine,
    loadXmlReader,
    host: {
      goalState: (with_) => answer("goal state", with_, "xml", texts.goalState),
      sharedConfig: (url, with_) => answer(new URL(url).search, with_, "xml", texts.shared),
      instance: (with_) => answer("instance", with_, "json", texts.instance),
    },
  });
  return { clock, asked, texts, source, hold: (next: LatchedKey) => key = next };
}

Deno.test("VmFactsSource.get() asks for the three documents, one after the other", async () => {
  const { source, asked } = stand();
  const facts = await source.get(SIGNAL);
  assert.deepEqual(asked, [
    "goal state unsigned",
    "?comp=config&type=sharedConfig&incarnation=1 unsigned",
    "instance unsigned",
  ]);
  assert.deepEqual(facts, {
    containerId: "51111111-0000-4000-8000-000000000001",
    shared: {
      tenantName: "simulated-deployment",
      roleName: "simulated-vm",
      roleInstanceName: "_simulated-vm",
    },
    instance: { subscriptionId: "s", resourceGroupName: "rg", vmId: "v", hasOffer: false },
    machine: VM.machine,
  });
});

Deno.test("VmFactsSource.get() signs with the key of the moment, and asks again after five minutes", async () => {
  const { source, asked, clock, hold } = stand();
  await source.get(SIGNAL);
  hold(sampleKey());
  clock.tick(299_000);
  await source.get(SIGNAL);
  assert.equal(asked.length, 3);
  clock.tick(1_000);
  await source.get(SIGNAL);
  assert.deepEqual(asked.slice(3).map((line) => line.split(" ").at(-1)), Array(3).fill("signed"));
});

Deno.test("VmFactsSource.get() keeps what was known when the host fails, and tries again at once", async () => {
  const { source, asked, clock, texts } = stand();
  const known = await source.get(SIGNAL);
  clock.tick(300_000);
  texts.failure = new AgentError("HOST_CONNECT", "no connection");
  assert.equal(await source.get(SIGNAL), known);
  texts.failure = null;
  texts.shared = texts.shared.replace('name="simulated-vm"', 'name="renamed"');
  assert.equal((await source.get(SIGNAL)).shared.roleName, "renamed");
  assert.equal(asked.length, 3 + 1 + 3);
});

Deno.test("VmFactsSource.get() says which document cannot be used, and quotes none of it", async () => {
  for (
    const [change, words] of [
      [{ goalState: "<secret>" }, /read the goal state: no valid XML/],
      [{ goalState: "<g/>" }, /read the goal state: Container/],
      [{ shared: "<c/>" }, /read the shared configuration: Deployment/],
      [{ instance: "secret" }, /read the instance metadata: no valid JSON/],
    ] as const
  ) {
    const { source, texts } = stand();
    Object.assign(texts, change);
    await assert.rejects(source.get(SIGNAL), (error) => {
      assert.ok(error instanceof AgentError);
      assert.equal(error.code, "HOST_DOCUMENT");
      assert.match(error.message, words);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
  }
});

Deno.test("VmFactsSource.get() does not hide a mistake of its own behind what was known", async () => {
  const { source, clock, texts } = stand();
  await source.get(SIGNAL);
  clock.tick(300_000);
  texts.failure = new TypeError("bug");
  await assert.rejects(source.get(SIGNAL), TypeError);
});
