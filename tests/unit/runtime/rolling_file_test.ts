import assert from "node:assert/strict";
import {
  asidePattern,
  type LineSeal,
  type LostLines,
  RollingFile,
  type RollingFileOptions,
} from "../../../src/runtime/rolling_file.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

interface Bench {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly troubles: (string | null)[];
  readonly lost: LostLines[];
  make(options?: Partial<RollingFileOptions>): RollingFile;
  read(name?: string): string;
  names(): string[];
}

/** A folder of its own, a clock that stands still, and a umask as the program sets it. */
async function bench(body: (bench: Bench) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const umask = Deno.umask(0o077);
  const clock = new FakeClock();
  const files: RollingFile[] = [];
  const troubles: (string | null)[] = [];
  const lost: LostLines[] = [];
  const make = (options: Partial<RollingFileOptions> = {}) => {
    const file = new RollingFile({
      folder,
      name: "a.log",
      clock,
      lossNotice: (lines) => {
        lost.push({ ...lines });
        return `LOST ${lines.count}`;
      },
      onTrouble: (cause) => troubles.push(cause),
      ...options,
    });
    files.push(file);
    return file;
  };
  try {
    await body({
      folder,
      clock,
      troubles,
      lost,
      make,
      read: (name = "a.log") => Deno.readTextFileSync(`${folder}/${name}`),
      names: () => [...Deno.readDirSync(folder)].map((entry) => entry.name).sort(),
    });
  } finally {
    for (const file of files) file.close();
    Deno.umask(umask);
    await Deno.remove(folder, { recursive: true });
  }
}

const modeOf = (path: string) => (Deno.lstatSync(path).mode ?? 0) & 0o777;

Deno.test("RollingFile.writeNow() has written the line when it returns", () =>
  bench(({ make, read }) => {
    assert.equal(make().writeNow("one"), true);
    assert.equal(read(), "one\n");
  }));

Deno.test("RollingFile.writeSoon() writes within 200 ms, in the order of the calls", () =>
  bench(async ({ make, read, clock, names }) => {
    const file = make();
    file.writeSoon("one");
    file.writeSoon("two");
    await clock.advance(199);
    assert.deepEqual(names(), []);
    await clock.advance(1);
    assert.equal(read(), "one\ntwo\n");
    file.writeSoon("three");
    file.writeNow("four");
    assert.equal(read(), "one\ntwo\nthree\nfour\n");
  }));

Deno.test("RollingFile.writeSoon() does not keep more than its buffer waiting", () =>
  bench(({ make, read }) => {
    const file = make();
    const line = "x".repeat(8000);
    for (let i = 0; i < 20; i++) file.writeSoon(line);
    assert.ok(read().length >= 8001 * 10);
  }));

Deno.test("RollingFile.close() writes what waits and leaves no timer", () =>
  bench(({ make, read, clock }) => {
    const file = make();
    file.writeSoon("one");
    file.close();
    assert.equal(read(), "one\n");
    assert.equal(clock.sleeping, 0);
  }));

Deno.test("RollingFile writes lines that are longer than its buffer, and cuts absurd ones", () =>
  bench(({ make, read }) => {
    const file = make();
    file.writeSoon("short");
    assert.equal(file.writeNow("ü".repeat(100_000)), true);
    assert.equal(read(), `short\n${"ü".repeat(100_000)}\n`);
    file.writeNow("y".repeat(1_000_000));
    assert.equal(read().length, 6 + 100_001 + 128 * 1024 + 1);
  }));

Deno.test("RollingFile creates folder and file closed to others, whatever the umask", () =>
  bench(({ make, folder }) => {
    make({ folder: `${folder}/new/logs` }).writeNow("one");
    assert.equal(modeOf(`${folder}/new/logs`), 0o750);
    assert.equal(modeOf(`${folder}/new/logs/a.log`), 0o640);
  }));

Deno.test("RollingFile appends to an existing file and takes its wide mode away", () =>
  bench(({ make, folder, read }) => {
    Deno.writeTextFileSync(`${folder}/a.log`, "old\n");
    Deno.chmodSync(`${folder}/a.log`, 0o666);
    make().writeNow("new");
    assert.equal(read(), "old\nnew\n");
    assert.equal(modeOf(`${folder}/a.log`), 0o640);
  }));

Deno.test("RollingFile does not glue a line to half a line of an earlier process", () =>
  bench(({ make, folder, read }) => {
    Deno.writeTextFileSync(`${folder}/a.log`, "whole\nhal");
    make().writeNow("new");
    assert.equal(read(), "whole\nhal\nnew\n");
  }));

Deno.test("RollingFile does not write through a link, nor into what is no file", () =>
  bench(({ make, folder, read, troubles }) => {
    Deno.writeTextFileSync(`${folder}/victim`, "untouched");
    Deno.symlinkSync(`${folder}/victim`, `${folder}/a.log`);
    assert.equal(make().writeNow("one"), false);
    Deno.mkdirSync(`${folder}/b.log`);
    assert.equal(make({ name: "b.log" }).writeNow("one"), false);
    Deno.symlinkSync(`${folder}/nowhere`, `${folder}/c.log`);
    assert.equal(make({ name: "c.log" }).writeNow("one"), false);
    assert.equal(read("victim"), "untouched");
    assert.equal(troubles.length, 3);
    for (const cause of troubles) assert.match(String(cause), /Not a regular file/);
  }));

