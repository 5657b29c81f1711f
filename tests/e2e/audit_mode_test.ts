/** Audit and Disabled, and the way between the modes, with the whole agent. */
import assert from "node:assert/strict";
import type { AuditLine } from "../../tools/sandbox/world.ts";
import type { JournalLine } from "../../src/simulator/journal.ts";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  type Observed,
  pause,
  type Scene,
  until,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";

const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;
const VERSIONS_URL = `http://${WIRESERVER}${VERSIONS}`;
/** Requests a second of one client. */
const RATE = 20;
const AS_NOBODY = { user: NOBODY };
/** Older than this a heartbeat counts for nothing, and audit targets are let through; one for the agent's last beat. */
const LET_THROUGH_WITHIN_MS = 7_000;

/** The members of an audit line that tell what was decided. */
function decided(line: AuditLine | undefined): unknown[] {
  return ["endpoint", "mode", "decision", "reason", "responseStatus", "signed"]
    .map((name) => line?.[name]);
}

/** What the host made of a request. */
function seen(line: JournalLine | undefined): unknown[] {
  return [line?.target, line?.status, line?.verdict, line?.isRoot];
}

async function latchStates(scene: Scene): Promise<Readonly<Record<string, string>>> {
  const module = await scene.moduleStatus("keyLatchStatus");
  return (module as unknown as { states: Record<string, string> }).states;
}

/** The state as the status document's `secureChannelState` words it. */
async function channelShows(scene: Scene, text: string): Promise<void> {
  await until(
    `the channel is ${text}`,
    async () => (await latchStates(scene))["secureChannelState"] === text,
  );
}

/** What both ends saw of `act`, the records with it: those of served requests reach the file within a second or two. */
async function recorded<T>(scene: Scene, act: () => Promise<T>, records = 1): Promise<Observed<T>> {
  const written = (await scene.world.audit()).length;
  const observed = await scene.observe(act);
  if (records === 0) return observed;
  await until(
    "the records are written",
    async () => (await scene.world.audit()).length >= written + records,
    4_000,
  );
  return { ...observed, audit: (await scene.world.audit()).slice(written) };
}

/** Issue requests for keys that the host saw since the start. */
async function keyRequests(scene: Scene): Promise<string[]> {
  const { entries } = await scene.world.simulator.call("GET", "/journal?since=0&limit=10000") as {
    entries: JournalLine[];
  };
  return entries
    .filter(({ target }) => target.startsWith("/secure-channel/key"))
    .map(({ method, target }) => `${method} ${target.replace(/[0-9a-f-]{36}/, "{guid}")}`);
}

async function keyFiles(scene: Scene): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(scene.world.keyFolder)) {
    if (name.endsWith(".key")) names.push(name);
  }
  return names.sort();
}

e2eTest(
  "Audit forwards, signs and flags what Enforce refuses",
  { label: "audit" },
  async (scene) => {
    await scene.step("Enforce: an ordinary user is kept from WireServer", async () => {
      const asked = await recorded(scene, () => scene.statusOf(VERSIONS_URL, AS_NOBODY));
      assert.equal(asked.value, 403);
      assert.deepEqual(asked.host, []);
      assert.deepEqual(asked.audit.map(decided), [
        ["wireserver", "enforce", "deny", "not-elevated", "403 Forbidden", false],
      ]);
    });

    await scene.setModes({ wireserver: "audit", imds: "enforce" });
    await channelShows(scene, "WireServer Audit -  IMDS Enforce - HostGA Audit");

    await scene.step("Audit: the same request is served, signed and flagged", async () => {
      const asked = await recorded(scene, () => scene.statusOf(VERSIONS_URL, AS_NOBODY));
      assert.equal(asked.value, 200);
      assert.deepEqual(asked.host.map(seen), [[VERSIONS, 200, "signed", false]]);
      assert.deepEqual(asked.audit.map(decided), [
        ["wireserver", "audit", "flag", "not-elevated", "200 OK", true],
      ]);
    });
    await scene.step("Audit: HostGAPlugin goes with WireServer", async () => {
      const asked = await recorded(
        scene,
        () => scene.statusOf(`http://${WIRESERVER}:32526/extensionArtifact`, AS_NOBODY),
      );
      assert.equal(asked.host[0]?.verdict, "signed");
      assert.deepEqual(decided(asked.audit[0]).slice(0, 4), [
        "hostga",
        "audit",
        "flag",
        "not-elevated",
      ]);
    });
    await scene.step("Audit: what the policy grants is no flag", async () => {
      const asked = await recorded(scene, () => scene.statusOf(VERSIONS_URL));
      assert.equal(asked.value, 200);
      assert.deepEqual(asked.host.map(seen), [[VERSIONS, 200, "signed", true]]);
      assert.deepEqual(asked.audit.map(decided), [
        ["wireserver", "audit", "allow", null, "200 OK", true],
      ]);
    });
    await scene.step("what was flagged is among the failed authentications", async () => {
      const { answer } = await scene.curl([
        "-H",
        "Metadata: true",
        `http://${WIRESERVER}/gpa-aggregated-status`,
      ]);
      const { failedAuthenticateSummary } = JSON.parse(answer?.body ?? "") as {
        failedAuthenticateSummary: Record<string, unknown>[];
      };
      const shown = failedAuthenticateSummary
        .map(({ ip, port, responseStatus, count }) => [ip, port, responseStatus, count]);
      assert.deepEqual(shown, [
        [WIRESERVER, 80, "403 Forbidden", 2],
        [WIRESERVER, 32526, "403 Forbidden", 1],
      ]);
    });
  },
);

