import assert from "node:assert/strict";
import { SystemAccounts } from "../../../../src/platform/linux/system_accounts.ts";
import { SystemClock } from "../../../../src/runtime/system_clock.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

interface User {
  readonly name: string;
  readonly gid: number;
}

/** A directory that counts what it is asked, and answers when it is let. */
class Directory {
  readonly users = new Map<number, User>([[1000, { name: "ann", gid: 100 }]]);
  readonly groups = new Map([[100, "users"], [27, "sudo"]]);
  memberOf: number[] = [100, 27, 555];
  asked = 0;
  fails = false;
  waits: Promise<void> = Promise.resolve();

  async userById(uid: number): Promise<User | null> {
    this.asked++;
    await this.waits;
    if (this.fails) throw new Error("the directory is down");
    return this.users.get(uid) ?? null;
  }
  groupIds(): Promise<number[]> {
    return Promise.resolve(this.memberOf);
  }
  groupById(gid: number): Promise<string | null> {
    return Promise.resolve(this.groups.get(gid) ?? null);
  }
}

function stand() {
  const [directory, clock, log] = [new Directory(), new FakeClock(), new MemoryLogger()];
  return { directory, clock, log, accounts: new SystemAccounts(directory, clock, log) };
}

Deno.test("lookUp() gives the name and the names of all groups, those without a name left out", async () => {
  const { accounts } = stand();
  assert.deepEqual(await accounts.lookUp(1000), { userName: "ann", groups: ["users", "sudo"] });
});

Deno.test("lookUp() answers at once from what it knows, for 60 s", async () => {
  const { accounts, directory, clock } = stand();
  const account = await accounts.lookUp(1000);
  clock.tick(59_999);
  assert.equal(accounts.lookUp(1000), account);
  assert.equal(directory.asked, 1);
  directory.users.set(1000, { name: "bob", gid: 100 });
  clock.tick(2);
  assert.equal((await accounts.lookUp(1000))?.userName, "bob");
  assert.equal(directory.asked, 2);
});

Deno.test("lookUp() believes for 5 s that a user is unknown", async () => {
  const { accounts, directory, clock } = stand();
  assert.equal(await accounts.lookUp(1001), null);
  directory.users.set(1001, { name: "new", gid: 1 });
  clock.tick(4_999);
  assert.equal(accounts.lookUp(1001), null);
  clock.tick(2);
  assert.equal((await accounts.lookUp(1001))?.userName, "new");
});

Deno.test("lookUp() asks once for many callers that wait for the same user", async () => {
  const { accounts, directory } = stand();
  const answers = await Promise.all([1, 2, 3].map(() => accounts.lookUp(1000)));
  assert.equal(directory.asked, 1);
  assert.ok(answers.every((answer) => answer?.userName === "ann"));
});

Deno.test("lookUp() gives up on a directory that hangs after 1 s, and takes its late answer", async () => {
  const { accounts, directory, clock, log } = stand();
  const { promise, resolve } = Promise.withResolvers<void>();
  directory.waits = promise;
  const answer = accounts.lookUp(1000);
  const another = accounts.lookUp(1000);
  await clock.advance(999);
  assert.deepEqual(log.lines, []);
  await clock.advance(1);
  assert.equal(await answer, null);
  assert.equal(await another, null);
  // However many wait for it, a look-up that hangs is told once.
  assert.deepEqual(log.lines.map(({ text, fields }) => [text, fields]), [
    ["user look-up took too long", { uid: 1000, limitMs: 1000 }],
  ]);
  resolve();
  await clock.settle();
  assert.deepEqual(accounts.lookUp(1000), { userName: "ann", groups: ["users", "sudo"] });
  assert.equal(directory.asked, 1);
});

Deno.test("lookUp() believes what it knew while the directory hangs, for 5 minutes since it was said", async () => {
  const { accounts, directory, clock } = stand();
  const ann = await accounts.lookUp(1000);
  const { promise, resolve } = Promise.withResolvers<void>();
  directory.waits = promise;
  clock.tick(60_001);
  const waiting = accounts.lookUp(1000);
  await clock.advance(1_000);
  assert.equal(await waiting, ann);
  clock.tick(300_000 - 61_001 - 1);
  assert.equal(accounts.lookUp(1000), ann, "at once, now that the directory is known to hang");
  clock.tick(1);
  const nobody = accounts.lookUp(1000);
  await clock.advance(1_000);
  assert.equal(await nobody, null);
  resolve();
  await clock.settle();
  assert.deepEqual(accounts.lookUp(1000), ann);
  assert.equal(directory.asked, 2);
});

Deno.test("lookUp() believes what it knew while the directory fails, and asks again each 5 s", async () => {
  const { accounts, directory, clock } = stand();
  const ann = await accounts.lookUp(1000);
  directory.fails = true;
  clock.tick(60_001);
  assert.equal(await accounts.lookUp(1000), ann);
  clock.tick(5_001);
  assert.equal(await accounts.lookUp(1000), ann);
  assert.equal(directory.asked, 3);
  clock.tick(300_000 - 65_002);
  assert.equal(await accounts.lookUp(1000), null);
});

Deno.test("lookUp() forgets a user at once that the directory does not know any more", async () => {
  const { accounts, directory, clock } = stand();
  await accounts.lookUp(1000);
  directory.users.delete(1000);
  clock.tick(60_001);
  assert.equal(await accounts.lookUp(1000), null);
});

Deno.test("lookUp() waits for the answer of a program that stood still for longer than the limit", async () => {
  const directory = new Directory();
  const accounts = new SystemAccounts(directory, new SystemClock(), new MemoryLogger());
  // As a directory does: one question to another thread after the other.
  directory.waits = (async () => {
    for (let question = 0; question < 20; question++) await Deno.stat("/");
  })();
  const answer = accounts.lookUp(1000);
  const until = performance.now() + 1_200;
  while (performance.now() < until);
  assert.equal((await answer)?.userName, "ann");
});

Deno.test("lookUp() leaves no timer behind when the directory answers in time", async () => {
  const { accounts, clock } = stand();
  await accounts.lookUp(1000);
  assert.equal(clock.sleeping, 0);
});

Deno.test("lookUp() takes a user for unknown when the directory fails, and says so", async () => {
  const { accounts, directory, clock, log } = stand();
  directory.fails = true;
  assert.equal(await accounts.lookUp(1000), null);
  assert.deepEqual(log.texts("warn"), ["user look-up failed"]);
  directory.fails = false;
  clock.tick(5_001);
  assert.equal((await accounts.lookUp(1000))?.userName, "ann");
});

Deno.test("lookUp() reads at most 256 groups", async () => {
  const { accounts, directory } = stand();
  directory.memberOf = Array.from({ length: 300 }, (_, index) => index);
  directory.memberOf.forEach((gid) => directory.groups.set(gid, `g${gid}`));
  assert.equal((await accounts.lookUp(1000))?.groups.length, 256);
});

Deno.test("lookUp() remembers at most 4,096 users", async () => {
  const { accounts, directory } = stand();
  await accounts.lookUp(1000);
  for (let uid = 10_000; uid < 14_096; uid++) await accounts.lookUp(uid);
  directory.asked = 0;
  await accounts.lookUp(1000);
  assert.equal(directory.asked, 1);
});
