import assert from "node:assert/strict";
import { statusCommand } from "../../../src/commands/status.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { TcpHost } from "../../fakes/tcp_host.ts";

const answer = (finished: boolean, errorMessage = "") => {
  const body = JSON.stringify({ finished, errorMessage });
  return `HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n` +
    `content-length: ${body.length}\r\n\r\n${body}`;
};

/** A clock whose sleeps pass at once, so that waits cost nothing; a sleep of the time limits never ends. */
class HastyClock extends FakeClock {
  readonly slept: number[] = [];
  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms !== 100) return super.sleep(ms, signal);
    this.slept.push(ms);
    this.tick(ms);
    return Promise.resolve();
  }
}

async function run(waitSeconds: number, play: (host: TcpHost, clock: HastyClock) => void) {
  await using host = new TcpHost();
  const clock = new HastyClock();
  const printed: string[] = [];
  play(host, clock);
  const listener = { address: "127.0.0.1", port: host.port };
  const output = { out: (text: string) => printed.push(text), err: () => {} };
  const { signal } = new AbortController();
  const code = await statusCommand(waitSeconds, output, { listener, clock, signal });
  return { code, printed: printed.join(""), requests: host.requests, clock };
}

const field = (request: { headers: readonly (readonly [string, string])[] }, name: string) =>
  request.headers.find((header) => header[0] === name)?.[1];

Deno.test("statusCommand() is 0 and silent when provisioning finished", async () => {
  const { code, printed, requests } = await run(0, (host) => {
    host.answer = (_request, end) => end.write(answer(true));
  });
  assert.deepEqual([code, printed], [0, ""]);
  assert.equal(requests.length, 1);
  assert.equal(requests[0]!.target, "/provision");
  assert.equal(field(requests[0]!, "x-ms-azure-time-tick"), "1767683289123000000");
  assert.equal(field(requests[0]!, "x-ms-azure-notify"), "true");
  assert.equal(field(requests[0]!, "metadata"), "true");
});

Deno.test("statusCommand() is 2 and prints the message when provisioning ended with an error", async () => {
  const { code, printed } = await run(0, (host) => {
    host.answer = (_request, end) => end.write(answer(true, "keyLatchStatus - no\r\n"));
  });
  assert.deepEqual([code, printed], [2, "keyLatchStatus - no\n"]);
});

Deno.test("statusCommand() is 1 and silent after one unfinished answer without a wait", async () => {
  const { code, printed, requests } = await run(0, (host, clock) => {
    clock.tick(30);
    host.answer = (_request, end) => end.write(answer(false, "keyLatchStatus - soon\r\n"));
  });
  assert.deepEqual([code, printed, requests.length], [1, "", 1]);
});

Deno.test("statusCommand() asks on within the wait, with one tick and one wish", async () => {
  const { code, requests, clock } = await run(120, (host) => {
    host.answer = (_request, end) => end.write(answer(host.requests.length === 4));
  });
  assert.equal(code, 0);
  assert.equal(requests.length, 4);
  assert.deepEqual(clock.slept, [100, 100, 100]);
  assert.equal(new Set(requests.map((r) => field(r, "x-ms-azure-time-tick"))).size, 1);
  assert.deepEqual(requests.map((r) => field(r, "x-ms-azure-notify")), [
    "true",
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("statusCommand() counts the wait from the start of the process", async () => {
  const { code, requests } = await run(1, (host, clock) => {
    clock.tick(850);
    host.answer = (_request, end) => end.write(answer(false));
  });
  assert.equal(code, 1);
  // At 850, 950 and 1050 ms.
  assert.equal(requests.length, 3);
});

Deno.test("statusCommand() takes a failed query for an unfinished one and tells it once", async () => {
  const { code, printed, requests } = await run(10, (host) => {
    host.answer = (_request, end) => {
      if (host.requests.length < 4) {
        return end.write("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n");
      }
      return end.write(answer(true));
    };
  });
  assert.equal(code, 0);
  assert.equal(requests.length, 4);
  assert.equal(
    printed,
    "Failed to query the current provision state with error: " +
      "query the provision state: answered with `503`.\n",
  );
});

Deno.test("statusCommand() is 1 when no agent runs", async () => {
  const { code, printed } = await run(0, (host, clock) => {
    clock.tick(1);
    host.stopListening();
  });
  assert.equal(code, 1);
  assert.ok(printed.startsWith("Failed to query the current provision state with error: "));
});

Deno.test("statusCommand() ends when its signal fires", async () => {
  const clock = new HastyClock();
  const output = { out: () => {}, err: () => {} };
  const listener = { address: "127.0.0.1", port: 9 };
  const signal = AbortSignal.abort();
  assert.equal(await statusCommand(120, output, { listener, clock, signal }), 1);
});
