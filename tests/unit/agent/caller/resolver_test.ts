import assert from "node:assert/strict";
import {
  type Accounts,
  type InspectedProcess,
  type Inspector,
  Resolver,
} from "../../../../src/agent/caller/mod.ts";
import type { Account, RedactedText } from "../../../../src/domain/identity/mod.ts";
import { sampleRecord } from "../../../fakes/sample_request.ts";

const ANN: Account = { userName: "ann", groups: ["users"] };

function stand(account: Account | null | Promise<Account | null>) {
  const order: string[] = [];
  let state: "same" | "changed" | "gone" = "same";
  const process: InspectedProcess = {
    exe: { kind: "verified", path: "/usr/bin/curl" },
    commandLine: "curl -s" as RedactedText,
    check: () => state,
  };
  const inspector: Inspector = { inspect: () => (order.push("process"), process) };
  const accounts: Accounts = { lookUp: (uid) => (order.push(`user ${uid}`), account) };
  return {
    order,
    resolver: new Resolver(inspector, accounts),
    become: (next: typeof state) => state = next,
  };
}

Deno.test("resolve() answers at once where the account is at hand", () => {
  const record = sampleRecord({ uid: 1000 });
  const resolved = stand(ANN).resolver.resolve(record);
  assert.ok(!(resolved instanceof Promise));
  assert.deepEqual(resolved.caller, {
    record,
    elevated: false,
    account: ANN,
    exe: { kind: "verified", path: "/usr/bin/curl" },
    commandLine: "curl -s",
  });
  assert.ok(Object.isFrozen(resolved.caller));
});

Deno.test("resolve() waits where the account has to be looked up", async () => {
  const resolved = stand(Promise.resolve(ANN)).resolver.resolve(sampleRecord());
  assert.ok(resolved instanceof Promise);
  assert.equal((await resolved).caller.account, ANN);
});

Deno.test("resolve() reads the process first, before it can end", () => {
  const { resolver, order } = stand(ANN);
  resolver.resolve(sampleRecord({ uid: 7 }));
  assert.deepEqual(order, ["process", "user 7"]);
});

Deno.test("resolve() takes uid 0 alone for elevated, whatever the group and the account say", async () => {
  const elevated = async (uid: number, gid: number, account: Account | null) =>
    (await stand(account).resolver.resolve(sampleRecord({ uid, gid }))).caller.elevated;
  assert.equal(await elevated(0, 100, null), true);
  assert.equal(await elevated(65534, 0, ANN), false);
  assert.equal(await elevated(1000, 0, { userName: "root", groups: ["root"] }), false);
});

Deno.test("resolve() keeps an unknown user unknown", async () => {
  assert.equal((await stand(null).resolver.resolve(sampleRecord())).caller.account, null);
});

Deno.test("check() asks the process each time", async () => {
  for (const account of [ANN, Promise.resolve(ANN)]) {
    const { resolver, become } = stand(account);
    const resolved = await resolver.resolve(sampleRecord());
    assert.equal(resolved.check(), "same");
    become("changed");
    assert.equal(resolved.check(), "changed");
    become("gone");
    assert.equal(resolved.check(), "gone");
  }
});
