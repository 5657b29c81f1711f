import assert from "node:assert/strict";
import {
  EventFiles,
  EventRecorder,
  Telemetry,
  type TelemetryOptions,
  type TelemetrySettings,
  Uploader,
} from "../../../../src/agent/telemetry/mod.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { VM } from "./samples.ts";

const DOWN = new AgentError("HOST_CONNECT", "send telemetry: no connection");
const INTERVAL_MS = 60_000;
const SETTINGS = { upload: true, maxFiles: 30, intervalMs: INTERVAL_MS };

/** Telemetry on a real folder and a host that is up until it is told otherwise. */
class Stand {
  readonly clock = new FakeClock();
  readonly logger = new MemoryLogger();
  readonly health: string[] = [];
  readonly accepted: string[] = [];
  /** Of the local file. */
  readonly lines: string[] = [];
  attempts = 0;
  failure: AgentError | null = null;
  answerAfterMs = 0;
  provisioned = true;
  readonly recorder: EventRecorder;
  readonly telemetry: Telemetry;
  readonly #end = new AbortController();
  #running: Promise<void> | null = null;

  constructor(readonly folder: string, change: Partial<TelemetryOptions> = {}, maxFiles = 30) {
    const { clock, logger } = this;
    const settings = change.settings ?? { ...SETTINGS, maxFiles };
    const { upload } = settings;
    this.recorder = new EventRecorder({
      clock,
      version: "1.2.3",
      pid: 812,
      lines: { writeSoon: (line) => void this.lines.push(line) },
      forUpload: upload,
    });
    this.telemetry = new Telemetry({
      clock,
      logger,
      random: () => 0,
      recorder: this.recorder,
      files: new EventFiles({ clock, logger, folder, ownerUid: Deno.uid() ?? 0, maxFiles }),
      uploader: new Uploader({
        host: { sendTelemetry: (payload) => this.#take(payload) },
        facts: { get: () => Promise.resolve(VM) },
      }),
      settings,
      isProvisioned: () => this.provisioned,
      service: "azure-proxy-agent",
      status: () => ({ success: true, message: "{}" }),
      ...change,
    });
  }

  start(): void {
    const report = (state: string, code: string) => void this.health.push(`${state} ${code}`);
    this.#running = this.telemetry.run(this.#end.signal, { report });
  }

  emit(...messages: string[]): void {
    for (const message of messages) {
      this.recorder.emit({ level: "info", task: "t", operation: "o", message });
    }
  }

  /** Moves the time in steps; each time the loop is let come to rest, its files included. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      await this.clock.advance(Math.min(1000, left));
      await this.#atRest();
    }
  }

  async #atRest(): Promise<void> {
    for (let turn = 0; this.clock.sleeping === 0; turn++) {
      assert.ok(turn < 10_000, "the loop comes to rest");
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  }

  /** Changes the settings and lets the loop come to rest with them. */
  async change(settings: Partial<TelemetrySettings>): Promise<void> {
    this.telemetry.change({ ...SETTINGS, ...settings });
    await this.#atRest();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  files(): string[] {
    try {
      return [...Deno.readDirSync(this.folder)].map(({ name }) => name).sort();
    } catch {
      return [];
    }
  }

  async #take(payload: Uint8Array): Promise<void> {
    if (this.answerAfterMs > 0) await this.clock.sleep(this.answerAfterMs, this.#end.signal);
    this.attempts++;
    if (this.failure !== null) throw this.failure;
    const text = new TextDecoder().decode(payload);
    for (const [, message = ""] of text.matchAll(/Name="(?:Context1|Message)" Value="([^"]*)"/g)) {
      this.accepted.push(message);
    }
  }
}

function test(
  name: string,
  run: (stand: Stand) => Promise<void>,
  change: Partial<TelemetryOptions> = {},
  maxFiles = 30,
): void {
  Deno.test(name, async () => {
    const base = await Deno.makeTempDir();
    const stand = new Stand(`${base}/events`, change, maxFiles);
    stand.start();
    try {
      await run(stand);
    } finally {
      await stand.stop();
      await Deno.remove(base, { recursive: true });
    }
  });
}

