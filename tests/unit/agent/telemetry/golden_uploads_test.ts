/** From a folder of events and the documents of the host to the bytes of each upload, in `tests/vectors/telemetry/uploads`. */
import assert from "node:assert/strict";
import {
  EventFiles,
  EventRecorder,
  EventSink,
  EventSources,
  loadXmlReader,
  TappedLogger,
  Telemetry,
  Uploader,
  VmFactsSource,
} from "../../../../src/agent/telemetry/mod.ts";
import { genericFileText, statusFileText } from "../../../../src/domain/wire/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

const VECTORS = new URL("../../../vectors/telemetry/", import.meta.url).pathname;
const INTERVAL_MS = 60_000;
const EVENT_FILE = /^(extension_)?\d+\.json$/;

const read = (path: string) => Deno.readTextFileSync(path);
const namesIn = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

/** Runs telemetry on a copy of the case's event files until they are gone; the bodies of what it sent. */
async function uploadsOf(folder: string): Promise<Uint8Array[]> {
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  const sent: Uint8Array[] = [];
  const events = await Deno.makeTempDir();
  for (const name of namesIn(folder)) {
    if (EVENT_FILE.test(name)) Deno.copyFileSync(`${folder}/${name}`, `${events}/${name}`);
  }
  const xml = (name: string) =>
    Promise.resolve({ syntax: "xml" as const, text: read(`${folder}/${name}.xml`) });
  const facts = new VmFactsSource({
    clock,
    host: {
      goalState: () => xml("goal_state"),
      sharedConfig: () => xml("shared_config"),
      instance: () => Promise.resolve({ syntax: "json", text: read(`${folder}/instance.json`) }),
    },
    key: () => null,
    machine: JSON.parse(read(`${folder}/machine.json`)),
    loadXmlReader,
  });
  const telemetry = new Telemetry({
    clock,
    logger,
    random: () => 0,
    recorder: recorderOf(clock),
    files: new EventFiles({
      clock,
      logger,
      folder: events,
      ownerUid: Deno.uid() ?? 0,
      maxFiles: 30,
    }),
    uploader: new Uploader({
      host: {
        sendTelemetry(payload) {
          sent.push(payload);
          return Promise.resolve();
        },
      },
      facts,
    }),
    settings: { upload: true, maxFiles: 30, intervalMs: INTERVAL_MS },
    isProvisioned: () => true,
    service: "azure-proxy-agent",
    status: () => ({ success: true, message: "{}" }),
  });
  const end = new AbortController();
  const running = telemetry.run(end.signal, { report: () => {} });
  await clock.advance(INTERVAL_MS);
  while (clock.sleeping === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(namesIn(events), [], "what was accepted is gone");
  end.abort();
  await running;
  await Deno.remove(events, { recursive: true });
  return sent;
}

function recorderOf(clock: FakeClock): EventRecorder {
  return new EventRecorder({ clock, version: "1.2.3", pid: 812, lines: null, forUpload: true });
}

for (const name of namesIn(`${VECTORS}uploads`)) {
  Deno.test(`telemetry sends the golden uploads, byte for byte: ${name}`, async () => {
    const folder = `${VECTORS}uploads/${name}`;
    const expected = namesIn(folder).filter((file) => file.startsWith("upload_"));
    assert.ok(expected.length > 0);
    const sent = await uploadsOf(folder);
    assert.equal(sent.length, expected.length);
    for (const [at, file] of expected.entries()) {
      assert.equal(new TextDecoder().decode(sent[at]), read(`${folder}/${file}`), file);
      assert.ok(sent[at]!.length < 65_536, file);
    }
  });
}

Deno.test("the golden uploads reach the limit, to the byte, on both sides", () => {
  const sizes = ["1", "2", "3"].map((at) =>
    Deno.statSync(`${VECTORS}uploads/split/upload_${at}.xml`).size
  );
  assert.equal(sizes[0], 65_535);
  // The first event of the third would have made the second one byte too large.
  assert.ok(sizes[1]! < 65_536 && sizes[1]! > 60_000 && sizes[2]! < 10_000, `${sizes}`);
});

Deno.test("each kind of event is written as the golden files have it, byte for byte", () => {
  const folder = `${VECTORS}uploads/every_kind`;
  const recorder = recordEveryKind();
  const generic = recorder.genericEvents().map(({ event }) => event);
  const [status] = recorder.statusEvents().map(({ event }) => event);
  assert.ok(status);
  assert.equal(genericFileText(generic), read(`${folder}/1.json`));
  assert.equal(statusFileText(status), read(`${folder}/extension_1.json`));
});

/** Lets happen whatever makes an event, in the order of the table. Source: wire-protocol 8.8, agent 11.3. */
function recordEveryKind(): EventRecorder {
  const clock = new FakeClock();
  const recorder = recorderOf(clock);
  const sources = new EventSources({
    clock,
    recorder,
    startedAtMs: 0,
    redirector: "redirector/linux",
  });
  const logger = new TappedLogger(
    new MemoryLogger(),
    (level, part, text, fields) => sources.logged(level, part, text, fields),
  );
  const silent = { report: () => {} };
  const part = (name: string) => sources.watched(name, silent);
  clock.tick(42);

  const keeper = logger.child("key_keeper");
  keeper.info("key status changed", { summary: "wireserver enforce -  imds audit" });
  keeper.warn("stored key is unusable", { cause: "the key is not made of hex digits" });
  part("key_keeper").report("RUNNING", "KEY_FROM_DISK", "Found key locally.");
  part("key_keeper").report("RUNNING", "KEY_ATTESTED", "The key is attested.");
  part("key_keeper").report("RUNNING", "CHANNEL_DISABLED", "The channel is disabled.");

  const listener = part("proxy-listener");
  listener.report("STOPPED", "port-taken", "port 3080 is taken");
  listener.report("RUNNING", "listening", 'Started proxy listener on "127.0.0.1:3080"');
  const redirector = part("redirector");
  redirector.report("STOPPED", "BPF_LOAD", "Failed to start redirector: no BTF");
  sources.targetsChanged({ wireserver: "enforce", imds: "audit" });
  redirector.report("RUNNING", "redirector-attached", "Started Redirector with eBPF maps - 3");
  sources.targetsChanged({ wireserver: "enforce" });

  sources.connection('{"id":1,"method":"GET","url":"/metadata/instance?a=1&b=2"}');
  part("telemetry").report("RUNNING", "TELEMETRY_RUNNING", "Telemetry is kept and uploaded.");
  part("status").report("STOPPED", "FILE_WRITE", `no space ${"left ".repeat(220)}`);
  const missing = "keyLatch - <none>";
  logger.child("provision").error("provisioning did not finish in time", { missing });
  keeper.info("LocalFileRulesStateChanged", { operation: "IMDS", message: "used" });
  keeper.info("LocalRulesFileParseSuccess", { operation: "WireServer", message: "read" });
  keeper.error("LocalRulesFileParseFailed", { operation: "IMDS", message: "no JSON" });
  keeper.error("LocalRulesFileMetadataReadFailed", { operation: "IMDS", message: "EACCES" });

  const sink = new EventSink(recorder, clock);
  for (const level of ["error", "warn", "info", "debug", "trace"] as const) {
    sink.write({ wallMs: 0, level, message: "policy installed epoch=7" });
  }
  sink.write({ wallMs: 0, level: "warn", message: "CANON_DIVERGENCE mode=shadow rule_set=r1" });
  const message = '{"version":"1.2.3","status":"SUCCESS"}';
  recorder.emitStatus({ name: "azure-proxy-agent", success: true, message, duration: 900_017 });
  return recorder;
}

const PYTHON = "python3";
const hasPython = await new Deno.Command(PYTHON, { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);
if (!hasPython) console.log(`the golden uploads are not recomputed: there is no ${PYTHON} here`);

Deno.test({
  name: "an independent program computes the same golden uploads",
  ignore: !hasPython,
  async fn() {
    const args = [`${VECTORS}recompute.py`];
    const { success, stdout, stderr } = await new Deno.Command(PYTHON, { args }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.ok(success, text);
    assert.match(text, /^checked [5-9] values, 0 differences$/m);
  },
});
