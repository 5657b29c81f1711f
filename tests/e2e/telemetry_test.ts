/** Telemetry through the whole agent: what the host gets, and that nothing is lost on the way. */
import assert from "node:assert/strict";
import { e2eTest, IMDS, INSTANCE, NOBODY, type Scene, until } from "./scene.ts";
import { allArrived, local, OTHER, type Read, received, uploads } from "./telemetry_events.ts";

const TARGET = "/machine/?comp=telemetrydata";
const FAST = { telemetryIntervalInSeconds: 1, fileLogLevelForEvents: "Info" };
const LIMIT_MS = 20_000;

/** What every event says first, then what those of the agent say. Source: wire-protocol 8.4. */
const PARAMETERS = [
  ...["KeywordName", "TenantName", "RoleName", "RoleInstanceName", "ContainerId"],
  ...["ResourceGroupName", "SubscriptionId", "VMId", "ImageOrigin", "OSVersion", "RAM"],
  ...["Processors", "EventPid", "EventTid", "GAVersion", "ExecutionMode", "TaskName"],
  ...["OpcodeName", "EventName", "CapabilityUsed", "Context1", "Context2", "Context3"],
];

function eventFiles(scene: Scene): string[] {
  try {
    return [...Deno.readDirSync(`${scene.world.logFolder}/events`)].map(({ name }) => name);
  } catch {
    return [];
  }
}

async function telemetryStatus(scene: Scene, wanted: string, words: RegExp): Promise<void> {
  await until(`telemetry is ${wanted}`, async () => {
    const { status, message } = await scene.moduleStatus("telemetryLoggerStatus");
    return status === wanted && words.test(message);
  }, LIMIT_MS);
}

e2eTest("events reach the host as it wants them", { config: FAST }, async (scene) => {
  await scene.statusOf(`http://${IMDS}${INSTANCE}`, { user: NOBODY });
  const ofNobody = (event: Read) =>
    event["TaskName"] === "log_connection_summary" &&
    event["Context1"]?.includes('"userName":"nobody"');
  await until("a connection is told", async () => (await received(scene)).some(ofNobody));
  const events = await received(scene);
  const named = (task: string, operation: string) =>
    events.filter((e) => e["TaskName"] === task && e["Context3"] === operation);
  for (
    const [task, operation] of [
      ["start", "proxy_server"],
      ["start", "redirector"],
      ["poll_secure_channel_status", "key_keeper"],
      ["update_redirect_policy_internal", "redirector/linux"],
      ["set_module_status_message", "KeyKeeper"],
      ["set_module_status_message", "TelemetryLogger"],
      ["CommonLogger", "ProxyAgent"],
    ] as const
  ) assert.ok(named(task, operation).length > 0, `${task} ${operation}`);
  const connection = events.find(ofNobody);
  assert.equal(connection?.["Context3"], "proxy_server");
  assert.equal(JSON.parse(connection?.["Context1"] ?? "").responseStatus, "200 OK");
  for (const event of events) {
    assert.deepEqual(Object.keys(event), PARAMETERS);
    assert.equal(event["ContainerId"], "51111111-0000-4000-8000-000000000001");
    assert.equal(event["TenantName"], "simulated-deployment");
    assert.equal(event["RoleInstanceName"], "_simulated-vm");
    assert.equal(event["SubscriptionId"], "51111111-0000-4000-8000-000000000020");
    assert.match(event["OSVersion"] ?? "", /^Linux:.+-/);
    assert.ok(Number(event["RAM"]) > 100 && Number(event["Processors"]) >= 1);
  }

  const { entries } = await scene.world.simulator.call("GET", "/journal?since=0") as {
    entries: { target: string; verdict: string; bodyBytes: number; headers: [string, string][] }[];
  };
  const sent = entries.filter(({ target }) => target === TARGET);
  assert.ok(sent.length > 0);
  for (const { verdict, bodyBytes, headers } of sent) {
    assert.equal(verdict, "unsigned");
    assert.ok(bodyBytes < 65_536);
    assert.deepEqual(headers.map(([name]) => name), [
      ...["x-ms-azure-host-date", "host", "x-ms-azure-host-claims", "content-length"],
      ...["x-ms-version", "content-type"],
    ]);
  }
  const asked = entries.filter(({ target }) => target === "/machine?comp=goalstate");
  assert.deepEqual(asked.map(({ verdict }) => verdict), ["signed"]);
  await telemetryStatus(scene, "RUNNING", /uploaded/);
  await allArrived(scene, 1);
  await until("no file is left", () => Promise.resolve(eventFiles(scene).length === 0));
});

e2eTest("the end of the agent costs no event, sudden or not", {
  config: FAST,
  limitMs: 120_000,
}, async (scene) => {
  await telemetryStatus(scene, "RUNNING", /uploaded/);
  await scene.step("killed while the host is down", async () => {
    await scene.faults({ kind: "close", endpoint: "wireserver", path: TARGET });
    await scene.statusOf(`http://${IMDS}${INSTANCE}`, { user: NOBODY });
    await telemetryStatus(scene, "STOPPED", /not accepted by the host/);
    await until("the events are on disk", async () => {
      const waiting = await Promise.all(
        eventFiles(scene).map((name) =>
          Deno.readTextFile(`${scene.world.logFolder}/events/${name}`).catch(() => "")
        ),
      );
      return waiting.some((text) => text.includes("not accepted by the host"));
    });
    await scene.world.killAgent();
    await scene.faults();
    await scene.world.startAgent();
    await until(
      "the host hears of it",
      async () =>
        (await received(scene)).some((event) =>
          event["Context3"] === "TelemetryLogger" &&
          event["Context1"]?.includes("not accepted by the host")
        ),
      LIMIT_MS,
    );
  });
  await scene.step("stopped while there is something to send", async () => {
    assert.equal(await scene.world.stopAgent(), 0);
    await scene.world.startAgent();
    await until(
      "the end is told",
      async () =>
        (await received(scene)).some((event) =>
          event["Context1"]?.includes("GuestProxyAgent is stopping")
        ),
      LIMIT_MS,
    );
  });
});

