/** Audit breaks nothing, Disabled stands aside, and a change of mode takes effect with the next request. */
import assert from "node:assert/strict";
import type { JournalLine } from "../../src/simulator/journal.ts";
import { field } from "./answer.ts";
import { RawClient, request } from "./raw_client.ts";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  pause,
  type Scene,
  until,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";
import { gapsMs, SteadyClient } from "./steady_client.ts";

const AS_NOBODY = { user: NOBODY };
const WIRESERVER_URL = `http://${WIRESERVER}${VERSIONS}`;
const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;
/** The heartbeat counts as stale after 5 s; a second for the beat itself and some for a busy machine. */
const STANDS_ASIDE_WITHIN_MS = 7_000;

e2eTest("Audit forwards what Enforce would refuse, signed, and records it", {
  started: false,
}, async (scene) => {
  await scene.setModes({ wireserver: "audit", imds: "audit" });
  await scene.world.startAgent();

  const refused = await scene.observe(() => scene.curl([WIRESERVER_URL], AS_NOBODY));
  const { answer } = refused.value;
  assert.equal(answer?.status, 200);
  assert.equal(field(answer, "x-ms-azure-host-authorization"), "value");
  assert.deepEqual(verdicts(refused.host), ["signed latched false"]);
  assert.deepEqual(
    ["uid", "decision", "reason", "mode", "responseStatus", "signed"].map((name) =>
      refused.audit[0]?.[name]
    ),
    [NOBODY.uid, "flag", "not-elevated", "audit", "200 OK", true],
  );

  const allowed = await scene.observe(() => scene.curl([WIRESERVER_URL]));
  assert.deepEqual(verdicts(allowed.host), ["signed latched true"]);
  assert.deepEqual([allowed.audit[0]?.["decision"], allowed.audit[0]?.["reason"]], ["allow", null]);

  // In the summary of failures it is what Enforce would have answered, in the other one what it was.
  const { value } = await scene.observe(() =>
    scene.curl(["-H", "Metadata: true", `http://${WIRESERVER}/gpa-aggregated-status`])
  );
  const status = JSON.parse(value.answer?.body ?? "null");
  assert.deepEqual(counted(status.failedAuthenticateSummary), ["nobody 403 Forbidden 1"]);
  assert.ok(counted(status.proxyConnectionSummary).includes("nobody 200 OK 1"));
});

e2eTest("guard rails hold in Audit too", { started: false }, async (scene) => {
  await scene.setModes({ wireserver: "audit", imds: "audit" });
  await scene.world.startAgent();
  const { value, host } = await scene.observe(async () => [
    await scene.statusOf(`http://${IMDS}/metadata/%2e%2e/x`, AS_NOBODY),
    (await scene.curl(["-X", "TRACE", INSTANCE_URL], AS_NOBODY)).answer?.status,
    await scene.statusOf("http://127.0.0.1:3080/", AS_NOBODY),
  ]);
  assert.deepEqual([value, host], [[403, 405, 421], []]);
});

e2eTest(
  "when the agent is killed, callers of an audited endpoint reach the host directly soon, those of an enforced one do not",
  { started: false },
  async (scene) => {
    await scene.setModes({ wireserver: "enforce", imds: "audit" });
    await scene.world.startAgent();
    const client = await SteadyClient.start(
      scene,
      { to: [IMDS, 80], target: INSTANCE, rate: 50, fresh: true },
      AS_NOBODY,
    );
    await pause(300);
    const { host } = await scene.observe(async () => {
      await scene.world.killAgent();
      await until(
        "callers are let through",
        async () => await scene.statusOf(INSTANCE_URL, AS_NOBODY) === 200,
        STANDS_ASIDE_WITHIN_MS,
      );
      assert.equal((await scene.curl([WIRESERVER_URL])).code, 7);
    });
    assert.ok(host.some((line) => line.endpoint === "imds" && line.verdict === "unsigned"));
    assert.deepEqual(host.filter((line) => line.endpoint !== "imds"), []);

    await scene.world.startAgent();
    const after = await scene.observe(() => scene.statusOf(INSTANCE_URL, AS_NOBODY));
    assert.equal(after.value, 200);
    const own = after.host.filter((line) => line.headers.some(([name]) => name === "user-agent"));
    assert.deepEqual(verdicts(own), ["signed latched false"]);

    const report = await client.end();
    const [gap = 0] = gapsMs(report);
    console.log(JSON.stringify({ letThroughAfterMs: Math.round(gap), counts: report.counts }));
    assert.ok(gap > 1_000 && gap < STANDS_ASIDE_WITHIN_MS, `${gap}`);
    assert.equal(report.changes.at(-1)?.[1], "200");
  },
);

