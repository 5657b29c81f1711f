import assert from "node:assert/strict";
import {
  type AgentSnapshot,
  Epochs,
  initialSnapshot,
  KeyKeeper,
} from "../../../../src/agent/key_keeper/mod.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { Cell } from "../../../../src/runtime/cell.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import {
  FakeHostChannel,
  guid,
  keyText,
  statusV1,
  statusV2,
} from "../../../fakes/fake_host_channel.ts";
import { MemoryKeyStore } from "../../../fakes/memory_key_store.ts";
import { MemoryEpochStore } from "../../../fakes/memory_epoch_store.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { MemoryPolicyStore } from "../../../fakes/memory_policy_store.ts";
import { MemoryRuleFiles } from "../../../fakes/memory_rule_files.ts";

const INTERVAL_MS = 15_000;

/** A keeper with everything around it played, started by `start` and ended by `stop`. */
class Stand {
  readonly clock = new FakeClock();
  readonly logger = new MemoryLogger();
  readonly host = new FakeHostChannel();
  readonly store: MemoryKeyStore;
  readonly cell = new Cell<AgentSnapshot>(initialSnapshot());
  readonly published: AgentSnapshot[] = [];
  readonly ready: boolean[] = [];
  readonly health: string[] = [];
  readonly epochs: MemoryEpochStore;
  readonly policies: MemoryPolicyStore;
  readonly files = new MemoryRuleFiles();
  readonly numbers: Epochs;
  readonly keeper: KeyKeeper;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  /** @param before a stand whose disk this one starts with */
  constructor(before?: Stand) {
    this.store = before?.store ?? new MemoryKeyStore();
    this.epochs = before?.epochs ?? new MemoryEpochStore(0);
    this.policies = before?.policies ?? new MemoryPolicyStore();
    this.numbers = new Epochs(this.epochs, this.clock, this.logger);
    this.keeper = this.#makeKeeper();
  }

  #makeKeeper(): KeyKeeper {
    return new KeyKeeper({
      clock: this.clock,
      logger: this.logger,
      host: this.host,
      store: this.store,
      epochs: this.numbers,
      policyStore: this.policies,
      ruleFiles: this.files,
      matching: "shadow",
      snapshot: this.cell,
      pollIntervalMs: INTERVAL_MS,
      onKeyReady: (isReady) => this.ready.push(isReady),
    });
  }

  async start(): Promise<void> {
    this.cell.subscribe((snapshot) => this.published.push(snapshot), this.#stop.signal);
    this.#running = this.keeper.run(this.#stop.signal, {
      report: (state, code, message) => this.health.push(`${state} ${code} ${message}`),
    });
    await this.settle();
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await this.clock.settle();
  }

  /** Lets the next regular poll happen. */
  async poll(): Promise<void> {
    await this.clock.advance(INTERVAL_MS);
    await this.settle();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

async function withStand(play: (stand: Stand) => Promise<void>): Promise<void> {
  const stand = new Stand();
  try {
    await play(stand);
  } finally {
    await stand.stop();
  }
}

const NO_HOST = new AgentError("HOST_CONNECT", "get the key status: no connection");

Deno.test("run() acquires, stores, attests and publishes a key for a host that has none latched", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("WireserverAndImds", null);
    await stand.start();
    assert.deepEqual(stand.host.calls, ["status", "acquire", `attest ${guid(1)}`]);
    assert.deepEqual([...stand.store.texts.keys()], [`${guid(1)} attested`]);
    const snapshot = stand.cell.get();
    assert.equal(snapshot.channel, "wireserverandimds");
    assert.equal(snapshot.key?.guid, guid(1));
    assert.deepEqual(snapshot.targets, {
      wireserver: "enforce",
      imds: "enforce",
      hostga: "enforce",
    });
    assert.equal(snapshot.policy.epoch, 1);
    assert.deepEqual(stand.ready, [true]);
    assert.equal(
      stand.health.at(-1),
      "RUNNING KEY_ATTESTED Successfully attest the key and ready to use. - 0",
    );
  }));

Deno.test("run() publishes rules before the key is fetched, and targets only with it", () =>
  withStand(async (stand) => {
    await stand.start();
    assert.equal(stand.published.length, 2);
    const [first, second] = stand.published;
    assert.deepEqual([first?.key, first?.targets, first?.policy.epoch], [null, null, 1]);
    assert.equal(second?.policy, first?.policy);
    assert.equal(second?.key?.guid, guid(1));
    assert.notEqual(second?.targets, null);
  }));

Deno.test("run() publishes rules, key and targets in one assignment when the key is on the disk", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("WireserverAndImds", guid(5));
    stand.store.texts.set(`${guid(5)} attested`, keyText(guid(5)));
    await stand.start();
    assert.deepEqual(stand.host.calls, ["status"]);
    assert.equal(stand.published.length, 1);
    assert.equal(stand.published[0]?.key?.guid, guid(5));
    assert.notEqual(stand.published[0]?.targets, null);
    assert.equal(
      stand.health.at(-1),
      "RUNNING KEY_FROM_DISK Found key details from local and ready to use. - 0",
    );
    assert.deepEqual(stand.ready, [true]);
  }));

