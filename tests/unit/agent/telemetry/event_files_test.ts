import assert from "node:assert/strict";
import { EventFiles } from "../../../../src/agent/telemetry/event_files.ts";
import { genericFileText } from "../../../../src/domain/wire/mod.ts";
import { AgentError } from "../../../../src/runtime/errors.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { SAMPLE_STATUS, sampleEvent } from "./samples.ts";

interface Stand {
  readonly folder: string;
  readonly files: EventFiles;
  readonly clock: FakeClock;
  readonly logger: MemoryLogger;
  names(): string[];
  messages(): Promise<string[]>;
}

function test(
  name: string,
  maxFiles: number,
  run: (stand: Stand) => Promise<void>,
  ignore = false,
): void {
  Deno.test({
    name,
    ignore,
    fn: async () => {
      const base = await Deno.makeTempDir();
      const folder = `${base}/events`;
      const clock = new FakeClock();
      const logger = new MemoryLogger();
      const files = new EventFiles({ clock, logger, folder, ownerUid: Deno.uid() ?? 0, maxFiles });
      try {
        await run({
          folder,
          files,
          clock,
          logger,
          names: () => [...Deno.readDirSync(folder)].map((entry) => entry.name).sort(),
          async messages() {
            const all: string[] = [];
            for (const each of await files.names()) {
              const file = await files.read(each);
              all.push(...file?.events.map((event) => event.message) ?? []);
            }
            return all;
          },
        });
      } finally {
        await Deno.remove(base, { recursive: true });
      }
    },
  });
}

const many = (count: number) => Array.from({ length: count }, (_, i) => sampleEvent(`${i}`));

test(
  "EventFiles.append() writes a closed file, and adds to it while it has room",
  30,
  async (stand) => {
    const { files, folder, clock } = stand;
    await files.append([sampleEvent("a")]);
    clock.tick(60_000);
    await files.append([sampleEvent("b")]);
    assert.deepEqual(stand.names(), ["1767683289123000000.json"]);
    assert.deepEqual(await stand.messages(), ["a", "b"]);
    const { mode } = await Deno.stat(`${folder}/1767683289123000000.json`);
    assert.equal((mode ?? 0) & 0o777, 0o640);
    assert.equal(((await Deno.stat(folder)).mode ?? 0) & 0o777, 0o750);
  },
);

test("EventFiles.append() begins a file when one is full, with a later name", 30, async (stand) => {
  await stand.files.append(many(1000));
  await stand.files.append([sampleEvent("next")]);
  assert.deepEqual(stand.names(), ["1767683289123000000.json", "1767683289123000001.json"]);
  assert.equal((await stand.messages()).at(-1), "next");
});

test("EventFiles.append() begins a file when one is large", 30, async (stand) => {
  const large = sampleEvent("x".repeat(4000));
  await stand.files.append(Array(250).fill(large));
  await stand.files.append([large]);
  assert.equal(stand.names().length, 2);
});

test(
  "EventFiles.append() lets the oldest file give way and counts its events",
  2,
  async (stand) => {
    for (const count of [1000, 999, 998, 997]) await stand.files.append(many(count));
    assert.equal(stand.names().length, 2);
    assert.equal(stand.files.dropped, 1999);
    assert.equal((await stand.messages()).length, 998 + 997);
  },
);

test("EventFiles sends by the number in the name, status events last", 30, async (stand) => {
  const { files, folder } = stand;
  await files.append([sampleEvent("new")]);
  await files.appendStatus(SAMPLE_STATUS);
  await Deno.copyFile(`${folder}/1767683289123000000.json`, `${folder}/99.json`);
  await Deno.writeTextFile(`${folder}/other.json`, "x");
  assert.deepEqual(await files.names(), [
    "99.json",
    "1767683289123000000.json",
    "extension_1767683289123000001.json",
  ]);
  const file = await files.read("extension_1767683289123000001.json");
  assert.deepEqual(file?.events, [SAMPLE_STATUS]);
});

