import assert from "node:assert/strict";
import { SimulatorControl } from "../../../../tools/sandbox/simulator_control.ts";

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

/** A control interface that answers by path, and keeps what it was asked. */
async function withControl(
  answers: Readonly<Record<string, Response | (() => Response)>>,
  play: (control: SimulatorControl, calls: readonly Call[]) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const calls: Call[] = [];
  const server = Deno.serve({ path: `${folder}/socket`, onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    calls.push({ method: request.method, path: pathname + search, body: await request.text() });
    const answer = answers[pathname + search] ?? new Response("{}", { status: 404 });
    return typeof answer === "function" ? answer() : answer;
  });
  try {
    await play(new SimulatorControl(`${folder}/socket`), calls);
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("call() sends a document and gives back the decoded answer", () =>
  withControl({ "/x": Response.json({ a: [1] }) }, async (control, calls) => {
    assert.deepEqual(await control.call("PUT", "/x", { b: 2 }), { a: [1] });
    assert.deepEqual(calls, [{ method: "PUT", path: "/x", body: '{"b":2}' }]);
  }));

Deno.test("call() fails with the status and what was said", () =>
  withControl({ "/x": new Response("no such mode", { status: 400 }) }, async (control) => {
    await assert.rejects(control.call("GET", "/x"), /GET \/x: 400 no such mode/);
  }));

Deno.test("call() fails where nobody listens", async () => {
  await assert.rejects(new SimulatorControl("/no/such/socket").call("GET", "/x"), /ENOENT/);
});

Deno.test("requestsSince() reads the journal page by page, the agent's own polls left out", () => {
  const line = (seq: number, target: string) => ({ seq, target });
  return withControl({
    "/journal?since=4": Response.json({
      nextSince: 6,
      entries: [line(5, "/secure-channel/status"), line(6, "/metadata/instance")],
    }),
    "/journal?since=6": Response.json({ nextSince: 7, entries: [line(7, "/machine")] }),
    "/journal?since=7": Response.json({ nextSince: 7, entries: [] }),
  }, async (control) => {
    const lines = await control.requestsSince(4);
    assert.deepEqual(lines.map(({ target }) => target), ["/metadata/instance", "/machine"]);
  });
});

Deno.test("lastEntry() is the one before the next", () =>
  withControl({ "/state": Response.json({ journal: { nextSeq: 8 } }) }, async (control) => {
    assert.equal(await control.lastEntry(), 7);
  }));

Deno.test("rotateKey() gives the new key's guid", () =>
  withControl({ "/rotate-key": Response.json({ keyGuid: "g" }) }, async (control, calls) => {
    assert.equal(await control.rotateKey(), "g");
    assert.equal(calls[0]?.method, "POST");
  }));

Deno.test("ready() returns as soon as the simulator answers", () =>
  withControl({ "/state": Response.json({}) }, async (control, calls) => {
    await control.ready();
    assert.equal(calls.length, 1);
  }));