for (const status of [401, 403]) {
  Deno.test(`run() replaces a key from the disk that signed in vain and is refused with ${status}`, () =>
    withStand(async (stand) => {
      stand.host.status = statusV1("WireserverAndImds", guid(5));
      stand.store.texts.set(`${guid(5)} attested`, keyText(guid(5)));
      await stand.start();
      assert.equal(stand.cell.get().key?.guid, guid(5));
      stand.host.attesting = new AgentError("HOST_STATUS", "no", { detail: { status } });
      stand.keeper.signatureRefused();
      await stand.poll();
      const asked = stand.host.calls.slice(1, 4);
      assert.deepEqual(asked, ["status", `attest ${guid(5)}`, "acquire"]);
      stand.host.attesting = null;
      stand.store.texts.delete(`${guid(5)} attested`);
      await stand.poll();
      assert.equal(stand.cell.get().key?.guid, guid(1));
    }));
}

for (
  const error of [
    new AgentError("HOST_TIMEOUT", "no answer"),
    new AgentError("HOST_STATUS", "gone", { detail: { status: 410 } }),
    new AgentError("HOST_STATUS", "broken", { detail: { status: 500 } }),
  ]
) {
  Deno.test(`run() stays with a doubted key while its proof ends with ${error.message}`, () =>
    withStand(async (stand) => {
      stand.host.status = statusV1("WireserverAndImds", guid(5));
      stand.store.texts.set(`${guid(5)} attested`, keyText(guid(5)));
      await stand.start();
      stand.host.attesting = error;
      stand.keeper.signatureRefused();
      await stand.poll();
      assert.equal(stand.cell.get().key?.guid, guid(5));
      assert.ok(stand.health.some((line) => line.includes("Failed to prove the stored key")));
      await stand.poll();
      assert.deepEqual(stand.host.calls, ["status", "status", `attest ${guid(5)}`, "status"]);
      assert.equal(stand.cell.get().key?.guid, guid(5));
    }));
}

Deno.test("run() doubts no key that the host attested to this process", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("WireserverAndImds", guid(5));
    stand.store.texts.set(`${guid(5)} attested`, keyText(guid(5)));
    await stand.start();
    for (let round = 0; round < 3; round++) {
      stand.keeper.signatureRefused();
      await stand.poll();
    }
    const attestations = stand.host.calls.filter((call) => call.startsWith("attest"));
    assert.equal(attestations.length, 1);
    assert.equal(stand.cell.get().key?.guid, guid(5));
  }));

Deno.test("run() publishes nothing while nothing changes", () =>
  withStand(async (stand) => {
    await stand.start();
    stand.host.status = statusV1("WireserverAndImds", guid(1));
    const before = stand.published.length;
    await stand.poll();
    await stand.poll();
    assert.equal(stand.published.length, before);
    assert.deepEqual(stand.ready, [true]);
    assert.equal(stand.host.calls.filter((call) => call === "status").length, 3);
  }));

Deno.test("run() publishes a change of mode under the same rule id, key and all, at once", () =>
  withStand(async (stand) => {
    stand.host.status = statusV2("enforce", "audit", null);
    await stand.start();
    assert.deepEqual(stand.cell.get().targets, {
      wireserver: "enforce",
      hostga: "enforce",
      imds: "audit",
    });
    const before = stand.published.length;
    stand.host.status = statusV2("enforce", "enforce", guid(1));
    await stand.poll();
    assert.equal(stand.published.length, before + 1);
    assert.equal(stand.cell.get().targets?.imds, "enforce");
    assert.equal(stand.cell.get().policy.epoch, 2);
    assert.equal(stand.cell.get().channel, "WireServer Enforce -  IMDS Enforce - HostGA Enforce");
  }));

Deno.test("run() leaves disabled endpoints out of the targets", () =>
  withStand(async (stand) => {
    stand.host.status = statusV2("disabled", "disabled", null);
    await stand.start();
    assert.deepEqual(stand.cell.get().targets, {});
    assert.equal(stand.cell.get().key?.guid, guid(1), "a key is held in that state all the same");
  }));

Deno.test("run() drops key and targets in one assignment when the host disables", () =>
  withStand(async (stand) => {
    await stand.start();
    const before = stand.published.length;
    stand.host.status = statusV1("Disabled", guid(1));
    await stand.poll();
    assert.equal(stand.published.length, before + 1);
    const { channel, key, targets } = stand.cell.get();
    assert.deepEqual([channel, key, targets], ["disabled", null, {}]);
    assert.equal(stand.keeper.facts().keyGuid, null);
    assert.equal(
      stand.health.at(-1),
      `RUNNING CHANNEL_DISABLED Customer has not enforce the secure channel state. - ${INTERVAL_MS}`,
    );
    assert.deepEqual(stand.ready, [true, true]);
    assert.deepEqual([...stand.store.texts.keys()], [`${guid(1)} attested`], "the file stays");
  }));

Deno.test("run() takes the key from the disk when the host enables again", () =>
  withStand(async (stand) => {
    await stand.start();
    stand.host.status = statusV1("Disabled", guid(1));
    await stand.poll();
    stand.host.status = statusV1("Wireserver", guid(1));
    await stand.poll();
    assert.equal(stand.host.calls.filter((call) => call === "acquire").length, 1);
    assert.equal(stand.cell.get().key?.guid, guid(1));
    assert.deepEqual(stand.cell.get().targets, {
      wireserver: "enforce",
      hostga: "enforce",
      imds: "audit",
    });
  }));

