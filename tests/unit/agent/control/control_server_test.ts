import assert from "node:assert/strict";
import { type ControlLimits, ControlServer } from "../../../../src/agent/control/mod.ts";
import type { Sources } from "../../../../src/agent/control/mod.ts";
import { ControlClient, ControlError } from "../../../../src/operator/live_view/mod.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { until } from "../../../fakes/proxy_stand.ts";
import { makeEntry } from "../audit/entries.ts";
import { stand } from "./stand.ts";

interface Served {
  readonly path: string;
  readonly reports: string[];
  readonly sources: Sources;
  readonly clock: ReturnType<typeof stand>["clock"];
  readonly client: ControlClient;
}

async function served(
  play: (served: Served) => Promise<void>,
  options: {
    readonly limits?: Partial<ControlLimits>;
    readonly sources?: Partial<Sources>;
    readonly before?: (path: string) => Promise<void>;
  } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/run/control.sock`;
  const { sources, clock, stop } = stand(options.sources);
  const reports: string[] = [];
  await options.before?.(path);
  const server = new ControlServer({
    clock,
    logger: new MemoryLogger(),
    path,
    sources,
    random: () => 0,
    ownerUid: Deno.uid() ?? 0,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const running = server.run(stop.signal, {
    report: (state, code) => void reports.push(`${state} ${code}`),
  });
  try {
    await until(() => reports.length > 0);
    using client = new ControlClient(path);
    await play({ path, reports, sources, clock, client });
  } finally {
    stop.abort();
    await running;
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ControlServer.run() answers on a socket that only its owner may open, and removes it at the end", async () => {
  let socket = "";
  await served(async ({ path, reports, client }) => {
    socket = path;
    assert.deepEqual(reports, ["RUNNING CONTROL_SERVED"]);
    assert.equal((await Deno.lstat(path)).mode! & 0o777, 0o600);
    assert.match(await client.text("/metrics"), /azure_proxy_agent_connections 4/);
  });
  await assert.rejects(() => Deno.lstat(socket), Deno.errors.NotFound);
});

Deno.test("ControlServer.run() opens the socket to nobody else for a moment, also in a folder that others may enter", async () => {
  const mask = Deno.umask(0);
  try {
    let seen: number | null = null;
    const chmod = Deno.chmodSync;
    await served(async ({ path }) => {
      seen = (await Deno.lstat(path)).mode! & 0o777;
      assert.equal(Deno.umask(0), 0, "the mask of the process is as it was");
    }, {
      before: async (path) => {
        await Deno.mkdir(path.replace(/\/[^/]*$/, ""), { mode: 0o755 });
        Deno.chmodSync = () => assert.fail("a mode that is changed later is too late");
      },
    }).finally(() => Deno.chmodSync = chmod);
    assert.equal(seen, 0o600);
  } finally {
    Deno.umask(mask);
  }
});

Deno.test("ControlServer.run() takes nothing but GET", () =>
  served(async ({ path, sources }) => {
    const client = Deno.createHttpClient({ proxy: { transport: "unix", path } });
    for (const init of [{ method: "POST", body: "x" }, { method: "HEAD" }]) {
      // The answer to a HEAD would be a stream that nobody ever reads.
      const answer = await fetch("http://127.0.0.1/v1/decisions", { client, ...init });
      assert.equal(answer.status, 405);
      await answer.body?.cancel();
    }
    assert.equal(sources.feed.readers, 0);
    client.close();
  }));

Deno.test("ControlServer.run() tells a place that cannot be used, and takes it once it can", async () => {
  await served(async ({ path, reports, clock, client }) => {
    assert.deepEqual(reports, ["STOPPED CONTROL_SOCKET"]);
    await Deno.remove(path);
    await clock.advance(60_000);
    await until(() => reports.includes("RUNNING CONTROL_SERVED"));
    assert.match(await client.text("/metrics"), /connections 4/);
  }, {
    before: async (path) => {
      await Deno.mkdir(path, { recursive: true });
      await Deno.chmod(path.replace(/\/[^/]*$/, ""), 0o750);
    },
  });
});

Deno.test("ControlServer.run() makes a socket anew that was removed", () =>
  served(async ({ path, reports, clock, client }) => {
    await Deno.remove(path);
    await clock.advance(10_000);
    await until(() => reports.filter((line) => line === "RUNNING CONTROL_SERVED").length === 2);
    assert.match(await client.text("/metrics"), /connections 4/);
  }));

Deno.test("ControlServer.run() bounds the questions it answers at once, and how long it takes", async () => {
  const never = new Promise<never>(() => {});
  await served(async ({ clock, client }) => {
    const first = client.text("/v1/policy").catch((error) => error as ControlError);
    await until(() => clock.sleeping >= 2);
    await assert.rejects(() => client.text("/metrics"), /too many questions/);
    await clock.advance(10_000);
    assert.match(String(await first), /took too long/);
    assert.match(await client.text("/metrics"), /connections 4/);
  }, { limits: { questions: 1, lookEveryMs: 1e9 }, sources: { pace: () => never } });
});

/** What comes back for these bytes, until the other end closes or `wanted` is in it. */
async function answerTo(path: string, text: string, wanted = /^$/): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  const sending = (async () => {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
  })().catch(() => {});
  let got = "";
  const piece = new Uint8Array(4096);
  while (!wanted.test(got)) {
    const bytes = await connection.read(piece).catch(() => null);
    if (bytes === null) break;
    got += new TextDecoder().decode(piece.subarray(0, bytes));
  }
  await sending;
  return got;
}

Deno.test("ControlServer.run() outlives requests that are none, huge ones and those that never end", () =>
  served(async ({ path, client }) => {
    assert.match(await answerTo(path, "\x16\x03\x01 nonsense\r\n\r\n"), /^(HTTP\/1\.1 400 |$)/);
    assert.match(
      await answerTo(path, `GET /${"a".repeat(1_000_000)} HTTP/1.1\r\nhost: a\r\n\r\n`),
      /^(HTTP\/1\.1 4|$)/,
    );
    assert.match(
      await answerTo(path, `GET /metrics HTTP/1.1\r\nx: ${"a".repeat(1_000_000)}\r\n\r\n`),
      /^(HTTP\/1\.1 4|$)/,
    );
    // A body that is announced and never comes holds nothing up.
    const announced = "GET /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000\r\n\r\n";
    assert.match(await answerTo(path, announced, /external_memory_bytes \d/), /^HTTP\/1\.1 200 /);
    using _half = await Deno.connect({ transport: "unix", path });
    await _half.write(new TextEncoder().encode("GET /metr"));
    assert.match(await client.text("/metrics"), /connections 4/);
  }));

Deno.test("ControlServer.run() answers many clients at once, and refuses readers beyond its bound", () =>
  served(async ({ path, sources }) => {
    const clients = Array.from({ length: 100 }, () => new ControlClient(path));
    const answers = await Promise.all(
      clients.map((client) => client.text("/metrics").then(() => 200, ({ status }) => status)),
    );
    assert.ok(answers.every((status) => status === 200 || status === 503), answers.join());
    assert.ok(answers.includes(200));
    const stop = new AbortController();
    const refused: number[] = [];
    const reading = clients.slice(0, 12).map(async (client) => {
      try {
        for await (const _line of client.lines("/v1/decisions", stop.signal)) { /* read on */ }
      } catch (error) {
        if (error instanceof ControlError) refused.push(error.status);
      }
    });
    await until(() => refused.length === 4 && sources.feed.readers === 8);
    assert.deepEqual(refused, [503, 503, 503, 503]);
    stop.abort();
    await Promise.all(reading);
    for (const client of clients) client[Symbol.dispose]();
    await until(() => sources.feed.readers === 0);
  }));

Deno.test("ControlClient.lines() follows the decisions until the agent ends", async () => {
  const seen: unknown[] = [];
  let reading: Promise<void> = Promise.resolve();
  await served(async ({ sources, client }) => {
    const kept = (async () => {
      for await (const line of client.lines("/v1/decisions", new AbortController().signal)) {
        seen.push(line["kind"] === "decision" ? line["id"] : line["kind"]);
        if (seen.length === 1) sources.feed.push(makeEntry({ requestId: 5 }), 0);
      }
    })();
    await until(() => seen.length === 2);
    sources.feed.close();
    reading = kept;
    await reading;
  });
  assert.deepEqual(seen, ["watching", 5, "stopping"]);
});

Deno.test("ControlClient says where it looked when nobody answers, and what the agent says when it refuses", async () => {
  using client = new ControlClient("/nowhere/control.sock");
  await assert.rejects(
    () => client.text("/metrics"),
    (error) => error instanceof ControlError && /\/nowhere\/control\.sock/.test(error.message),
  );
  await served(async ({ client }) => {
    await assert.rejects(
      () => client.json("/v1/caller"),
      (error) =>
        error instanceof ControlError && error.status === 400 && /pid=/.test(error.message),
    );
  });
});