test("EventFiles.settle() removes the file, settlePart() what was sent", 30, async (stand) => {
  const { files } = stand;
  await files.append(["a", "b", "c"].map(sampleEvent));
  const [name = ""] = await files.names();
  const file = await files.read(name);
  assert.ok(file);
  await files.settlePart(file, 2);
  assert.deepEqual(await stand.messages(), ["c"]);
  await files.append([sampleEvent("d")]);
  assert.deepEqual(await stand.messages(), ["c", "d"]);
  const again = await files.read(name);
  assert.ok(again);
  await files.settle(again);
  assert.deepEqual(stand.names(), []);
  await files.append([sampleEvent("e")]);
  assert.deepEqual(await stand.messages(), ["e"]);
});

test("EventFiles.read() counts what it cannot understand, and removes it", 30, async (stand) => {
  const { files, folder } = stand;
  await files.append([sampleEvent("a")]);
  await Deno.writeTextFile(`${folder}/1.json`, "no json");
  await Deno.writeTextFile(`${folder}/extension_1.json`, "{}");
  assert.equal(await files.read("1.json"), null);
  assert.equal(await files.read("extension_1.json"), null);
  assert.equal(files.dropped, 2);
  assert.deepEqual(stand.logger.lines.map(({ level, fields }) => [level, fields]), [
    ["warn", { file: "1.json", cause: "no list of events" }],
    ["warn", { file: "extension_1.json", cause: "no status event" }],
  ]);
  await Deno.writeTextFile(`${folder}/2.json`, "[7]");
  const file = await files.read("2.json");
  assert.deepEqual(file, { name: "2.json", events: [], lost: 1 });
  await files.settle(file);
  assert.equal(files.dropped, 3);
  assert.equal(stand.names().length, 1);
  assert.equal(await files.read("3.json"), null);
});

test("EventFiles follows no link and reads no giant", 30, async (stand) => {
  const { files, folder } = stand;
  await files.append([sampleEvent("a")]);
  await Deno.symlink(`${folder}/1767683289123000000.json`, `${folder}/5.json`);
  await Deno.mkdir(`${folder}/6.json`);
  assert.equal(await files.read("5.json"), null);
  assert.equal(await files.read("6.json"), null);
  assert.equal((await files.names()).length, 1);
  const giant = await Deno.open(`${folder}/7.json`, { create: true, write: true });
  await giant.truncate(9 * 1024 * 1024);
  giant.close();
  assert.equal(await files.read("7.json"), null);
  assert.equal(files.dropped, 1);
  await Deno.remove(`${folder}/5.json`);
});

test(
  "EventFiles.append() says that the folder takes nothing, and keeps none",
  30,
  async (stand) => {
    const { files, folder } = stand;
    await Deno.writeTextFile(folder, "a file where the folder should be");
    await assert.rejects(
      files.append([sampleEvent("a")]),
      (error) => error instanceof AgentError && error.code === "FILE_WRITE",
    );
    await assert.rejects(files.appendStatus(SAMPLE_STATUS), AgentError);
    assert.deepEqual(await files.names(), []);
    await Deno.remove(folder);
    await files.append([sampleEvent("b")]);
    assert.deepEqual(await stand.messages(), ["b"]);
  },
);

test("EventFiles sends nothing twice that could not be removed", 1, async (stand) => {
  const { files, folder } = stand;
  await files.append([sampleEvent("a")]);
  const [name = ""] = await files.names();
  const path = `${folder}/${name}`;
  const text = await Deno.readTextFile(path);
  const file = await files.read(name);
  assert.ok(file);
  // A folder that is not empty cannot be removed as a file is, whoever tries.
  await Deno.remove(path);
  await Deno.mkdir(`${path}/x`, { recursive: true });
  await files.settle(file);
  await Deno.remove(path, { recursive: true });
  await Deno.writeTextFile(path, text);
  // Nothing is added to what is as good as gone, and nothing is counted as lost with it.
  await files.append([sampleEvent("b")]);
  assert.deepEqual(await stand.messages(), ["b"]);
  assert.equal(stand.names().length, 1);
  assert.equal(files.dropped, 0);
});

