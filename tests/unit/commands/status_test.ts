import assert from "node:assert/strict";
import type { StatusOptions } from "../../../src/commands/command_line.ts";
import { statusCommand } from "../../../src/commands/status.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { TcpHost } from "../../fakes/tcp_host.ts";
import { MemoryOutput } from "./fakes.ts";

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

/** A row of the kernel's table. */
const listens = (port: number, uid: number) =>
  `   0: 0100007F:${port.toString(16).toUpperCase().padStart(4, "0")} 00000000:0000 0A ` +
  `00000000:00000000 00:00000000 00000000 ${uid} 0 4711 1 0000000000000000 100 0 0 10 0\n`;
const unknown = () => null;

const PLAIN: StatusOptions = { waitSeconds: 0, json: false, detailedExitCodes: false };

async function run(
  given: number | Partial<StatusOptions>,
  play: (host: TcpHost, clock: HastyClock) => void,
  tcpTable: (port: number) => string | null = unknown,
) {
  const options = { ...PLAIN, ...(typeof given === "number" ? { waitSeconds: given } : given) };
  await using host = new TcpHost();
  const clock = new HastyClock();
  play(host, clock);
  const listener = { address: "127.0.0.1", port: host.port };
  const output = new MemoryOutput();
  const { signal } = new AbortController();
  const code = await statusCommand(options, output, {
    listener,
    clock,
    tcpTable: () => tcpTable(host.port),
    signal,
  });
  return { code, printed: output.stdout, requests: host.requests, clock };
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
  const output = new MemoryOutput();
  const listener = { address: "127.0.0.1", port: 9 };
  const signal = AbortSignal.abort();
  assert.equal(
    await statusCommand({ ...PLAIN, waitSeconds: 120 }, output, {
      listener,
      clock,
      tcpTable: unknown,
      signal,
    }),
    1,
  );
});

