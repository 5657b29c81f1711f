import assert from "node:assert/strict";
import { Exchange, HostClock, TcpHostChannel } from "../../../../src/agent/host/mod.ts";
import {
  type AgentSnapshot,
  Epochs,
  initialSnapshot,
  KEPT_KEYS,
  KeyKeeper,
} from "../../../../src/agent/key_keeper/mod.ts";
import { ENDPOINTS } from "../../../../src/domain/wire/mod.ts";
import { LinuxKeyStore } from "../../../../src/platform/linux/key_store.ts";
import { Cell } from "../../../../src/runtime/cell.ts";
import { SystemClock } from "../../../../src/runtime/system_clock.ts";
import { parseFaults, type Simulator, startSimulator } from "../../../../src/simulator/mod.ts";
import { MemoryEpochStore } from "../../../fakes/memory_epoch_store.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { MemoryPolicyStore } from "../../../fakes/memory_policy_store.ts";
import { MemoryRuleFiles } from "../../../fakes/memory_rule_files.ts";

const LOOPBACK = { address: "127.0.0.1", port: 0 };
const INTERVAL_MS = 25;
const V1 = (secureChannelState: string) => ({ version: "1.0", secureChannelState });

/** The control path of an agent as the program builds it, at a simulated host, with a key folder of its own. */
class Agent implements AsyncDisposable {
  readonly cell = new Cell<AgentSnapshot>(initialSnapshot());
  readonly hostClock: HostClock;
  readonly keeper: KeyKeeper;
  readonly health: string[] = [];
  readonly logger = new MemoryLogger();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(simulator: Simulator, keyFolder: string) {
    const clock = new SystemClock();
    const { wireserver, imds } = simulator.addresses;
    this.hostClock = new HostClock(clock);
    this.keeper = new KeyKeeper({
      clock,
      logger: this.logger,
      host: new TcpHostChannel(
        { ...ENDPOINTS, wireserver, imds },
        new Exchange(clock),
        this.hostClock,
      ),
      store: new LinuxKeyStore(keyFolder, { kept: KEPT_KEYS }),
      epochs: new Epochs(new MemoryEpochStore(0), clock, this.logger),
      policyStore: new MemoryPolicyStore(),
      ruleFiles: new MemoryRuleFiles(),
      matching: "shadow",
      snapshot: this.cell,
      pollIntervalMs: INTERVAL_MS,
      onKeyReady: () => {},
    });
    this.#running = this.keeper.run(this.#stop.signal, {
      report: (state, code, message) => this.health.push(`${state} ${code} ${message}`),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

interface World {
  readonly simulator: Simulator;
  readonly folder: string;
  keyFiles(): string[];
}

async function withWorld(play: (world: World) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir();
  const folder = `${parent}/keys`;
  await using simulator = await startSimulator({
    wireserver: LOOPBACK,
    hostga: LOOPBACK,
    imds: LOOPBACK,
    control: null,
  });
  const keyFiles = () => [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
  try {
    await play({ simulator, folder, keyFiles });
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

/** Waits until `condition` holds, 10 s at most. */
async function until(what: string, condition: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) assert.fail(`${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const targets = (simulator: Simulator) =>
  simulator.host.journal.read(0, 10_000).map((entry) =>
    `${entry.request.method} ${entry.request.target.replace(/[0-9a-f-]{36}/, "GUID")}`
  );

Deno.test("the keeper latches a key with the simulated host, and reloads it after a restart", () =>
  withWorld(async ({ simulator, folder, keyFiles }) => {
    {
      await using agent = new Agent(simulator, folder);
      await until("latching", () => agent.cell.get().key !== null);
      const { latched } = simulator.host.keys;
      assert.equal(agent.cell.get().key?.guid, latched?.guid);
      assert.deepEqual(keyFiles(), [`${latched?.guid}.key`]);
      assert.deepEqual(targets(simulator).slice(0, 3), [
        "GET /secure-channel/status",
        "POST /secure-channel/key",
        "POST /secure-channel/key/GUID/key-attestation",
      ]);
      assert.equal(simulator.host.counts.wireserver.bad, 0);
      await until("confirmation", () => simulator.host.journal.nextSeq > 5);
      assert.equal(targets(simulator).filter((target) => target.startsWith("POST")).length, 2);
    }
    const asked = simulator.host.journal.nextSeq;
    await using agent = new Agent(simulator, folder);
    await until("reloading", () => agent.cell.get().key !== null);
    assert.ok(agent.health.some((line) => line.startsWith("RUNNING KEY_FROM_DISK")));
    const since = simulator.host.journal.read(asked - 1, 100);
    assert.ok(since.every((entry) => entry.request.method === "GET"));
  }));

Deno.test("the keeper follows rotations of the simulated host", () =>
  withWorld(async ({ simulator, folder, keyFiles }) => {
    await using agent = new Agent(simulator, folder);
    await until("latching", () => agent.cell.get().key !== null);
    for (let times = 0; times < 3; times++) {
      const { guid } = simulator.host.keys.rotate(simulator.host.nowMs());
      await until("rotation", () => agent.cell.get().key?.guid === guid);
      assert.equal(simulator.host.keys.latched?.guid, guid);
    }
    assert.equal(keyFiles().length, 4);
    assert.equal(simulator.host.counts.wireserver.bad, 0);
  }));

Deno.test("the keeper disables and enables with the simulated host", () =>
  withWorld(async ({ simulator, folder }) => {
    simulator.host.policy = V1("Disabled");
    await using agent = new Agent(simulator, folder);
    await until("the answer", () => agent.cell.get().channel === "disabled");
    assert.deepEqual(agent.cell.get().targets, {});
    assert.throws(() => Deno.statSync(`${folder}/x.key`));
    simulator.host.policy = V1("WireserverAndImds");
    await until("latching", () => agent.cell.get().key !== null);
    const guid = agent.cell.get().key!.guid;
    simulator.host.policy = V1("Disabled");
    await until("dropping", () => agent.cell.get().key === null);
    simulator.host.policy = V1("Wireserver");
    await until("reloading", () => agent.cell.get().key?.guid === guid);
    assert.equal(agent.cell.get().targets?.imds, "audit");
  }));

Deno.test("the keeper gets over every fault of the simulated host", () =>
  withWorld(async ({ simulator, folder }) => {
    const kinds = ["status", "reset", "close", "garbage", "garbage-body", "half-body"];
    const faults = ["/secure-channel/status", "/secure-channel/key"].flatMap((path) =>
      kinds.map((kind) => ({ kind, path, count: 1, status: 500 }))
    );
    const parsed = parseFaults(faults);
    assert.ok(parsed.ok);
    simulator.host.faults.set(parsed.value);
    await using agent = new Agent(simulator, folder);
    await until("latching", () => agent.cell.get().key !== null);
    assert.equal(simulator.host.faults.list.length, 0);
    assert.equal(agent.cell.get().key?.guid, simulator.host.keys.latched?.guid);
    assert.ok(agent.health.some((line) => line.includes("Failed to get key status")));
    assert.ok(agent.health.some((line) => line.includes("Failed to acquire key details")));
    await until("confirmation", () => agent.health.at(-1)?.startsWith("RUNNING KEY_") === true);
  }));

Deno.test("the keeper takes up a key whose attestation the host took without its answer arriving", () =>
  withWorld(async ({ simulator, folder, keyFiles }) => {
    const parsed = parseFaults([
      { kind: "reset", path: "/secure-channel/key/", method: "POST", count: 1 },
    ]);
    assert.ok(parsed.ok);
    simulator.host.faults.set(parsed.value);
    await using agent = new Agent(simulator, folder);
    await until("latching", () => agent.cell.get().key !== null);
    const acquisitions = targets(simulator).filter((target) =>
      target === "POST /secure-channel/key"
    );
    assert.equal(acquisitions.length, 1);
    assert.deepEqual(keyFiles(), [`${agent.cell.get().key?.guid}.key`]);
  }));

Deno.test("the keeper takes the simulated host's time for its own", () =>
  withWorld(async ({ simulator, folder }) => {
    simulator.host.clockSkewMs = 3_600_000;
    await using agent = new Agent(simulator, folder);
    await until("latching", () => agent.cell.get().key !== null);
    assert.ok(Math.abs(agent.hostClock.skewMs()! - 3_600_000) < 2_000);
    assert.equal(
      simulator.host.counts.wireserver.bad,
      0,
      "the attestation carried the host's date",
    );
  }));

Deno.test("the keeper does not flood a host that never names the key it took", () =>
  withWorld(async ({ simulator, folder, keyFiles }) => {
    simulator.host.keys.naming = "none";
    await using agent = new Agent(simulator, folder);
    await until("many polls", () => simulator.host.journal.nextSeq > 20);
    assert.equal(keyFiles().length, 1);
    assert.notEqual(agent.cell.get().key, null);
  }));