Deno.test("run() redirects nothing anew before it has the key, and reopens provisioning", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("Disabled", null);
    await stand.start();
    stand.host.status = statusV1("WireserverAndImds", null);
    stand.host.grants = new AgentError("HOST_STATUS", "acquire a key: answered with `500`");
    await stand.poll();
    assert.deepEqual(stand.cell.get().targets, {});
    assert.equal(stand.cell.get().policy.endpoints.imds.mode, "enforce", "rules come first");
    assert.deepEqual(stand.ready, [true, false]);
    assert.equal(
      stand.health.at(-1),
      "RUNNING HOST_STATUS Failed to acquire key details: acquire a key: answered with `500`",
    );
    stand.host.grants = [guid(1)];
    await stand.poll();
    // The state had changed one poll earlier; what hangs on it is not lost (S-16).
    assert.equal(stand.cell.get().targets?.imds, "enforce");
    assert.deepEqual(stand.ready, [true, false, true]);
  }));

Deno.test("run() reopens provisioning before it asks for the key that the host wants now", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("Disabled", null);
    await stand.start();
    assert.deepEqual(stand.ready, [true]);
    stand.host.status = statusV1("WireserverAndImds", null);
    const whenAsked: (readonly boolean[])[] = [];
    const acquire = stand.host.acquireKey.bind(stand.host);
    stand.host.acquireKey = (...args) => {
      whenAsked.push([...stand.ready]);
      return acquire(...args);
    };
    await stand.poll();
    assert.deepEqual(whenAsked, [[true, false]], "until then `finished` would be said of before");
    assert.deepEqual(stand.ready, [true, false, true]);
  }));

Deno.test("run() follows a rotation and keeps the old key in use until the new one is attested", () =>
  withStand(async (stand) => {
    await stand.start();
    stand.host.status = statusV1("WireserverAndImds", guid(2));
    stand.host.grants = [guid(2)];
    stand.host.attesting = new AgentError("HOST_TIMEOUT", "attest the key: no answer");
    await stand.poll();
    assert.equal(stand.cell.get().key?.guid, guid(1));
    assert.equal(stand.keeper.facts().keyGuid, guid(1));
    stand.host.attesting = null;
    stand.host.calls.length = 0;
    await stand.poll();
    // The key of the failed attempt is on the disk, issued: it is attested, not asked for again (S-45).
    assert.deepEqual(stand.host.calls, ["status", `attest ${guid(2)}`]);
    assert.equal(stand.cell.get().key?.guid, guid(2));
    assert.ok(stand.store.texts.has(`${guid(2)} attested`));
  }));

Deno.test("run() acquires anew when the host refuses the stored key that was never attested", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("WireserverAndImds", guid(5));
    stand.store.texts.set(`${guid(5)} issued`, keyText(guid(5)));
    stand.host.attesting = new AgentError("HOST_STATUS", "no", { detail: { status: 403 } });
    await stand.start();
    assert.deepEqual(stand.host.calls, [
      "status",
      `attest ${guid(5)}`,
      "acquire",
      `attest ${guid(1)}`,
    ]);
    assert.equal(stand.cell.get().key, null);
  }));

Deno.test("run() keeps trying a stored key that the host could not judge", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("WireserverAndImds", guid(5));
    stand.store.texts.set(`${guid(5)} issued`, keyText(guid(5)));
    stand.host.attesting = new AgentError("HOST_STATUS", "no", { detail: { status: 503 } });
    await stand.start();
    assert.deepEqual(stand.host.calls, ["status", `attest ${guid(5)}`]);
    stand.host.attesting = null;
    await stand.poll();
    assert.equal(stand.cell.get().key?.guid, guid(5));
  }));

Deno.test("run() takes no stored key that is not what its name says", async () => {
  const texts: [string, string][] = [
    ["another id inside", keyText(guid(6))],
    ["no hex", keyText(guid(5), "XYZ")],
    ["no JSON", "{"],
  ];
  for (const [what, text] of texts) {
    await withStand(async (stand) => {
      stand.host.status = statusV1("WireserverAndImds", guid(5));
      stand.store.texts.set(`${guid(5)} attested`, text);
      await stand.start();
      assert.ok(stand.host.calls.includes("acquire"), what);
      assert.deepEqual(stand.logger.texts("warn"), ["stored key is unusable"]);
      assert.equal(stand.cell.get().key?.guid, guid(1), what);
    });
  }
});

Deno.test("run() acquires when the key store cannot be read", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("WireserverAndImds", guid(5));
    stand.store.failing.add("read");
    await stand.start();
    assert.equal(
      stand.health.at(-1),
      `UNKNOWN KEY_STORE_READ Failed to check the key '${
        guid(1)
      }' details saved locally: read fails by request.`,
    );
    assert.ok(!stand.host.calls.some((call) => call.startsWith("attest")));
  }));

