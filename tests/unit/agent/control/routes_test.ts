import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { Sources } from "../../../../src/agent/control/mod.ts";
import { controlRoutes } from "../../../../src/agent/control/routes.ts";
import { makeEntry, makeRecord } from "../audit/entries.ts";
import { stand } from "./stand.ts";

async function ask(path: string, overrides: Partial<Sources> = {}) {
  const { sources, stop, ...rest } = stand(overrides);
  const answer = await controlRoutes(sources).fetch(new Request(`http://agent${path}`));
  stop.abort();
  return { answer, sources, ...rest };
}

async function json(path: string, status = 200, overrides: Partial<Sources> = {}) {
  const { answer } = await ask(path, overrides);
  assert.equal(answer.status, status);
  assert.equal(answer.headers.get("cache-control"), "no-store, no-transform");
  return await answer.json();
}

Deno.test("/v1/status tells the health of each part beside the status document", async () => {
  const status = await json("/v1/status");
  assert.equal(status.version, "1.2.3");
  assert.equal(status.connections, 4);
  assert.equal(status.hostClockAheadMs, -1_500);
  assert.deepEqual(status.parts.redirector, {
    state: "STOPPED",
    code: "BPF_LOAD",
    message: "bad",
    sinceMs: 2,
    restarts: 5,
  });
  assert.deepEqual(status.status, { proxyAgentStatus: { version: "1.2.3" } });
});

Deno.test("/metrics answers in the text format", async () => {
  const { answer } = await ask("/metrics");
  assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.match(await answer.text(), /^# HELP azure_proxy_agent_/);
});

Deno.test("/v1/policy gives inputs and what they were compiled to", async () => {
  const policy = await json("/v1/policy");
  assert.equal(policy.policyEpoch, 12);
  assert.equal(policy.computedRules.imds.kind, "built-in");
  assert.deepEqual(policy.inputRules, {});
});

Deno.test("/v1/attestation tells hashes, programs and the key's id, and no part of a key", async () => {
  const openPath = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(openPath, "program");
    const { sources, redirector, stop } = stand({ executable: { path: "/sbin/a", openPath } });
    const program = {
      name: "redirect_connect4",
      attachPoint: "cgroup_inet4_connect",
      programId: 7,
      linkId: 8,
      cgroupId: "9",
    };
    redirector.identity = () => ({ objectSha256: "ab", programs: [program] });
    const routes = controlRoutes(sources);
    const attest = async () => {
      const answer = await routes.fetch(new Request("http://agent/v1/attestation"));
      return await answer.json();
    };
    const document = await attest();
    const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
    assert.deepEqual(document.executable, {
      path: "/sbin/a",
      sha256: sha256("program"),
      holdsTheAgent: true,
    });
    assert.equal(document.bpfObject.sha256, "ab");
    assert.deepEqual(document.programs, [program]);
    assert.equal(document.policy.epoch, 12);
    assert.equal(document.hostClockAheadMs, -1_500);
    assert.equal(document.keyId, sources.snapshot.get().key!.guid);
    assert.doesNotMatch(JSON.stringify(document), /secret/i);
    await Deno.writeTextFile(openPath, "another program");
    assert.equal((await attest()).executable.sha256, sha256("another program"));
    stop.abort();
  } finally {
    await Deno.remove(openPath);
  }
});

Deno.test("/v1/attestation says nothing of a program that cannot be read", async () => {
  assert.equal((await json("/v1/attestation")).executable.sha256, null);
});

Deno.test("/v1/caller looks up the connections of a process", async () => {
  const { pid, callers } = await json("/v1/caller?pid=4242");
  assert.equal(pid, 4242);
  assert.equal(callers[0].userName, "azureuser");
  assert.deepEqual(callers[0].executable, { verified: true, path: "/usr/bin/curl" });
  assert.match((await json("/v1/caller?pid=1", 404)).error, /process 1 has no open connection/);
});

Deno.test("/v1/caller looks up one connection by the caller's end of it", async () => {
  const { sources, redirector, stop } = stand();
  const peer = { address: "127.128.0.9", port: 40_000 };
  redirector.redirect(peer, makeRecord({ uid: 33 }));
  redirector.know({ address: "127.0.0.1", port: 5 }, { kind: "direct", uid: 1 });
  const routes = controlRoutes(sources);
  const look = async (query: string) => {
    const answer = await routes.fetch(new Request(`http://agent/v1/caller?${query}`));
    return await answer.json();
  };
  const found = await look("port=40000&address=127.128.0.9");
  assert.equal(found.process, "same");
  assert.equal(found.caller.uid, 33);
  assert.deepEqual(found.caller.connection.source, peer);
  assert.deepEqual(await look("port=5"), { kind: "direct", uid: 1 });
  assert.deepEqual(await look("port=6"), { kind: "unattributed" });
  stop.abort();
});

Deno.test("/v1/caller wants exactly one number, in its range", async () => {
  for (
    const query of ["", "?pid=0", "?pid=x", "?pid=-1", "?port=70000", "?pid=1&port=1", "?pid=1e3"]
  ) assert.match((await json(`/v1/caller${query}`, 400)).error, /pid=NUMBER/);
});

Deno.test("/v1/decisions streams, and refuses a ninth reader", async () => {
  const { sources, stop } = stand();
  const routes = controlRoutes(sources);
  const watch = async () => await routes.fetch(new Request("http://agent/v1/decisions"));
  const answers = [];
  for (let count = 0; count < 8; count++) answers.push(await watch());
  assert.equal(answers[0]!.headers.get("content-type"), "application/x-ndjson");
  const ninth = await watch();
  assert.equal(ninth.status, 503);
  assert.match((await ninth.json()).error, /readers enough/);
  const reader = answers[0]!.body!.getReader();
  await reader.read();
  sources.feed.push(makeEntry({ requestId: 77 }), 0);
  assert.match(new TextDecoder().decode((await reader.read()).value), /"id":77/);
  await reader.cancel();
  for (const answer of answers.slice(1)) await answer.body!.cancel();
  stop.abort();
});

Deno.test("an unknown path is answered with those that there are, a failure with its name", async () => {
  assert.match((await json("/v2", 404)).error, /\/v1\/status/);
  const broken = {
    status: {
      document: () => {
        throw new TypeError("oops");
      },
    },
  };
  assert.equal((await json("/v1/status", 500, broken)).error, "TypeError: oops");
});