Deno.test("RollingFile puts a full file aside under the contract's name before the next write", () =>
  bench(({ make, read, names }) => {
    const file = make({ maxBytes: 10 });
    file.writeNow("0123456789");
    assert.deepEqual(names(), ["a.log"]);
    file.writeNow("next");
    const aside = "a.log.2026-01-06T07.08.09.123-1767683289123000000.log";
    assert.deepEqual(names(), ["a.log", aside]);
    assert.equal(read(), "next\n");
    assert.equal(read(aside), "0123456789\n");
    assert.equal(modeOf(file.path), 0o640);
    assert.ok(file.owns(aside) && file.owns("a.log"));
  }));

Deno.test("RollingFile never overwrites what it put aside in the same millisecond", () =>
  bench(({ make, names }) => {
    const file = make({ maxBytes: 1 });
    for (const line of ["a", "b", "c"]) file.writeNow(line);
    assert.deepEqual(names().slice(1), [
      "a.log.2026-01-06T07.08.09.123-1767683289123000000.log",
      "a.log.2026-01-06T07.08.09.123-1767683289123000001.log",
    ]);
  }));

Deno.test("RollingFile keeps the youngest files, the current one included", () =>
  bench(({ make, names, read, clock }) => {
    const file = make({ maxBytes: 1, maxFiles: 3 });
    for (let i = 0; i < 8; i++) {
      file.writeNow(`line ${i}`);
      clock.tick(1000);
    }
    assert.equal(names().length, 3);
    assert.deepEqual(names().map((name) => read(name)), ["line 7\n", "line 5\n", "line 6\n"]);
  }));

Deno.test("RollingFile deletes only files with exactly the names it gives out", () =>
  bench(({ make, folder, names }) => {
    const stamp = "2020-01-01T00.00.00.000-1577836800000000000";
    const foreign = [
      "a.log.bak",
      "a.log.1",
      "a.log.2020.log",
      `a.log.${stamp}.log.gz`,
      `xa.log.${stamp}.log`,
      `axlog.${stamp}.log`,
      `a.log.${stamp}x.log`,
    ];
    for (const name of foreign) Deno.writeTextFileSync(`${folder}/${name}`, "");
    Deno.mkdirSync(`${folder}/a.log.${stamp}.log`);
    const file = make({ maxBytes: 1, maxFiles: 1 });
    for (let i = 0; i < 4; i++) file.writeNow("line");
    const left = names();
    for (const name of [...foreign, `a.log.${stamp}.log`]) assert.ok(left.includes(name), name);
    assert.equal(left.length, foreign.length + 2);
    for (const name of foreign) assert.equal(file.owns(name), false);
  }));

Deno.test("RollingFile prunes what an earlier process left when it opens", () =>
  bench(({ make, folder, names }) => {
    for (let i = 0; i < 9; i++) {
      Deno.writeTextFileSync(
        `${folder}/a.log.2025-01-01T00.00.0${i}.000-173568960${i}000000000.log`,
        "",
      );
    }
    make().open();
    assert.equal(names().length, 5);
    assert.ok(names().at(-1)?.includes("00.00.08"));
  }));

Deno.test("RollingFile counts what cannot be written, tells it once, and goes on", () =>
  bench(({ make, folder, read, clock, troubles, lost }) => {
    Deno.writeTextFileSync(`${folder}/logs`, "in the way");
    const file = make({ folder: `${folder}/logs` });
    assert.equal(file.writeNow("one"), false);
    assert.equal(file.writeNow("two"), false);
    clock.tick(1000);
    assert.equal(file.writeNow("three"), false);
    assert.equal(troubles.length, 1);
    Deno.removeSync(`${folder}/logs`);
    assert.equal(file.writeNow("four"), false, "an attempt within a second of the last one");
    clock.tick(1000);
    assert.equal(file.writeNow("five"), true);
    assert.equal(read("logs/a.log"), "LOST 4\nfive\n");
    assert.equal(troubles.length, 2);
    assert.equal(troubles[1], null);
    assert.equal(lost[0]?.sinceWallMs, Date.UTC(2026, 0, 6, 7, 8, 9, 123));
    assert.match(String(lost[0]?.cause), /directory/i);
  }));

Deno.test("RollingFile begins anew when its file is moved away or its folder vanishes", () =>
  bench(({ make, folder, read, clock }) => {
    const file = make({ folder: `${folder}/logs` });
    file.writeNow("one");
    Deno.renameSync(`${folder}/logs/a.log`, `${folder}/logs/a.log.1`);
    clock.tick(1000);
    file.writeNow("two");
    assert.equal(read("logs/a.log"), "two\n");
    assert.equal(read("logs/a.log.1"), "one\n");
    Deno.removeSync(`${folder}/logs`, { recursive: true });
    clock.tick(1000);
    file.writeNow("three");
    assert.equal(read("logs/a.log"), "three\n");
  }));