test("Telemetry keeps and sends what happened, and removes it once it was accepted", async (stand) => {
  assert.deepEqual(stand.health, ["UNKNOWN TELEMETRY_WAITING"]);
  stand.emit("a", "b");
  await stand.pass(INTERVAL_MS);
  assert.deepEqual(stand.accepted, ["a", "b"]);
  assert.deepEqual(stand.files(), []);
  assert.equal(stand.recorder.waiting, 0);
  assert.equal(stand.health.at(-1), "RUNNING TELEMETRY_RUNNING");
  await stand.pass(10 * INTERVAL_MS);
  assert.equal(stand.attempts, 1);
});

test("Telemetry loses nothing while the host is down, and tries ever more seldom", async (stand) => {
  stand.failure = DOWN;
  const sent: string[] = [];
  for (let minute = 0; minute < 20; minute++) {
    stand.emit(`${minute}`);
    sent.push(`${minute}`);
    await stand.pass(INTERVAL_MS);
  }
  assert.equal(stand.health.at(-1), "STOPPED HOST_CONNECT");
  assert.ok(stand.attempts >= 6 && stand.attempts <= 8, `${stand.attempts}`);
  assert.deepEqual(stand.logger.texts("warn"), ["telemetry is not accepted"]);
  assert.deepEqual(stand.accepted, []);
  stand.failure = null;
  await stand.pass(5 * INTERVAL_MS);
  assert.deepEqual(stand.accepted.filter((message) => message !== "{}"), sent);
  assert.equal(stand.health.at(-1), "RUNNING TELEMETRY_RUNNING");
  assert.deepEqual(stand.logger.texts("info"), ["telemetry is accepted again"]);
  assert.deepEqual(stand.files(), []);
  const { accepted, droppedInMemory, droppedOnDisk } = stand.telemetry.counts;
  assert.deepEqual([accepted, droppedInMemory, droppedOnDisk], [21, 0, 0]);
});

test("Telemetry waits as long as the host asks it to, and no longer than its own wait otherwise", async (stand) => {
  const busy = (detail: Record<string, number>) => new AgentError("HOST_STATUS", "no", { detail });
  stand.failure = busy({ status: 429, retryAfterMs: 600_000 });
  stand.emit("a");
  await stand.pass(INTERVAL_MS);
  assert.equal(stand.attempts, 1);
  stand.failure = busy({ status: 503, retryAfterMs: 1 });
  await stand.pass(599_000);
  assert.equal(stand.attempts, 1);
  await stand.pass(1000);
  assert.equal(stand.attempts, 2);
  stand.failure = null;
  await stand.pass(30_000);
  assert.deepEqual(stand.accepted, ["a"]);
});

test("Telemetry keeps bringing events to the disk while a slow host takes a backlog", async (stand) => {
  stand.failure = DOWN;
  for (let minute = 0; minute < 3; minute++) {
    stand.emit(...Array.from({ length: 400 }, (_, i) => `${minute}-${i} ${"x".repeat(3000)}`));
    await stand.pass(INTERVAL_MS);
  }
  stand.failure = null;
  stand.answerAfterMs = 10_000;
  let late = 0;
  for (let minute = 0; minute < 5; minute++) {
    stand.emit(...Array.from({ length: 300 }, () => `late-${late++}`));
    await stand.pass(INTERVAL_MS);
    assert.ok(stand.recorder.waiting <= 300, `${stand.recorder.waiting} wait in memory`);
  }
  stand.answerAfterMs = 0;
  await stand.pass(2 * INTERVAL_MS);
  const { droppedInMemory, droppedOnDisk } = stand.telemetry.counts;
  assert.deepEqual([droppedInMemory, droppedOnDisk], [0, 0]);
  assert.equal(stand.accepted.length, 3 * 400 + 5 * 300);
  assert.equal(stand.accepted.at(-1), "late-1499");
  assert.equal(new Set(stand.accepted).size, stand.accepted.length);
});

test("Telemetry is stopped while a host takes its time, and keeps the events", async (stand) => {
  stand.failure = DOWN;
  stand.answerAfterMs = 3_600_000;
  stand.emit("a");
  await stand.pass(INTERVAL_MS);
  await stand.stop();
  assert.equal(stand.attempts, 1);
  assert.equal(stand.files().length, 1);
  assert.equal(stand.health.at(-1), "STOPPED TELEMETRY_STOPPED");
});