Deno.test("run() does not attest a key that it could not store", () =>
  withStand(async (stand) => {
    stand.store.failing.add("write");
    await stand.start();
    assert.deepEqual(stand.host.calls, ["status", "acquire"]);
    assert.equal(
      stand.health.at(-1),
      "UNKNOWN KEY_STORE_WRITE Failed to save key details to file: write fails by request",
    );
    assert.equal(stand.cell.get().key, null);
    stand.store.failing.clear();
    await stand.poll();
    assert.equal(stand.cell.get().key?.guid, guid(1));
  }));

Deno.test("run() does not attest a key that reads back otherwise", () =>
  withStand(async (stand) => {
    stand.store.read = () => Promise.resolve(keyText(guid(1), "CD".repeat(32)));
    await stand.start();
    assert.deepEqual(stand.host.calls, ["status", "acquire"]);
    assert.ok(
      stand.health.at(-1)?.startsWith("UNKNOWN KEY_STORE_MISMATCH Failed to check the key"),
    );
  }));

Deno.test("run() uses an attested key whose file could not be renamed, and says so", () =>
  withStand(async (stand) => {
    stand.store.failing.add("promote");
    await stand.start();
    assert.equal(stand.cell.get().key?.guid, guid(1));
    assert.deepEqual(stand.logger.texts("error"), ["attested key is not marked as such"]);
  }));

Deno.test("run() refuses a key that is not hex, and stores nothing", () =>
  withStand(async (stand) => {
    stand.host.keyHex = "nothex";
    await stand.start();
    assert.equal(stand.store.texts.size, 0);
    assert.ok(
      stand.health.at(-1)?.startsWith("UNKNOWN HOST_DOCUMENT Failed to acquire key details"),
    );
    assert.ok(!stand.health.join().includes("nothex"));
    assert.ok(!JSON.stringify(stand.logger.lines).includes("nothex"));
  }));

Deno.test("run() goes on without a usable key folder, and with old keys that stay", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("Disabled", null);
    stand.store.failing.add("open").add("prune");
    await stand.start();
    assert.deepEqual(stand.logger.texts("error"), ["key folder is not usable"]);
    stand.store.failing.delete("open");
    stand.host.status = statusV1("Wireserver", null);
    await stand.poll();
    assert.equal(stand.cell.get().key?.guid, guid(1));
    assert.deepEqual(stand.logger.texts("warn"), ["old keys stay", "old keys stay"]);
  }));

Deno.test("run() bounds the keys that failed attempts leave behind", () =>
  withStand(async (stand) => {
    stand.host.grants = Array.from({ length: 20 }, (_, index) => guid(index + 1));
    stand.host.attesting = new AgentError("HOST_STATUS", "no", { detail: { status: 500 } });
    await stand.start();
    for (let times = 0; times < 10; times++) await stand.poll();
    assert.equal(stand.host.calls.filter((call) => call === "acquire").length, 11);
    assert.equal(stand.store.texts.size, 3);
    assert.ok(stand.logger.texts("info").includes("old keys removed"));
  }));

Deno.test("run() changes nothing when the status is not to be had", () =>
  withStand(async (stand) => {
    await stand.start();
    const before = stand.cell.get();
    stand.host.status = NO_HOST;
    await stand.poll();
    assert.equal(stand.cell.get(), before);
    assert.equal(
      stand.health.at(-1),
      "RUNNING HOST_CONNECT Failed to get key status - get the key status: no connection",
    );
  }));

Deno.test("run() changes nothing for a document that it cannot accept", () =>
  withStand(async (stand) => {
    await stand.start();
    const before = stand.cell.get();
    stand.host.status = { ...statusV2("enforce", "enforce", guid(1)), secureChannelEnabled: null };
    await stand.poll();
    assert.equal(stand.cell.get(), before);
    assert.ok(
      stand.health.at(-1)?.startsWith(
        "STOPPED POLICY_REFUSED Failed to get key status - ",
      ),
    );
    const failed = stand.keeper.facts().extra;
    assert.equal(failed?.["activePolicyEpoch"], "1");
    assert.equal(failed?.["lastFailedInstallAt"], "2026-01-06T07:08:24.123Z");
    assert.ok(failed?.["lastFailedInstallReason"]?.includes("$.secureChannelEnabled is required"));
    stand.host.status = statusV2("enforce", "enforce", guid(1));
    await stand.poll();
    assert.ok(stand.health.at(-1)?.startsWith("RUNNING"), "and it is well again");
  }));

Deno.test("run() is RUNNING only while polls succeed", () =>
  withStand(async (stand) => {
    await stand.start();
    stand.host.status = NO_HOST;
    for (let times = 0; times < 3; times++) await stand.poll();
    assert.ok(stand.health.at(-1)?.startsWith("RUNNING"));
    await stand.poll();
    assert.ok(stand.health.at(-1)?.startsWith("STOPPED HOST_CONNECT"));
    stand.host.status = statusV1("WireserverAndImds", guid(1));
    await stand.poll();
    assert.ok(stand.health.at(-1)?.startsWith("RUNNING KEY_ATTESTED"));
  }));

Deno.test("run() is not RUNNING while a host call hangs", () =>
  withStand(async (stand) => {
    await stand.start();
    stand.host.hangs = true;
    await stand.poll();
    await stand.clock.advance(4 * INTERVAL_MS);
    assert.ok(stand.health.at(-1)?.startsWith("STOPPED"));
  }));