e2eTest("what has no room gives way, oldest first, and is counted", {
  config: { ...FAST, maxEventFileCount: 2 },
  limitMs: 60_000,
}, async (scene) => {
  await telemetryStatus(scene, "RUNNING", /uploaded/);
  await scene.faults({ kind: "close", endpoint: "wireserver", path: TARGET });
  await telemetryStatus(scene, "RUNNING", /uploaded/);
  const folder = `${scene.world.logFolder}/events`;
  // Files as another program leaves them, older than any of ours.
  for (const [name, messages] of [["1", ["a", "b"]], ["2", ["c"]]] as const) {
    await Deno.writeTextFile(`${folder}/${name}.json`, otherFile(...messages));
  }
  await scene.setModes({ wireserver: "audit", imds: "audit" });
  await until("the oldest is gone", () => Promise.resolve(!eventFiles(scene).includes("1.json")));
  await until(
    "that is told",
    async () =>
      (await scene.logLines("telemetry events were dropped")).some((line) =>
        line.includes("dropped=2")
      ),
  );
  assert.ok(eventFiles(scene).includes("2.json"));
  await scene.faults();
  await until(
    "the others arrive",
    async () => (await received(scene)).some((each) => each["Context1"] === "c"),
    LIMIT_MS,
  );
  assert.ok(!(await received(scene)).some((each) => each["Context1"] === "a"));
});

/** A file as another program leaves it. */
function otherFile(...messages: string[]): string {
  return JSON.stringify(messages.map((message) => ({
    EventLevel: "INFO",
    Message: message,
    Version: "1",
    TaskName: "t",
    EventPid: "1",
    EventTid: "00000001",
    OperationId: OTHER,
    TimeStamp: "2026-01-06T07:08:09.123",
  })));
}

async function mount(...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("mount", { args }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}

e2eTest("a folder for events that is full or read-only costs no event, and none is sent twice", {
  config: FAST,
  started: false,
  limitMs: 90_000,
}, async (scene) => {
  const folder = `${scene.world.logFolder}/events`;
  await Deno.mkdir(folder, { mode: 0o750, recursive: true });
  await mount("-t", "tmpfs", "-o", "size=128k,mode=750", "tmpfs", folder);
  await Deno.writeTextFile(`${folder}/1.json`, otherFile("a file of root"));
  await Deno.writeTextFile(`${folder}/2.json`, otherFile("forged"));
  await Deno.chown(`${folder}/2.json`, NOBODY.uid, NOBODY.gid);
  await Deno.symlink("2.json", `${folder}/3.json`);
  await mount("-o", "remount,ro", folder);
  await scene.world.startAgent();
  await telemetryStatus(scene, "STOPPED", /kept on disk.*EROFS/);
  const times = async (message: string) =>
    (await received(scene)).filter((event) => event["Context1"] === message).length;
  await until("what lay there is sent", async () => await times("a file of root") > 0, LIMIT_MS);
  const before = (await uploads(scene)).length;
  await until("more is sent", async () => {
    await scene.statusOf(`http://${IMDS}${INSTANCE}`, { user: NOBODY });
    return (await uploads(scene)).length >= before + 1;
  }, LIMIT_MS);

  await mount("-o", "remount,rw", folder);
  await telemetryStatus(scene, "RUNNING", /uploaded/);
  await until("it is removed", () => Promise.resolve(!eventFiles(scene).includes("1.json")));
  assert.deepEqual([await times("a file of root"), await times("forged")], [1, 0]);
  assert.deepEqual(eventFiles(scene).sort(), ["2.json", "3.json"]);

  const ballast = `${folder}/ballast`;
  await Deno.writeFile(ballast, new Uint8Array(128 * 1024)).catch(() => {});
  await scene.setModes({ wireserver: "audit", imds: "audit" });
  await telemetryStatus(scene, "STOPPED", /kept on disk.*ENOSPC/);
  // Where an empty file would do, the state would change with each look.
  for (let look = 0; look < 12; look++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    assert.equal((await scene.moduleStatus("telemetryLoggerStatus")).status, "STOPPED");
  }
  await allArrived(scene, 1);
  await Deno.remove(ballast);
  await telemetryStatus(scene, "RUNNING", /uploaded/);
  assert.equal(await scene.world.stopAgent(), 0);
});

e2eTest("telemetry stays on the machine where uploads are switched off", {
  config: { ...FAST, telemetryUpload: false },
}, async (scene) => {
  await telemetryStatus(scene, "RUNNING", /stays on this machine/);
  await until("events are written", async () => (await local(scene)).length > 3);
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  assert.deepEqual(await uploads(scene), []);
  assert.deepEqual(eventFiles(scene), []);
});