e2eTest(
  "an agent that was killed lets callers of an audited endpoint through, and nobody else",
  { label: "audit" },
  async (scene) => {
    await scene.setModes({ wireserver: "enforce", imds: "audit" });
    await channelShows(scene, "WireServer Enforce -  IMDS Audit - HostGA Enforce");
    assert.equal(await scene.statusOf(INSTANCE_URL, AS_NOBODY), 200);

    await scene.world.killAgent();
    const killedAt = performance.now();
    const since = await scene.world.simulator.lastEntry();
    assert.equal(await scene.statusOf(VERSIONS_URL), 0, "Enforce refuses at once");
    await until(
      "the host answers directly",
      async () => await scene.statusOf(INSTANCE_URL, AS_NOBODY) === 200,
      LET_THROUGH_WITHIN_MS,
    );
    const tookMs = Math.round(performance.now() - killedAt);
    assert.ok(tookMs <= LET_THROUGH_WITHIN_MS, `let through after ${tookMs} ms`);
    assert.equal(await scene.statusOf(VERSIONS_URL), 0, "Enforce is still refused");
    assert.deepEqual((await scene.world.simulator.requestsSince(since)).map(seen), [
      [INSTANCE, 200, "unsigned", null],
    ]);

    await scene.world.startAgent();
    const asked = await recorded(scene, () => scene.statusOf(INSTANCE_URL, AS_NOBODY));
    assert.deepEqual(asked.host.map(seen), [[INSTANCE, 200, "signed", false]]);
    assert.equal(await scene.statusOf(VERSIONS_URL), 200);
  },
);

e2eTest(
  "a change of the mode counts for the next request, and Disabled goes direct",
  { label: "modes", limitMs: 90_000 },
  async (scene) => {
    const knockers = await Promise.all([
      knock(scene, "keep-alive"),
      knock(scene, "fresh"),
    ]);
    const guid = (await keyFiles(scene))[0];
    const latched = await keyRequests(scene);
    assert.deepEqual(latched, [
      "POST /secure-channel/key",
      "POST /secure-channel/key/{guid}/key-attestation",
    ]);

    const modes = [
      { set: "Enforce", words: "WireServer Enforce -  IMDS Enforce - HostGA Enforce", status: 403 },
      { set: "Audit", words: "WireServer Audit -  IMDS Audit - HostGA Audit", status: 200 },
      { set: "Disabled", words: "disabled", status: 200 },
      { set: "Enforce", words: "WireServer Enforce -  IMDS Enforce - HostGA Enforce", status: 403 },
    ];
    for (const { set, words, status } of modes) {
      await scene.step(set, async () => {
        const mode = set.toLowerCase();
        await scene.setModes(set === "Disabled" ? null : { wireserver: mode, imds: mode });
        await channelShows(scene, words);
        const asked = await recorded(
          scene,
          () => scene.statusOf(VERSIONS_URL, AS_NOBODY),
          set === "Disabled" ? 0 : 1,
        );
        assert.equal(asked.value, status);
        const fromHost = asked.host
          .filter(({ target }) => target === VERSIONS)
          .map(({ verdict }) => verdict);
        const own = asked.audit.filter(({ url }) => url === VERSIONS).map(({ decision }) =>
          decision
        );
        const keyGuid = (await latchStates(scene))["keyGuid"];
        if (set === "Disabled") {
          assert.deepEqual(fromHost, ["unsigned"]);
          assert.deepEqual(own, [], "the agent saw none of it");
          assert.equal(keyGuid, undefined, "no key is held");
        } else {
          assert.deepEqual(fromHost, set === "Audit" ? ["signed"] : []);
          assert.deepEqual(own, [set === "Audit" ? "flag" : "deny"]);
          assert.equal(`${keyGuid}.key`, guid);
        }
      });
      await pause(300);
    }

    assert.deepEqual(
      await keyRequests(scene),
      latched,
      "the key came from disk, not from the host",
    );
    assert.deepEqual(await keyFiles(scene), [guid]);
    for (const knocker of knockers) {
      await knocker.hears("enough");
      const { statuses } = await knocker.says<{ statuses: Record<string, number> }>();
      const { 200: served = 0, 401: early = 0, ...others } = statuses;
      assert.deepEqual(others, {});
      assert.ok(served > RATE * 2, `served ${served} times`);
      // The host enforces from the moment it is told to, and the agent hears of it at its next poll.
      assert.ok(early < RATE * 2, `refused ${early} times by the host`);
    }
  },
);

/** Somebody who asks IMDS all the time on one connection or on many. */
async function knock(
  scene: Scene,
  mode: "keep-alive" | "fresh",
): ReturnType<Scene["python"]> {
  const client = await scene.python(
    "clients/knocker.py",
    [IMDS, INSTANCE, String(RATE), mode],
    AS_NOBODY,
  );
  await client.line();
  return client;
}