Deno.test("run() polls each second while the host was not heard", () =>
  withStand(async (stand) => {
    stand.host.status = NO_HOST;
    await stand.start();
    await stand.clock.advance(10_000);
    assert.equal(stand.host.calls.length, 11);
    assert.equal(stand.cell.get().channel, "Unknown");
    assert.deepEqual(stand.ready, []);
    stand.host.status = statusV1("Disabled", null);
    await stand.clock.advance(1_000);
    stand.host.calls.length = 0;
    await stand.clock.advance(14_999);
    assert.equal(stand.host.calls.length, 0);
  }));

Deno.test("run() asks a host that never names its key less and less often, and says so", () =>
  withStand(async (stand) => {
    await stand.start();
    for (let times = 0; times < 40; times++) await stand.poll();
    // 10 minutes: 0, then after 30, 60, 120 and 240 s.
    assert.equal(stand.host.calls.filter((call) => call === "acquire").length, 5);
    assert.equal(stand.cell.get().key?.guid, guid(1));
    assert.ok(stand.health.some((line) => line.includes("KEY_NOT_NAMED")));
    assert.ok(stand.health.at(-1)?.startsWith("RUNNING"));
    assert.ok(stand.store.texts.size <= 13);
    stand.host.status = statusV1("WireserverAndImds", guid(1));
    await stand.poll();
    assert.ok(stand.health.at(-1)?.startsWith("RUNNING KEY_ATTESTED"));
  }));

Deno.test("run() throws what is a bug, so that the supervisor sees it", async () => {
  const stand = new Stand();
  stand.host.keyStatus = () => Promise.reject(new RangeError("a bug"));
  await assert.rejects(stand.start().then(() => stand.stop()), RangeError);
});

Deno.test("run() ends within a hanging call, and reports nothing of it", async () => {
  const stand = new Stand();
  await stand.start();
  stand.host.hangs = true;
  await stand.poll();
  await stand.stop();
  assert.deepEqual(stand.health.slice(-1), [
    "STOPPED KEY_LATCH_STOPPED poll_secure_channel_status task cancelled.",
  ]);
  assert.equal(stand.clock.sleeping, 0);
});

Deno.test("notify() makes a disabled agent poll at once and report anew", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("Disabled", null);
    await stand.start();
    stand.ready.length = 0;
    await stand.clock.advance(5_000);
    stand.host.calls.length = 0;
    stand.keeper.notify();
    await stand.settle();
    assert.deepEqual(stand.host.calls, ["status"]);
    assert.deepEqual(stand.ready, [true]);
    assert.equal(stand.cell.get().channel, "disabled", "a completed state is not cleared (S-44)");
  }));

Deno.test("notify() costs the host at most one poll a second", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("Disabled", null);
    await stand.start();
    stand.host.calls.length = 0;
    for (let times = 0; times < 100; times++) {
      stand.keeper.notify();
      await stand.clock.advance(100);
    }
    assert.ok(stand.host.calls.length <= 11, `${stand.host.calls.length}`);
    assert.ok(stand.host.calls.length >= 9);
  }));

Deno.test("notify() is fulfilled by a later poll when the next one fails", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("Disabled", null);
    await stand.start();
    stand.ready.length = 0;
    stand.host.status = NO_HOST;
    stand.keeper.notify();
    await stand.settle();
    assert.deepEqual(stand.ready, []);
    stand.host.status = statusV1("Disabled", null);
    await stand.poll();
    assert.deepEqual(stand.ready, [true]);
    await stand.poll();
    assert.deepEqual(stand.ready, [true]);
  }));

Deno.test("notify() in a latched state reports anew without asking the host", () =>
  withStand(async (stand) => {
    await stand.start();
    stand.host.calls.length = 0;
    await stand.clock.advance(2_000);
    stand.keeper.notify();
    await stand.settle();
    assert.deepEqual(stand.host.calls, []);
    assert.deepEqual(stand.ready, [true, true]);
  }));

Deno.test("facts() are the words of the status document", () =>
  withStand(async (stand) => {
    assert.deepEqual(stand.keeper.facts(), {
      secureChannelState: "Unknown",
      keyGuid: null,
      keyIncarnationId: null,
      wireServerRuleId: "",
      imdsRuleId: "",
      extra: { activePolicyEpoch: "0" },
    });
    assert.equal(stand.keeper.rules(), null);
    assert.equal(stand.keeper.isLatchedState(), false);
    stand.host.status = statusV2("enforce", "audit", null);
    await stand.start();
    assert.deepEqual(stand.keeper.facts(), {
      secureChannelState: "WireServer Enforce -  IMDS Audit - HostGA Enforce",
      keyGuid: guid(1),
      keyIncarnationId: 7,
      wireServerRuleId: "ws-1",
      imdsRuleId: "imds-1",
      extra: { lastPollTime: "2026-01-06T07:08:09.123Z", activePolicyEpoch: "1" },
    });
    assert.equal(stand.keeper.rules()?.imds?.item.id, "imds-1-useLocalFileRules-false");
    assert.equal(stand.keeper.isLatchedState(), true);
  }));

