import assert from "node:assert/strict";
import { Connections } from "../../../../src/agent/proxy/connections.ts";
import { PROXY_LIMITS } from "../../../../src/agent/proxy/limits.ts";
import { Pipeline, type RequestInfo } from "../../../../src/agent/proxy/pipeline.ts";
import type { AgentSnapshot } from "../../../../src/agent/key_keeper/mod.ts";
import { FakeRedirector } from "../../../../src/agent/redirector/fake_redirector.ts";
import type { Upstream, UpstreamResponse } from "../../../../src/agent/upstream/mod.ts";
import { formatHostDate } from "../../../../src/domain/endorsement/mod.ts";
import { ENDPOINTS } from "../../../../src/domain/wire/mod.ts";
import { Cell } from "../../../../src/runtime/cell.ts";
import { Sweeper } from "../../../../src/runtime/sweeper.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import {
  sampleCaller,
  sampleKey,
  samplePolicy,
  sampleRecord,
} from "../../../fakes/sample_request.ts";

const PEER = { hostname: "127.128.0.7", port: 40_000 };
const SERVER = { ownAuthority: "localhost:3080", compresses: false, closesWhenTold: false };
const ANSWER: UpstreamResponse = {
  status: 200,
  reason: "OK",
  version: "1.1",
  headers: [["content-type", "text/plain"]],
  body: new TextEncoder().encode("answer"),
};

/** A pipeline whose host always gives the same answer. */
function stand(answer: UpstreamResponse = ANSWER) {
  const clock = new FakeClock();
  const record = sampleRecord();
  const redirector = new FakeRedirector();
  redirector.knowEveryone({ kind: "redirected", record });
  const connections = new Connections(10);
  const forward: Upstream["forward"] = (_, take) => Promise.resolve(take(answer));
  const pipeline = new Pipeline({
    clock,
    hostClock: { now: () => formatHostDate(0) },
    endpoints: ENDPOINTS,
    redirector,
    resolver: { resolve: () => ({ caller: sampleCaller(record), check: () => "same" }) },
    snapshot: new Cell<AgentSnapshot>({
      channel: "wireserver",
      key: sampleKey(),
      policy: samplePolicy(),
      targets: {},
    }),
    audit: { record: () => {} },
    upstream: { forward },
    localEndpoints: {
      provision: () => ({ finished: true, errorMessage: "" }),
      aggregatedStatus: () => "{}",
    },
    logger: new MemoryLogger(),
    limits: PROXY_LIMITS,
    connections,
    sweeper: new Sweeper(clock, 1_000),
  });
  const ask = async (connection: string | null, info: Partial<RequestInfo> = {}) => {
    const headers = connection === null ? {} : { connection };
    const request = {
      method: "GET",
      url: `http://${SERVER.ownAuthority}/a`,
      headers: new Headers(headers),
    } as unknown as Request;
    const whole = { remoteAddr: PEER, completed: Promise.resolve(), ...info };
    const response = await pipeline.handle(request, whole, SERVER);
    await response.body?.cancel();
    return response.status;
  };
  return { connections, ask };
}

Deno.test("handle() forgets a connection with the last request of its caller", async () => {
  const { connections, ask } = stand();
  for (const last of ["close", "Close", "keep-alive, close", "close ,upgrade"]) {
    assert.equal(await ask(last), 200);
    assert.equal(connections.size, 0, last);
  }
});

Deno.test("handle() remembers a connection on which more may come", async () => {
  const { connections, ask } = stand();
  for (const kept of [null, "keep-alive", "closed", "not-close"]) {
    assert.equal(await ask(kept), 200);
    assert.equal(connections.size, 1, kept ?? "none");
  }
});

Deno.test("handle() remembers a connection until the answer has gone out", async () => {
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>();
  const { connections, ask } = stand({ ...ANSWER, body });
  const completed = Promise.withResolvers<void>();
  assert.equal(await ask("close", { completed: completed.promise }), 200);
  assert.equal(connections.size, 1);
  completed.resolve();
  await completed.promise;
  await Promise.resolve();
  assert.equal(connections.size, 0);
});

Deno.test("handle() remembers a connection that it is to close itself", async () => {
  const { connections, ask } = stand({ ...ANSWER, headers: [["connection", "close"]] });
  assert.equal(await ask("close"), 200);
  assert.equal(connections.size, 1);
  assert.equal(connections.closing, 1);
});