e2eTest(
  "Enforce, Audit, Disabled and Enforce again, while clients run: the next request obeys",
  { limitMs: 90_000 },
  async (scene) => {
    const { world } = scene;
    // Kept connections live through it all without an error.
    const root = await SteadyClient.start(scene, {
      to: [WIRESERVER, 80],
      target: VERSIONS,
      rate: 50,
      fresh: false,
    });
    const ordinary = await SteadyClient.start(
      scene,
      { to: [IMDS, 80], target: INSTANCE, rate: 50, fresh: true },
      AS_NOBODY,
    );
    const kept = await RawClient.start(scene, AS_NOBODY);
    const guid = await latchedGuid(scene);
    const keysAskedFor = await keyRequests(scene);

    await scene.step("Enforce", async () => {
      assert.equal(await scene.statusOf(WIRESERVER_URL, AS_NOBODY), 403);
    });

    await scene.step("Audit", async () => {
      await change(
        scene,
        { wireserver: "audit", imds: "audit" },
        "WireServer Audit -  IMDS Audit - HostGA Audit",
      );
      assert.equal(await scene.statusOf(WIRESERVER_URL, AS_NOBODY), 200);
    });

    await scene.step("a connection opened in Audit is refused in Enforce", async () => {
      const text = request("GET", VERSIONS, [], "", WIRESERVER);
      const talking = kept.talk(
        [WIRESERVER, 80],
        [{ send: text }, { read: 1 }, { pauseMs: 4_000 }, { send: text }, { read: 1 }],
      );
      await pause(500);
      await change(
        scene,
        { wireserver: "enforce", imds: "enforce" },
        "WireServer Enforce -  IMDS Enforce - HostGA Enforce",
      );
      const { answers } = await talking;
      assert.deepEqual(answers.map(({ status }) => status), [200, 403]);
    });

    await scene.step("Disabled: nothing is redirected, and the key is dropped", async () => {
      await change(scene, null, "disabled");
      const seen = await scene.observe(() =>
        scene.curl(["-A", "alone", "-H", "Metadata: true", INSTANCE_URL], AS_NOBODY)
      );
      assert.equal(seen.value.answer?.status, 200);
      assert.equal(field(seen.value.answer!, "x-ms-azure-host-authorization"), null);
      const own = seen.host.filter((line) =>
        line.headers.some(([name, value]) => name === "user-agent" && value === "alone")
      );
      assert.deepEqual(verdicts(own), ["unsigned null null"]);
      assert.deepEqual(own[0]?.headers.filter(([name]) => name.startsWith("x-ms-azure-host")), []);
      assert.deepEqual(seen.audit.filter((line) => line["uid"] === NOBODY.uid), []);
      assert.equal((await scene.logLines("key dropped")).length, 1);
      const latch = await scene.moduleStatus("keyLatchStatus") as { states?: object };
      assert.equal(Object.hasOwn(latch.states ?? {}, "keyGuid"), false);
    });

    await scene.step("Enforce again: the key comes from the disk", async () => {
      await change(
        scene,
        { wireserver: "enforce", imds: "enforce" },
        "WireServer Enforce -  IMDS Enforce - HostGA Enforce",
      );
      const seen = await scene.observe(() =>
        scene.curl(["-A", "alone", "-H", "Metadata: true", INSTANCE_URL], AS_NOBODY)
      );
      assert.equal(seen.value.answer?.status, 200);
      assert.equal(field(seen.value.answer!, "x-ms-azure-host-authorization"), "value");
      const own = seen.host.filter((line) =>
        line.headers.some(([name, value]) => name === "user-agent" && value === "alone")
      );
      assert.deepEqual(own.map(({ verdict, keyGuid }) => [verdict, keyGuid]), [["signed", guid]]);
      assert.equal(await scene.statusOf(WIRESERVER_URL, AS_NOBODY), 403);
      assert.equal(await keyRequests(scene), keysAskedFor);
      assert.equal((await scene.logLines("from=disk")).length, 1);
    });

    await kept.end();
    for (const client of [root, ordinary]) {
      const { counts, changes } = await client.end();
      // When the host enforces again, it refuses for the second until the agent has asked it: nobody can be quicker.
      const others = changes.filter(([, outcome]) => outcome !== "200");
      assert.ok(others.length <= 1, JSON.stringify(changes));
      assert.ok(others.every(([, outcome, count]) => outcome === "401" && count < 150));
      assert.ok((counts["200"] ?? 0) > 200, JSON.stringify(counts));
    }
    const { imds, wireserver } = await scene.verdicts();
    assert.deepEqual([imds.bad, wireserver.bad], [0, 0]);
    assert.equal(await world.stopAgent(), 0);
  },
);

/** Has the host want these modes and waits until the agent says that it follows. */
async function change(
  scene: Scene,
  modes: Parameters<Scene["setModes"]>[0],
  state: string,
): Promise<void> {
  await scene.setModes(modes);
  await until(`the agent is in ${state}`, async () => {
    const latch = await scene.moduleStatus("keyLatchStatus") as {
      states?: { secureChannelState?: string };
    };
    return latch.states?.secureChannelState === state;
  });
}

function verdicts(lines: readonly JournalLine[]): string[] {
  return lines.map(({ verdict, key, isRoot }) => `${verdict} ${key} ${isRoot}`);
}

/** User, status and count of each line of a summary. */
function counted(
  summary: readonly { userName: string; responseStatus: string; count: number }[],
): string[] {
  return summary.map(({ userName, responseStatus, count }) =>
    `${userName} ${responseStatus} ${count}`
  );
}

async function latchedGuid(scene: Scene): Promise<string | null> {
  const state = await scene.world.simulator.call("GET", "/state") as {
    keys: { latchedGuid: string | null };
  };
  return state.keys.latchedGuid;
}

/** How many keys the host handed out. */
async function keyRequests(scene: Scene): Promise<number> {
  let requests = 0;
  for (let since = 0;;) {
    const page = await scene.world.simulator.call("GET", `/journal?since=${since}`) as {
      nextSince: number;
      entries: JournalLine[];
    };
    if (page.entries.length === 0) return requests;
    requests += page.entries.filter(({ method, target }) =>
      method === "POST" && target === "/secure-channel/key"
    ).length;
    since = page.nextSince;
  }
}