Deno.test("run() notes a scheme and a delivery method that it does not know, and works all the same", () =>
  withStand(async (stand) => {
    stand.host.status = {
      ...statusV1("Wireserver", null),
      authorizationScheme: "Other",
      keyDeliveryMethod: "pigeon",
    };
    await stand.start();
    assert.deepEqual(stand.logger.texts("warn"), [
      "authorization scheme is not the expected one",
      "key delivery method is not an expected one",
    ]);
    await stand.poll();
    assert.equal(stand.cell.get().key?.guid, guid(1));
  }));

/** An IMDS item that wants local rules. */
const LOCAL_IMDS = {
  defaultAccess: "allow",
  mode: "audit",
  id: btoa('{"id":"im","useLocalFileRules":true}'),
};

function withImds(item: Record<string, unknown>): Record<string, unknown> {
  return { ...statusV2("enforce", "enforce", guid(1)), authorizationRules: { imds: item } };
}

/** An item with one privilege, for everybody. */
function itemFor(path: string): Record<string, unknown> {
  return {
    defaultAccess: "deny",
    mode: "enforce",
    id: path,
    rules: {
      privileges: [{ name: "p", path }],
      roles: [{ name: "r", privileges: ["p"] }],
      identities: [{ name: "i", userName: "u" }],
      roleAssignments: [{ role: "r", identities: ["i"] }],
    },
  };
}

Deno.test("run() keeps the policy when the next one is refused, and follows the key all the same", () =>
  withStand(async (stand) => {
    stand.host.status = withImds(itemFor("/metadata/instance"));
    await stand.start();
    const good = stand.cell.get().policy;
    stand.host.status = { ...withImds(itemFor("/a/../../b")), keyGuid: guid(2) };
    stand.host.grants = [guid(2)];
    await stand.poll();
    assert.equal(stand.cell.get().policy, good);
    assert.equal(stand.cell.get().key?.guid, guid(2));
    assert.match(
      stand.health.at(-1) ?? "",
      /^STOPPED POLICY_REFUSED The policy of the host is refused - \$\.imds\.rules.* Policy 1 stays\.$/,
    );
    const { extra } = stand.keeper.facts();
    assert.match(extra?.["lastFailedInstallReason"] ?? "", /privileges\[0\]/);
    assert.equal(extra?.["activePolicyEpoch"], "1");
    await stand.poll();
    assert.deepEqual(stand.logger.texts("error"), ["policy of the host is refused"], "said once");
    assert.match(stand.health.at(-1) ?? "", /^STOPPED POLICY_REFUSED/, "and it stays red");
    stand.host.status = withImds(itemFor("/metadata/attested"));
    await stand.poll();
    assert.equal(stand.cell.get().policy.epoch, 2);
    assert.match(stand.health.at(-1) ?? "", /^RUNNING/);
    assert.equal(stand.keeper.facts().extra?.["lastFailedInstallReason"] === undefined, false);
  }));

Deno.test("run() enforces the defaults while it knows no policy that it could keep", () =>
  withStand(async (stand) => {
    stand.host.status = withImds(itemFor("/%zz"));
    await stand.start();
    const { policy, targets } = stand.cell.get();
    assert.deepEqual(policy.endpoints.imds, { kind: "built-in", mode: "enforce" });
    assert.deepEqual(targets, { wireserver: "enforce", imds: "enforce", hostga: "enforce" });
  }));

Deno.test("run() installs what a local file says, and closes the endpoint for a bad one", () =>
  withStand(async (stand) => {
    stand.files.put("imds", { id: "f", defaultAccess: "deny" });
    stand.host.status = withImds(LOCAL_IMDS);
    await stand.start();
    const merged = stand.cell.get().policy.endpoints.imds;
    assert.ok(merged.kind === "rules" && !merged.rules.defaultAllowed);
    assert.equal(merged.rules.id, "im-useLocalFileRules-true_f");
    stand.files.put("imds", '{"rules":{"roles":[{"name":"r","privileges":["none"]}]}}');
    await stand.poll();
    const closed = stand.cell.get().policy;
    assert.deepEqual([closed.epoch, closed.endpoints.imds.kind], [2, "closed"]);
    assert.match(
      stand.health.at(-1) ?? "",
      /^STOPPED LOCAL_RULES_REFUSED The local rules of imds are refused: .*must be the name of a privilege/,
    );
    const lines = stand.logger.lines.filter((line) =>
      line.text === "endpoint is closed by its policy"
    );
    assert.deepEqual(lines.map((line) => line.fields["endpoint"]), ["imds"]);
    stand.files.put("imds", null);
    await stand.poll();
    assert.equal(stand.cell.get().policy.endpoints.imds.kind, "rules");
    assert.match(stand.health.at(-1) ?? "", /^RUNNING/);
  }));

Deno.test("run() keeps the number of each policy before it publishes it", () =>
  withStand(async (stand) => {
    const kept: (number | null)[] = [];
    stand.cell.subscribe(() => kept.push(stand.epochs.kept), new AbortController().signal);
    await stand.start();
    assert.equal(kept[0], 1);
    stand.host.status = statusV2("enforce", "audit", guid(1));
    await stand.poll();
    assert.equal(stand.epochs.kept, 2);
    assert.equal(stand.cell.get().policy.epoch, 2);
  }));

