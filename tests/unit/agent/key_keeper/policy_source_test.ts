import assert from "node:assert/strict";
import { PolicySource } from "../../../../src/agent/key_keeper/policy_source.ts";
import {
  type AuthorizationRules,
  parseAuthorizationItem,
} from "../../../../src/domain/wire/mod.ts";
import { unpaced } from "../../../../src/runtime/slices.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { MemoryRuleFiles } from "../../../fakes/memory_rule_files.ts";

function rules(wireserver: boolean | null, imds: boolean | null): AuthorizationRules {
  const item = (name: string, useLocalFileRules: boolean | null) => {
    if (useLocalFileRules === null) return null;
    const id = btoa(JSON.stringify({ id: name, useLocalFileRules }));
    const parsed = parseAuthorizationItem(
      JSON.stringify({ defaultAccess: "allow", mode: "Enforce", id }),
    );
    assert.ok(parsed.ok);
    return parsed.value;
  };
  return { wireserver: item("ws", wireserver), imds: item("im", imds) };
}

function stand() {
  const files = new MemoryRuleFiles();
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  const source = new PolicySource(files, clock, logger, unpaced);
  const ids = async (given: AuthorizationRules | null) => {
    const followed = source.follow(given);
    await clock.advance(1_000);
    const { rules: { wireserver, imds, hostga }, changed } = await followed;
    return [wireserver, imds, hostga].map((effective) =>
      effective === null ? null : `${effective.origin} ${effective.item.id}`
    ).concat(String(changed));
  };
  return { files, clock, logger, source, ids };
}

Deno.test("follow() looks at no file that the host did not ask for", async () => {
  const { files, ids } = stand();
  files.put("imds", { id: "f" });
  const given = rules(false, false);
  assert.deepEqual(await ids(given), [
    "host ws-useLocalFileRules-false",
    "host im-useLocalFileRules-false",
    "host ws-useLocalFileRules-false",
    "true",
  ]);
  assert.equal((await ids(given)).at(-1), "false");
  assert.deepEqual(await ids(null), [null, null, null, "true"]);
  assert.deepEqual(files.calls, []);
});

Deno.test("follow() gives HostGAPlugin WireServer's local rules, and its own where it has a file", async () => {
  const { files, ids, source } = stand();
  const given = rules(true, false);
  files.put("wireserver", { id: "w" });
  const merged = "merged ws-useLocalFileRules-true_w";
  assert.deepEqual((await ids(given)).slice(0, 3), [
    merged,
    "host im-useLocalFileRules-false",
    merged,
  ]);
  const { rules: { wireserver, hostga } } = await source.follow(given);
  assert.equal(hostga, wireserver, "the very same");
  files.put("hostga", { id: "h", defaultAccess: "deny" });
  assert.deepEqual(await ids(given), [
    merged,
    "host im-useLocalFileRules-false",
    "merged ws-useLocalFileRules-true_h",
    "true",
  ]);
  files.put("hostga", "{");
  assert.equal((await ids(given))[2], "closed ws-useLocalFileRules-true");
  files.put("hostga", null);
  files.put("wireserver", "{");
  assert.deepEqual((await ids(given)).slice(0, 3), [
    "closed ws-useLocalFileRules-true",
    "host im-useLocalFileRules-false",
    "closed ws-useLocalFileRules-true",
  ]);
});

Deno.test("follow() reads three times, 50 ms apart, what may be half written", async () => {
  const { files, clock, source } = stand();
  const given = rules(null, true);
  files.put("imds", '{"id":"f"');
  const startedMs = clock.monotonicMs();
  const followed = source.follow(given);
  await clock.advance(49);
  assert.equal(files.calls.filter((call) => call === "read imds").length, 1);
  await clock.advance(1);
  files.put("imds", { id: "f" });
  await clock.advance(50);
  assert.equal((await followed).rules.imds?.origin, "merged");
  assert.equal(clock.monotonicMs() - startedMs, 100);
  assert.equal(files.calls.filter((call) => call === "read imds").length, 3);
});

Deno.test("follow() reads once what is well-formed and wrong, and again at the next poll", async () => {
  const { files, ids, logger } = stand();
  const given = rules(null, true);
  files.put("imds", { defaultAccess: "maybe" });
  assert.equal((await ids(given))[1], "closed im-useLocalFileRules-true");
  assert.deepEqual(files.calls, ["look imds", "read imds"]);
  assert.deepEqual(await ids(given), [null, "closed im-useLocalFileRules-true", null, "false"]);
  assert.deepEqual(files.calls.slice(2), ["look imds", "read imds"]);
  assert.deepEqual(logger.texts("error"), ["LocalRulesFileParseFailed"], "told once");
  assert.equal(logger.lines.at(-1)?.fields["operation"], "IMDS");
});

Deno.test("follow() closes the endpoint after three failed readings", async () => {
  const { files, ids } = stand();
  files.put("imds", { id: "f" });
  files.failingReads = 3;
  assert.equal((await ids(rules(null, true)))[1], "closed im-useLocalFileRules-true");
  files.put("imds", { id: "g" });
  files.failingReads = 2;
  assert.equal((await ids(rules(null, true)))[1], "merged im-useLocalFileRules-true_g");
});

Deno.test("follow() throws what is a bug", async () => {
  const { files, source } = stand();
  files.put("imds", { id: "f" });
  files.read = () => Promise.reject(new RangeError("a bug"));
  await assert.rejects(source.follow(rules(null, true)), RangeError);
});