const BROKEN: readonly [string, string, RegExp][] = [
  ["garbage", "\x16\x03\x01garbage\r\n\r\n", /not an answer/],
  ["half an answer", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{", /not an answer/],
  ["no JSON", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnope", /not JSON/],
  ["another document", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", /is required/],
  ["400", "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", /answered with `400`/],
];
for (const [name, text, words] of BROKEN) {
  Deno.test(`statusCommand() takes ${name} for no answer, asks on, and says so`, async () => {
    const { code, printed, requests } = await run(
      { waitSeconds: 1, json: true, detailedExitCodes: true },
      (host) => {
        host.answer = async (_request, end) => {
          await end.write(text);
          end.close();
        };
      },
    );
    assert.equal(code, 4);
    // At 0, 100, ... 1000 and 1100 ms.
    assert.equal(requests.length, 12);
    const told = JSON.parse(printed);
    assert.deepEqual([told.outcome, told.exitCode, told.finished], ["unusable", 4, null]);
    assert.match(told.error.message, words);
  });
}

Deno.test("statusCommand() gives a slow agent as long as is left, and 1 s at the least", async () => {
  const clock = new FakeClock();
  await using host = new TcpHost();
  const heard = Promise.withResolvers<void>();
  host.answer = () => heard.resolve();
  const output = new MemoryOutput();
  const listener = { address: "127.0.0.1", port: host.port };
  const { signal } = new AbortController();
  clock.tick(50);
  const options = { ...PLAIN, detailedExitCodes: true };
  const asking = statusCommand(options, output, { listener, clock, tcpTable: unknown, signal });
  await heard.promise;
  await clock.advance(999);
  assert.equal(output.stdout, "");
  await clock.advance(1);
  assert.equal(await asking, 3);
  assert.match(output.stdout, /^Failed to query .* no answer within 1000 ms\.\n$/);
});

Deno.test("statusCommand() outlasts an agent that is started again in between", async () => {
  const { code, printed, requests } = await run(60, (host) => {
    host.answer = async (_request, end) => {
      switch (host.requests.length) {
        case 1:
          return await end.write(answer(false, "keyLatchStatus - soon\r\n"));
        case 2:
          return end.close();
        case 3:
          return await end.write(answer(false));
        default:
          return await end.write(answer(true));
      }
    };
  });
  assert.equal(code, 0);
  assert.equal(requests.length, 4);
  assert.equal(printed.match(/\n/g)?.length, 1, printed);
  const ticks = new Set(requests.map((request) => field(request, "x-ms-azure-time-tick")));
  assert.equal(ticks.size, 1);
  assert.deepEqual(requests.map((request) => field(request, "x-ms-azure-notify")), [
    "true",
    undefined,
    "true",
    undefined,
  ]);
});

Deno.test("statusCommand() wishes for news until an agent has heard the wish", async () => {
  const { requests } = await run(10, (host) => {
    host.answer = (_request, end) =>
      end.write(
        host.requests.length < 3
          ? "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
          : answer(host.requests.length === 5),
      );
  });
  assert.deepEqual(requests.map((request) => field(request, "x-ms-azure-notify") ?? ""), [
    "true",
    "true",
    "true",
    "",
    "",
  ]);
});

Deno.test("statusCommand() asks by the clock of the moment when somebody sets it", async () => {
  const { requests } = await run(10, (host, clock) => {
    host.answer = (_request, end) => {
      if (host.requests.length === 1) clock.jumpWall(-3_600_000);
      return end.write(answer(host.requests.length === 3));
    };
  });
  assert.deepEqual(requests.map((request) => field(request, "x-ms-azure-time-tick")), [
    "1767683289123000000",
    "1767679689123000000",
    "1767679689123000000",
  ]);
});

Deno.test("statusCommand() --json prints one object and nothing else, with the same exit codes", async () => {
  const failed = "keyLatchStatus - no\r\nproxyListenerStatus - taken\r\n";
  const rows = [
    [answer(true), 0, "finished", true, []],
    [answer(false, "keyLatchStatus - soon\r\n"), 1, "unfinished", false, [
      { part: "keyLatchStatus", message: "soon" },
    ]],
    [answer(true, failed), 2, "failed", true, [
      { part: "keyLatchStatus", message: "no" },
      { part: "proxyListenerStatus", message: "taken" },
    ]],
  ] as const;
  for (const [text, exitCode, outcome, finished, missing] of rows) {
    const { code, printed } = await run({ json: true }, (host, clock) => {
      clock.tick(30);
      host.answer = (_request, end) => end.write(text);
    });
    assert.equal(code, exitCode);
    const told = { outcome, exitCode, finished, missing, error: null, queries: 1, elapsedMs: 30 };
    assert.equal(printed, `${JSON.stringify(told)}\n`);
  }
});

Deno.test("statusCommand() tells a missing agent from an unfinished one on demand alone", async () => {
  for (const [detailedExitCodes, exitCode] of [[false, 1], [true, 3]] as const) {
    const { code, printed } = await run({ json: true, detailedExitCodes }, (host, clock) => {
      clock.tick(1);
      host.stopListening();
    });
    assert.equal(code, exitCode);
    const told = JSON.parse(printed);
    assert.deepEqual([told.outcome, told.exitCode, told.error.code], [
      "unreachable",
      exitCode,
      "HOST_CONNECT",
    ]);
  }
});

Deno.test("statusCommand() believes nobody but root that provisioning is finished", async () => {
  const finished = (host: TcpHost) => {
    host.answer = (_request, end) => end.write(answer(true));
  };
  const detailed = { detailedExitCodes: true };
  const byRoot = await run(detailed, finished, (port) => listens(port, 0));
  assert.deepEqual([byRoot.code, byRoot.printed], [0, ""]);
  const byUser = await run(detailed, finished, (port) => listens(port, 0) + listens(port, 1000));
  assert.equal(byUser.code, 4);
  assert.match(byUser.printed, /belongs to user `1000`, which is not the agent\.\n$/);
  const byNobody = await run({}, finished, (port) => listens(port + 1, 0));
  assert.equal(byNobody.code, 1);
  assert.match(byNobody.printed, /that answered is gone\.\n$/);
});