Deno.test("RollingFile never throws, whatever happens to its folder", () =>
  bench(({ make, folder, clock }) => {
    const file = make({ folder: `${folder}/x`, maxBytes: 1 });
    for (let i = 0; i < 5; i++) {
      file.writeNow("line");
      clock.tick(1000);
      Deno.removeSync(`${folder}/x`, { recursive: true });
      if (i % 2 === 0) Deno.writeTextFileSync(`${folder}/x`, "");
      file.writeNow("line");
      clock.tick(1000);
      if (i % 2 === 0) Deno.removeSync(`${folder}/x`);
      file.writeNow("line");
    }
  }));

/** Numbers its lines, and notes what it hears. */
class Numbering implements LineSeal {
  readonly heard: string[] = [];
  next = 0;
  head: string[] = [];
  opened(_file: Deno.FsFile, sizeBytes: number): readonly string[] {
    this.heard.push(`opened ${sizeBytes}`);
    return this.head;
  }
  encode(line: string, bytes: Uint8Array): number {
    return new TextEncoder().encodeInto(`${this.next++} ${line}\n`, bytes).written;
  }
  settled(count: number): void {
    this.heard.push(`settled ${count}`);
  }
  removing(path: string): void {
    this.heard.push(`removing ${path.slice(-24)}`);
  }
}

Deno.test("RollingFile shows a seal every line in the order of the file, the loss notice included", () =>
  bench(({ make, read, folder, clock }) => {
    const seal = new Numbering();
    seal.head = ["head"];
    Deno.writeTextFileSync(`${folder}/logs`, "in the way");
    const file = make({ folder: `${folder}/logs`, seal });
    file.writeNow("lost");
    assert.deepEqual(seal.heard, []);
    Deno.removeSync(`${folder}/logs`);
    clock.tick(1000);
    file.writeSoon("one");
    file.writeNow("two");
    assert.equal(read("logs/a.log"), "0 head\n1 LOST 1\n2 one\n3 two\n");
    assert.deepEqual(seal.heard, ["opened 0", "settled 1", "settled 1", "settled 2"]);
  }));

Deno.test("RollingFile asks a seal at each opening, and tells it what is deleted", () =>
  bench(({ make, read, clock }) => {
    const seal = new Numbering();
    seal.head = ["head"];
    const file = make({ seal, maxBytes: 10, maxFiles: 2 });
    for (let i = 0; i < 3; i++) {
      file.writeNow("0123456789");
      clock.tick(1000);
    }
    assert.equal(read(), "4 head\n5 0123456789\n");
    const heard = seal.heard.map((one) => one.split(" ")[0]).filter((one) => one !== "settled");
    assert.deepEqual(heard, ["opened", "opened", "removing", "opened"]);
    assert.equal(file.asideNames().length, 1);
  }));

Deno.test("RollingFile lets nobody else write to a sealed file", () =>
  bench(({ make, read, clock, troubles }) => {
    const first = make({ seal: new Numbering() });
    const second = make({ seal: new Numbering() });
    first.writeNow("one");
    assert.equal(second.writeNow("two"), false);
    assert.match(String(troubles[0]), /Another process writes the file: `.*a\.log`/);
    first.close();
    clock.tick(1000);
    assert.equal(second.writeNow("three"), true);
    assert.equal(read(), "0 one\n0 LOST 1\n1 three\n");
  }));

Deno.test("RollingFile opens a sealed file again when somebody else changed its size", () =>
  bench(({ make, folder, clock }) => {
    const seal = new Numbering();
    const file = make({ seal });
    file.writeNow("one");
    Deno.writeTextFileSync(`${folder}/a.log`, "alien\n", { append: true });
    clock.tick(1000);
    file.writeNow("two");
    assert.deepEqual(seal.heard.filter((one) => one.startsWith("opened")), [
      "opened 0",
      "opened 12",
    ]);
  }));

Deno.test("RollingFile.sync() brings the file and those put aside to the disk, and says when it cannot", () =>
  bench(async ({ make, folder, clock }) => {
    const file = make({ seal: new Numbering(), maxBytes: 1 });
    assert.equal(await file.sync(), false, "there is no file yet");
    for (let i = 0; i < 20; i++) {
      file.writeNow("line");
      clock.tick(1000);
    }
    assert.equal(await file.sync(), true);
    assert.equal(await file.sync(), true);
    Deno.removeSync(`${folder}/a.log`);
    assert.equal(await file.sync(), false);
  }));

Deno.test("asidePattern() takes a name for what it is, not for a pattern", () => {
  const stamp = "2026-01-06T07.08.09.123-1767683289123000000";
  assert.ok(asidePattern("a.log").test(`a.log.${stamp}.log`));
  assert.ok(!asidePattern("a.log").test(`axlog.${stamp}.log`));
});