test("Telemetry goes on with a backlog as soon as a crowd of events is on the disk", async (stand) => {
  stand.failure = DOWN;
  stand.emit(...Array.from({ length: 400 }, (_, i) => `${i} ${"x".repeat(3000)}`));
  await stand.pass(INTERVAL_MS);
  stand.failure = null;
  stand.answerAfterMs = 1000;
  await stand.pass(20_000);
  const before = stand.attempts;
  stand.emit(...Array.from({ length: 600 }, () => "crowd"));
  await stand.pass(10_000);
  assert.equal(stand.recorder.waiting, 0);
  assert.ok(stand.attempts >= before + 8, `${before} ${stand.attempts}`);
});

test("Telemetry tells what waits, in memory and on disk", async (stand) => {
  stand.failure = DOWN;
  stand.emit("a", "b");
  const waiting = () => stand.telemetry.queues.map((each) => each.waiting);
  assert.deepEqual(waiting(), [2, 0]);
  await stand.pass(INTERVAL_MS);
  assert.deepEqual(waiting(), [0, 1]);
  stand.failure = null;
  await stand.pass(5 * INTERVAL_MS);
  assert.deepEqual(waiting(), [0, 0]);
});

test("Telemetry waits for provisioning, but not longer than a minute", async (stand) => {
  stand.provisioned = false;
  stand.emit("a");
  await stand.pass(INTERVAL_MS);
  assert.deepEqual(stand.accepted, []);
  assert.equal(stand.files().length, 1);
  await stand.pass(INTERVAL_MS);
  assert.deepEqual(stand.accepted, ["a"]);
});

test("Telemetry is sent from memory while the disk takes nothing", async (stand) => {
  await Deno.writeTextFile(stand.folder, "no folder");
  stand.emit("a");
  await stand.pass(INTERVAL_MS);
  assert.deepEqual(stand.accepted, ["a"]);
  await stand.pass(INTERVAL_MS);
  assert.equal(stand.health.at(-1), "STOPPED FILE_WRITE");
  await Deno.remove(stand.folder);
  await stand.pass(INTERVAL_MS);
  assert.equal(stand.health.at(-1), "RUNNING TELEMETRY_RUNNING");
  assert.deepEqual(stand.files(), []);
  await Deno.remove(stand.folder);
  await Deno.writeTextFile(stand.folder, "no folder");
  stand.failure = DOWN;
  stand.emit("b");
  await stand.pass(2 * INTERVAL_MS);
  assert.equal(stand.health.at(-1), "STOPPED FILE_WRITE");
  assert.equal(stand.recorder.waiting, 1);
  await Deno.remove(stand.folder);
  await stand.pass(INTERVAL_MS);
  assert.equal(stand.files().length, 1);
  stand.failure = null;
  await stand.pass(5 * INTERVAL_MS);
  assert.deepEqual(stand.accepted, ["a", "b"]);
  assert.equal(stand.health.at(-1), "RUNNING TELEMETRY_RUNNING");
  assert.ok(stand.logger.texts("error").includes("telemetry cannot be kept on disk"));
  assert.ok(stand.logger.texts("warn").includes("telemetry can be kept on disk again"));
});

test(
  "Telemetry drops the oldest when the disk is full of it, and counts what it dropped",
  async (stand) => {
    stand.failure = DOWN;
    for (let minute = 0; minute < 5; minute++) {
      stand.emit(...Array.from({ length: 400 }, (_, i) => `${minute}-${i}`));
      await stand.pass(INTERVAL_MS);
    }
    const { droppedOnDisk, droppedInMemory } = stand.telemetry.counts;
    assert.equal(droppedOnDisk, 800);
    assert.equal(droppedInMemory, 0);
    stand.failure = null;
    await stand.pass(6 * INTERVAL_MS);
    assert.equal(stand.accepted.length, 1200);
    assert.equal(stand.accepted[0], "2-0");
    const told = stand.logger.lines.filter(({ text }) => text === "telemetry events were dropped");
    assert.deepEqual(told.map(({ fields }) => fields), [{
      dropped: 800,
      total: 800,
      inMemory: 0,
      onDisk: 800,
      refused: 0,
    }]);
  },
  {},
  2,
);

