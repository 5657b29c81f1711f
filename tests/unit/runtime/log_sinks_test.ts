import assert from "node:assert/strict";
import type { LogLine } from "../../../src/runtime/log_hub.ts";
import { ConsoleSink, FileSink, lossNotice } from "../../../src/runtime/log_sinks.ts";
import { RollingFile } from "../../../src/runtime/rolling_file.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

const WALL_MS = Date.UTC(2026, 0, 6, 7, 8, 9, 123);
const line = (level: LogLine["level"], message: string): LogLine => ({
  wallMs: WALL_MS,
  level,
  message,
});

/** A writer whose reader takes `step` bytes at a time, once `open` has been called. */
class SlowWriter {
  text = "";
  readonly #opened = Promise.withResolvers<void>();
  constructor(readonly step: number, open = true) {
    if (open) this.open();
  }
  open(): void {
    this.#opened.resolve();
  }
  async write(bytes: Uint8Array): Promise<number> {
    await this.#opened.promise;
    const taken = bytes.subarray(0, this.step);
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }
}

Deno.test("FileSink.write() writes errors at once and the rest soon, behind the contract's header", async () => {
  const folder = await Deno.makeTempDir();
  const clock = new FakeClock();
  const file = new RollingFile({ folder, name: "a.log", clock, lossNotice: () => "" });
  try {
    const sink = new FileSink(file);
    sink.write(line("info", "first"));
    sink.write(line("error", "second"));
    assert.equal(
      Deno.readTextFileSync(file.path),
      "2026-01-06T07:08:09.123 [INFO]    first\n2026-01-06T07:08:09.123 [ERROR]   second\n",
    );
    sink.write(line("warn", "third"));
    assert.equal(Deno.readTextFileSync(file.path).split("\n").length, 3);
    await clock.advance(200);
    assert.equal(Deno.readTextFileSync(file.path).split("\n").length, 4);
  } finally {
    file.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("lossNotice() is a line of the file's own format", () => {
  const notice = lossNotice(WALL_MS, { count: 3, sinceWallMs: WALL_MS - 1000, cause: "ENOSPC: x" });
  assert.equal(
    notice,
    "2026-01-06T07:08:09.123 [WARN]    log lines were lost count=3 " +
      'since=2026-01-06T07:08:08.123Z cause="ENOSPC: x"',
  );
});

Deno.test("ConsoleSink.write() sends messages alone, errors apart, whole over many small writes", async () => {
  const [out, err] = [new SlowWriter(3), new SlowWriter(1000)];
  const sink = new ConsoleSink(out, err);
  sink.write(line("info", "good morning"));
  sink.write(line("error", "bad"));
  sink.write(line("trace", "fine print"));
  await sink.drain();
  assert.equal(out.text, "good morning\nfine print\n");
  assert.equal(err.text, "bad\n");
});

Deno.test("ConsoleSink.write() puts the priority before lines of the stream that is the journal", async () => {
  const [out, err] = [new SlowWriter(1000), new SlowWriter(1000)];
  const sink = new ConsoleSink(out, err, { out: true, err: false });
  for (const level of ["error", "warn", "info", "debug"] as const) sink.write(line(level, level));
  await sink.drain();
  assert.equal(out.text, "<4>warn\n<6>info\n<7>debug\n");
  assert.equal(err.text, "error\n");
});

Deno.test("ConsoleSink.write() drops and counts lines when nobody reads", async () => {
  const out = new SlowWriter(1_000_000, false);
  const sink = new ConsoleSink(out, new SlowWriter(1));
  sink.write(line("info", "held"));
  await new FakeClock().settle();
  for (let i = 0; i < 1500; i++) sink.write(line("info", `${i}`));
  assert.deepEqual([sink.waitingLines, sink.lostLines], [1000, 500]);
  out.open();
  await sink.drain();
  const lines = out.text.split("\n");
  assert.equal(lines.length, 1 + 1000 + 1 + 1);
  assert.equal(lines.at(-2), "log lines were dropped count=500");
  assert.deepEqual([sink.waitingLines, sink.lostLines], [0, 500]);
});

Deno.test("ConsoleSink.write() gives the notice of dropped lines its priority in the journal", async () => {
  const out = new SlowWriter(1_000_000, false);
  const sink = new ConsoleSink(out, new SlowWriter(1), { out: true, err: true });
  sink.write(line("info", "held"));
  await new FakeClock().settle();
  for (let i = 0; i < 1001; i++) sink.write(line("debug", "x"));
  out.open();
  await sink.drain();
  assert.equal(out.text.split("\n").at(-2), "<4>log lines were dropped count=1");
});

Deno.test("ConsoleSink.write() goes on after its reader went away and came back", async () => {
  let broken = true;
  const out = new SlowWriter(1000);
  const sink = new ConsoleSink({
    write: (bytes) => broken ? Promise.reject(new Error("EPIPE")) : out.write(bytes),
  }, out);
  sink.write(line("info", "gone"));
  await sink.drain();
  assert.equal(sink.lostLines, 1);
  broken = false;
  sink.write(line("info", "back"));
  await sink.drain();
  assert.equal(out.text, "back\n");
});

Deno.test("ConsoleSink.drain() resolves at once when nothing was written", async () => {
  await new ConsoleSink(new SlowWriter(1), new SlowWriter(1)).drain();
});