Deno.test("run() says what is odd about the host's rules", () =>
  withStand(async (stand) => {
    stand.host.status = withImds({
      ...itemFor("/x"),
      rules: { privileges: Array.from({ length: 30 }, () => ({ name: "p", path: "/x" })) },
    });
    await stand.start();
    const odd = stand.logger.texts("warn");
    assert.equal(odd.filter((text) => text === "rules are odd").length, 20);
    assert.equal(odd.at(-1), "rules are odd in more places");
  }));

Deno.test("run() goes on without a rules folder", () =>
  withStand(async (stand) => {
    stand.files.canOpen = false;
    await stand.start();
    assert.ok(stand.logger.texts("error").includes("rules folder is not usable"));
    assert.equal(stand.cell.get().policy.epoch, 1);
  }));

Deno.test("run() never lets a key into a log line or a health message", () =>
  withStand(async (stand) => {
    await stand.start();
    stand.host.status = statusV1("WireserverAndImds", guid(2));
    stand.host.grants = [guid(2)];
    await stand.poll();
    const written = JSON.stringify([stand.logger.lines, stand.health, stand.keeper.facts()]);
    assert.ok(!written.toUpperCase().includes("ABABAB"));
  }));

Deno.test("setMatching() counts with the policy of the next poll, under a number of its own", () =>
  withStand(async (stand) => {
    await stand.start();
    const before = stand.cell.get().policy;
    stand.keeper.setMatching("shadow");
    await stand.poll();
    assert.equal(stand.cell.get().policy, before, "the same word changes nothing");
    stand.keeper.setMatching("enforce");
    await stand.poll();
    const { policy } = stand.cell.get();
    assert.equal(policy.matching, "enforce");
    assert.ok(policy.epoch > before.epoch);
  }));

Deno.test("setPollInterval() counts for the wait that is under way", () =>
  withStand(async (stand) => {
    await stand.start();
    const polls = () => stand.host.calls.filter((call) => call === "status").length;
    assert.equal(polls(), 1);
    stand.keeper.setPollInterval(1_000);
    await stand.settle();
    await stand.clock.advance(1_000);
    await stand.settle();
    assert.equal(polls(), 2);
  }));

/** A process that has latched a key and kept its policy, and the one that starts on its disk while the host is away. */
async function withSuccessor(
  status: Record<string, unknown>,
  play: (next: Stand, before: Stand) => Promise<void>,
  between: (before: Stand) => void = () => {},
): Promise<void> {
  const before = new Stand();
  before.host.status = status;
  await before.start();
  await before.stop();
  between(before);
  const next = new Stand(before);
  next.host.status = NO_HOST;
  await next.numbers.first();
  await next.start();
  try {
    await play(next, before);
  } finally {
    await next.stop();
  }
}

Deno.test("run() redirects and signs by what was kept before the host was heard, and calls nothing finished", () =>
  withSuccessor(statusV1("WireserverAndImds", null), async (next, before) => {
    const old = before.cell.get();
    const kept = next.cell.get();
    assert.equal(kept.key?.guid, old.key?.guid);
    assert.deepEqual(kept.targets, old.targets);
    assert.equal(kept.policy.digest, old.policy.digest);
    assert.equal(kept.channel, old.channel);
    assert.ok(kept.policy.epoch > old.policy.epoch);
    assert.deepEqual(next.ready, []);
    assert.match(next.health.at(-1) ?? "", /^UNKNOWN HOST_CONNECT/);
    assert.equal(next.keeper.facts().secureChannelState, "Unknown");
    assert.ok(next.keeper.facts().extra?.["policyKeptAt"]);
    next.host.status = { ...statusV1("WireserverAndImds", null), keyGuid: guid(1) };
    await next.poll();
    assert.deepEqual(next.ready, [true]);
    assert.equal(next.cell.get().policy, kept.policy, "the same policy is not installed twice");
    assert.match(next.health.at(-1) ?? "", /^RUNNING KEY_FROM_DISK/);
    assert.equal(next.keeper.facts().extra?.["policyKeptAt"], undefined);
  }));

Deno.test("run() lets the first word of the host replace what was kept", () =>
  withSuccessor(statusV1("WireserverAndImds", null), async (next) => {
    assert.notEqual(next.cell.get().key, null);
    next.host.status = statusV1("Disabled", null);
    await next.poll();
    assert.equal(next.cell.get().key, null);
    assert.deepEqual(next.cell.get().targets, {});
    assert.equal(next.policies.text, null, "nothing is kept of a channel that is disabled");
  }));

Deno.test("run() uses what was kept once more when it ends before the host was heard", () =>
  withSuccessor(statusV1("WireserverAndImds", null), async (next) => {
    await next.stop();
    const third = new Stand(next);
    third.host.status = NO_HOST;
    await third.numbers.first();
    await third.start();
    assert.equal(third.cell.get().key?.guid, guid(1));
    await third.stop();
  }));