test("Telemetry brings a crowd of events to the disk early", async (stand) => {
  stand.failure = DOWN;
  stand.emit(...Array.from({ length: 600 }, (_, i) => `${i}`));
  await stand.pass(1000);
  assert.equal(stand.recorder.waiting, 0);
  stand.emit(...Array.from({ length: 1100 }, (_, i) => `${i}`));
  await stand.pass(1000);
  assert.equal(stand.recorder.waiting, 1000);
  await stand.pass(6000);
  assert.equal(stand.recorder.waiting, 0);
  assert.equal(stand.telemetry.counts.droppedInMemory, 100);
});

test("Telemetry reports the agent's state every quarter of an hour", async (stand) => {
  await stand.pass(14 * INTERVAL_MS + 59_000);
  assert.equal(stand.attempts, 0);
  await stand.pass(INTERVAL_MS + 1000);
  assert.deepEqual(stand.accepted, ["{}"]);
  await stand.pass(15 * INTERVAL_MS);
  assert.deepEqual(stand.accepted, ["{}", "{}"]);
});

test("Telemetry keeps what waits when it is stopped", async (stand) => {
  stand.emit("a");
  await stand.stop();
  assert.equal(stand.files().length, 1);
  assert.equal(stand.health.at(-1), "STOPPED TELEMETRY_STOPPED");
  const next = new Stand(stand.folder);
  next.start();
  await next.pass(INTERVAL_MS);
  assert.deepEqual(next.accepted, ["a"]);
  await next.stop();
});

test("Telemetry stays on the machine where uploads are switched off", async (stand) => {
  stand.emit("a");
  await stand.pass(31 * INTERVAL_MS);
  assert.equal(stand.lines.length, 3);
  assert.equal(JSON.parse(stand.lines[2] ?? "").operation_status.task_name, "loop_status");
  assert.equal(stand.attempts, 0);
  assert.deepEqual(stand.files(), []);
  assert.deepEqual(stand.health, ["RUNNING TELEMETRY_LOCAL"]);
}, { settings: { ...SETTINGS, upload: false } });

test(
  "Telemetry keeps no files where none are wanted",
  async (stand) => {
    stand.failure = DOWN;
    stand.emit("a");
    await stand.pass(2 * INTERVAL_MS);
    assert.deepEqual(stand.files(), []);
    stand.failure = null;
    await stand.pass(5 * INTERVAL_MS);
    assert.deepEqual(stand.accepted, ["a"]);
  },
  {},
  0,
);

test("Telemetry change() turns the upload off and on again while it runs, and loses nothing", async (stand) => {
  await stand.pass(INTERVAL_MS);
  stand.emit("before");
  await stand.change({ upload: false });
  assert.equal(stand.health.at(-1), "RUNNING TELEMETRY_LOCAL");
  assert.equal(stand.files().length, 1, "what waited in memory is on the disk");
  const { attempts } = stand;
  stand.emit("meanwhile");
  await stand.clock.advance(10 * INTERVAL_MS);
  assert.equal(stand.attempts, attempts);
  assert.deepEqual(stand.accepted, []);
  await stand.change({ upload: true });
  stand.emit("after");
  await stand.pass(2 * INTERVAL_MS);
  assert.deepEqual(stand.accepted, ["before", "after"]);
  assert.deepEqual(stand.files(), []);
});

test("Telemetry change() takes another interval and another limit of files", async (stand) => {
  stand.failure = DOWN;
  await stand.pass(1000);
  await stand.change({ intervalMs: 5_000, maxFiles: 0 });
  stand.emit("one");
  await stand.pass(10_000);
  assert.ok(stand.attempts >= 1, "tried long before a minute was over");
  assert.deepEqual(stand.files(), [], "none is kept on disk");
  stand.failure = null;
  await stand.change({ intervalMs: 5_000, maxFiles: 30 });
  await stand.pass(6_000);
  assert.deepEqual(stand.accepted, ["one"]);
});