test(
  "EventFiles keeps its order when the clock is set back, also over a restart",
  30,
  async (stand) => {
    const { files, folder, clock, logger } = stand;
    await files.append(many(1000));
    clock.jumpWall(-3_600_000);
    await files.append([sampleEvent("later")]);
    const ownerUid = Deno.uid() ?? 0;
    const next = new EventFiles({ clock, logger, folder, ownerUid, maxFiles: 30 });
    await next.append([sampleEvent("after the restart")]);
    assert.deepEqual(stand.names(), [
      "1767683289123000000.json",
      "1767683289123000001.json",
      "1767683289123000002.json",
    ]);
    assert.deepEqual((await stand.messages()).slice(-2), ["later", "after the restart"]);
  },
);

test(
  "EventFiles takes a name of any length, and stays with times of its own",
  30,
  async (stand) => {
    const { files, folder } = stand;
    await files.append(many(1000));
    const long = `${"9".repeat(40)}.json`;
    await Deno.copyFile(`${folder}/1767683289123000000.json`, `${folder}/${long}`);
    await files.append([sampleEvent("next")]);
    assert.deepEqual(await files.names(), [
      "1767683289123000000.json",
      "1767683289123000001.json",
      long,
    ]);
  },
);

test("EventFiles leaves alone what others put into the folder", 3, async (stand) => {
  const { files, folder } = stand;
  await files.append([sampleEvent("a")]);
  const text = genericFileText([sampleEvent("forged")]);
  for (const name of ["1.json", "2.json", "3.json", "4.json", "extension_1.json"]) {
    await Deno.writeTextFile(`${folder}/${name}`, text);
    await Deno.chown(`${folder}/${name}`, 65_534, 65_534);
  }
  await Deno.writeTextFile(`${folder}/5.json`, text);
  await Deno.chmod(`${folder}/5.json`, 0o666);
  await new Deno.Command("mkfifo", { args: [`${folder}/6.json`] }).output();
  assert.deepEqual(await stand.messages(), ["a"]);
  for (const name of ["1.json", "6.json"]) assert.equal(await files.read(name), null);
  await files.append(many(999));
  await files.append(many(1000));
  assert.equal((await stand.messages()).length, 2000);
  assert.equal(files.dropped, 0);
  assert.ok(stand.names().includes("1.json") && stand.names().includes("4.json"));
}, Deno.uid() !== 0);

test("EventFiles sends nothing twice that could not be written anew", 30, async (stand) => {
  const { files, folder } = stand;
  await files.append(["a", "b", "c", "d"].map(sampleEvent));
  const [name = ""] = await files.names();
  // A folder of that name stands in the way of every write.
  await Deno.mkdir(`${folder}/event.tmp/x`, { recursive: true });
  for (const left of [["b", "c", "d"], ["c", "d"]]) {
    const file = await files.read(name);
    assert.ok(file);
    await files.settlePart(file, 1);
    assert.deepEqual(await stand.messages(), left);
  }
  await Deno.remove(`${folder}/event.tmp`, { recursive: true });
  await files.append([sampleEvent("e")]);
  assert.deepEqual(await stand.messages(), ["c", "d", "e"]);
});

test("EventFiles copes with thousands of files, and counts what gives way", 30, async (stand) => {
  const { files, folder } = stand;
  await files.append([sampleEvent("new")]);
  const text = genericFileText([sampleEvent("old"), sampleEvent("old")]);
  for (let i = 1; i <= 2000; i++) await Deno.writeTextFile(`${folder}/${i}.json`, text);
  assert.equal((await files.names()).length, 2001);
  assert.equal(files.waiting, 2001);
  await files.append(many(1000));
  assert.equal((await files.names()).length, 30);
  assert.equal(files.dropped, 2 * 1972);
  assert.deepEqual([files.waiting, stand.names().length], [30, 30]);
});

test("EventFiles.read() does not flood the log", 30, async ({ files, folder, logger }) => {
  await files.append([sampleEvent("a")]);
  for (let i = 1; i <= 50; i++) {
    await Deno.writeTextFile(`${folder}/${i}.json`, "no json");
    await files.read(`${i}.json`);
  }
  assert.equal(files.dropped, 50);
  assert.equal(logger.lines.length, 10);
});