const UNUSABLE: readonly [string, (before: Stand) => void][] = [
  ["is not there", (before) => before.policies.text = null],
  ["cannot be read", (before) => before.policies.failing.add("read")],
  ["has another form", (before) => before.policies.text = "x"],
  ["was changed", (before) => {
    before.policies.text = before.policies.text!.replace("WireserverAndImds", "Wireserver");
  }],
  ["has something behind it", (before) => before.policies.text += "x"],
  ["is older than the last policy", (before) => before.epochs.kept! += 1],
  ["has no number to compare with", (before) => before.epochs.kept = null],
  ["has lost its key", (before) => before.store.texts.clear()],
  ["has another key", (before) => {
    before.store.texts.set(`${guid(1)} attested`, keyText(guid(1), "CD".repeat(32)));
  }],
  ["has a key that was never attested", (before) => {
    before.store.texts.set(`${guid(1)} issued`, keyText(guid(1)));
    before.store.texts.delete(`${guid(1)} attested`);
  }],
];
for (const [what, spoil] of UNUSABLE) {
  Deno.test(`run() decides nothing before the host was heard when the kept policy ${what}`, () =>
    withSuccessor(
      statusV1("WireserverAndImds", null),
      async (next) => {
        const snapshot = next.cell.get();
        assert.deepEqual([snapshot.channel, snapshot.key, snapshot.targets], [
          "Unknown",
          null,
          null,
        ]);
        next.policies.failing.clear();
        next.host.status = statusV1("WireserverAndImds", null);
        await next.poll();
        assert.notEqual(next.cell.get().key, null);
      },
      spoil,
    ));
}

Deno.test("run() keeps a policy once, not with each poll, and survives a store that fails", () =>
  withStand(async (stand) => {
    await stand.start();
    assert.equal(stand.policies.writes, 1);
    stand.policies.failing.add("write");
    stand.host.status = statusV1("Wireserver", guid(1));
    await stand.poll();
    assert.equal(stand.cell.get().channel, "wireserver");
    assert.ok(stand.logger.lines.some(({ text }) => text.includes("policy is not kept")));
    stand.policies.failing.clear();
    await stand.poll();
    assert.equal(stand.policies.writes, 2, "tried again with the next poll");
  }));

Deno.test("run() never keeps a policy that was refused", () =>
  withStand(async (stand) => {
    stand.host.status = withImds(itemFor("/metadata/instance"));
    await stand.start();
    const kept = stand.policies.text;
    assert.ok(kept?.includes("/metadata/instance"));
    stand.host.status = withImds(itemFor("/%zz"));
    await stand.poll();
    assert.match(stand.health.at(-1) ?? "", /^STOPPED POLICY_REFUSED/);
    assert.equal(stand.policies.text, kept);
  }));

Deno.test("run() falls back to the defaults when the first word of the host is refused, not to what was kept", () =>
  withSuccessor(statusV2("audit", "audit", null), async (next) => {
    const kept = next.cell.get();
    assert.deepEqual(kept.targets, { wireserver: "audit", imds: "audit", hostga: "audit" });
    next.host.status = withImds(itemFor("/%zz"));
    await next.poll();
    const { policy, targets } = next.cell.get();
    assert.deepEqual(policy.endpoints.imds, { kind: "built-in", mode: "enforce" });
    assert.deepEqual(targets, { wireserver: "enforce", imds: "enforce", hostga: "enforce" });
    assert.ok(policy.epoch > kept.policy.epoch);
  }));

Deno.test("pollResults counts the polls by what came of them", () =>
  withStand(async (stand) => {
    stand.host.status = statusV1("WireserverAndImds", null);
    assert.equal(stand.keeper.lastPollWallMs, null);
    await stand.start();
    assert.equal(stand.keeper.lastPollWallMs, stand.clock.wallMs());
    await stand.poll();
    stand.host.status = NO_HOST;
    await stand.poll();
    assert.deepEqual([...stand.keeper.pollResults], [["ok", 2], ["HOST_CONNECT", 1]]);
  }));

Deno.test("pulse is in time whatever the host does and however long the interval is, and late when the loop hangs", () =>
  withStand(async (stand) => {
    const { clock, keeper } = stand;
    await stand.start();
    await clock.advance(10 * 60_000);
    assert.equal(keeper.pulse.hangsForMs, null);
    stand.host.status = NO_HOST;
    await clock.advance(10 * 60_000);
    assert.equal(keeper.pulse.hangsForMs, null);
    keeper.setPollInterval(86_400_000);
    await clock.advance(86_000_000);
    assert.equal(keeper.pulse.hangsForMs, null);
    keeper.setPollInterval(INTERVAL_MS);
    stand.host.hangs = true;
    await clock.advance(10 * 60_000);
    const hangsForMs = keeper.pulse.hangsForMs ?? 0;
    assert.ok(hangsForMs > 9 * 60_000, `${hangsForMs}`);
    await stand.stop();
    await clock.advance(10 * 60_000);
    assert.equal(keeper.pulse.hangsForMs, null, "it is at its end");
  }));

Deno.test("recalled resolves once the kept policy was looked for, whatever the host does", () =>
  withStand(async (stand) => {
    stand.host.hangs = true;
    let isRecalled = false;
    stand.keeper.recalled.then(() => isRecalled = true);
    const { promise, resolve } = Promise.withResolvers<null>();
    stand.policies.read = () => promise;
    await stand.start();
    assert.equal(isRecalled, false);
    assert.deepEqual(stand.host.calls, []);
    resolve(null);
    await stand.settle();
    assert.equal(isRecalled, true);
    assert.deepEqual(stand.host.calls, ["status"]);
  }));
