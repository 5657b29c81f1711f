import assert from "node:assert/strict";
import {
  factsOf,
  type FrameOptions,
  frameText,
  Tally,
} from "../../../../src/operator/live_view/mod.ts";
import { line } from "./lines.ts";

const AGENT = {
  version: "1.2.3",
  upMs: 3_720_000,
  connections: 4,
  rssBytes: 64_000_000,
  troubles: [],
};

function frame(options: Partial<FrameOptions> = {}, more: Parameters<typeof line>[0][] = []) {
  const tally = new Tally();
  for (let count = 0; count < 5; count++) tally.add(line());
  tally.add(line({ verdict: "deny", reason: "rule-denied", status: 403, exeVerified: false }));
  for (const each of more) tally.add(line(each));
  return frameText(tally.take(), {
    columns: 120,
    lines: 50,
    colour: false,
    intervalMs: 2_000,
    agent: AGENT,
    notice: "",
    ...options,
  });
}

Deno.test("frameText() shows the agent and a line for each row", () => {
  assert.deepEqual(frame(), [
    "azure-proxy-agent 1.2.3  up 1h2m  3.0 req/s  4 connections  64 MB",
    "",
    "   REQ/S    TOTAL  MEAN MS USER       PROCESS            ENDPOINT   VERDICT                LAST REQUEST",
    "     2.5        5     1.00 azureuser  curl               imds       allow                  200 GET /metadata/instance",
    "     0.5        1     1.00 azureuser  curl?              imds       deny rule-denied       403 GET /metadata/instance",
  ]);
});

Deno.test("frameText() is never wider or longer than the terminal, whatever its size", () => {
  const troubles = ["redirector: " + "x".repeat(500)];
  const more = [{
    target: "/" + "y".repeat(1_000),
    user: "u".repeat(300),
    exe: "/" + "z".repeat(300),
  }];
  for (let columns = 1; columns < 200; columns += 7) {
    for (const lines of [1, 4, 40]) {
      const shown = frame({
        columns,
        lines,
        agent: { ...AGENT, troubles },
        notice: "n".repeat(300),
      }, more);
      assert.ok(shown.length <= lines);
      for (const each of shown) assert.ok(each.length <= columns, `${columns}: ${each}`);
    }
  }
});

Deno.test("frameText() drops columns on a narrow terminal, verdict and rate last", () => {
  const title = (columns: number) => frame({ columns })[2]!.trim().split(/ +/);
  assert.deepEqual(title(70), ["REQ/S", "TOTAL", "USER", "PROCESS", "ENDPOINT", "VERDICT"]);
  assert.deepEqual(title(60), ["REQ/S", "USER", "PROCESS", "ENDPOINT", "VERDICT"]);
  assert.deepEqual(title(40), ["REQ/S", "PROCESS", "VERDICT"]);
  assert.deepEqual(title(20), ["REQ/S", "VERDICT"]);
});

Deno.test("frameText() paints what is refused, only with colour", () => {
  const painted = frame({ colour: true, agent: { ...AGENT, troubles: ["proxy: down"] } });
  assert.ok(painted.includes("\x1b[31m! proxy: down\x1b[0m"));
  const last = painted.at(-1)!;
  assert.ok(last.startsWith("\x1b[31m") && last.endsWith("\x1b[0m"), last);
  assert.match(last, /deny rule-denied/);
  assert.ok(!frame().join().includes("\x1b"));
});

Deno.test("frameText() lets no control character of a caller through", () => {
  const shown = frame({}, [{ user: "\x1b[2Jroot", exe: "/a\nb", target: "/\u202e\x07" }]).join("|");
  assert.doesNotMatch(shown, /[\p{Cc}\p{Cf}]/u);
  assert.match(shown, /\\u001b\[2J/);
});

Deno.test("frameText() says so when the agent is away, and when nothing was asked", () => {
  const [head] = frame({ agent: null });
  assert.equal(head, "azure-proxy-agent does not answer");
  const empty = frameText([], {
    columns: 80,
    lines: 9,
    colour: false,
    intervalMs: 1,
    agent: { ...AGENT, upMs: 5_000 },
    notice: "some are missing",
  });
  assert.match(empty[0]!, /up 5s/);
  assert.deepEqual([empty[1], empty.at(-1)], ["some are missing", "no requests yet"]);
});

Deno.test("factsOf() reads the status, and takes whatever is missing for nothing", () => {
  const facts = factsOf({
    version: "1",
    wallMs: 5_000,
    startedWallMs: 2_000,
    connections: 2,
    memory: { rss: 7 },
    parts: {
      proxy: { state: "RUNNING", message: "good" },
      redirector: { state: "STOPPED", message: "bad" },
    },
  });
  assert.deepEqual(facts, {
    version: "1",
    upMs: 3_000,
    connections: 2,
    rssBytes: 7,
    troubles: ["redirector: bad"],
  });
  const nothing = { version: "", upMs: 0, connections: 0, rssBytes: 0, troubles: [] };
  assert.deepEqual(factsOf({}), nothing);
  assert.deepEqual(factsOf(null), nothing);
});
