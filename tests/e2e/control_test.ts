/**
 * The control socket of a running agent: who may ask, and whether the answers are true.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ControlClient } from "../../src/operator/live_view/mod.ts";
import { denoEnvironment } from "../../tools/setup/mod.ts";
import { readExposition } from "../unit/agent/control/exposition.ts";
import { PYTHON, Talker } from "../kernel/machine.ts";
import { sourceProgram } from "../../tools/sandbox/world.ts";
import {
  e2eTest,
  IMDS,
  INSTANCE,
  NOBODY,
  pause,
  type Scene,
  until,
  VERSIONS,
  WIRESERVER,
} from "./scene.ts";

const socketOf = (scene: Scene) => `${scene.world.sandbox.folder}/run/control.sock`;

/** The value of a sample, without the prefix; 0 where there is none: counts begin with the first. */
async function metric(client: ControlClient, sample: string): Promise<number> {
  const text = await client.text("/metrics");
  const line = text.split("\n").find((each) => each.startsWith(`azure_proxy_agent_${sample} `));
  return Number(line?.split(" ").at(-1) ?? 0);
}

e2eTest(
  "the control socket is root's, and tells what happens",
  { label: "control" },
  async (scene) => {
    const { sandbox } = scene.world;
    const path = socketOf(scene);
    await until("the socket is there", async () => {
      return await Deno.lstat(path).then(({ isSocket }) => isSocket === true, () => false);
    });
    using client = new ControlClient(path);

    await scene.step("an ordinary user is kept out", async () => {
      assert.equal((await Deno.lstat(path)).mode! & 0o777, 0o600);
      assert.equal((await Deno.lstat(path.replace(/\/[^/]*$/, ""))).mode! & 0o027, 0);
      const ask = ["curl", "-s", "-m", "5", "--unix-socket", path, "http://agent/metrics"];
      const ordinary = await sandbox.run(ask, { user: NOBODY });
      assert.equal(ordinary.code, 7, "curl could not connect");
      assert.equal(ordinary.stdout, "");
      // Not only the folder keeps him out.
      const folder = path.replace(/\/[^/]*$/, "");
      await Deno.chmod(folder, 0o755);
      assert.equal((await sandbox.run(ask, { user: NOBODY })).code, 7);
      await Deno.chmod(folder, 0o750);
      const root = await sandbox.run(ask);
      assert.equal(root.code, 0);
      assert.match(root.stdout, /azure_proxy_agent_/);
    });

    await scene.step("metrics move with requests", async () => {
      const allowed =
        `requests_total{endpoint="imds",mode="enforce",verdict="allow",reason="none"}`;
      const denied =
        `requests_total{endpoint="wireserver",mode="enforce",verdict="deny",reason="not-elevated"}`;
      const before = [await metric(client, allowed), await metric(client, denied)];
      const events = await metric(client, `kernel_events_total{event="redirected"}`);
      for (let count = 0; count < 20; count++) {
        assert.equal(await scene.statusOf(`http://${IMDS}${INSTANCE}`, { user: NOBODY }), 200);
      }
      assert.equal(
        await scene.statusOf(`http://${WIRESERVER}${VERSIONS}`, { user: NOBODY }),
        403,
      );
      const after = [await metric(client, allowed), await metric(client, denied)];
      assert.deepEqual([after[0]! - before[0]!, after[1]! - before[1]!], [20, 1]);
      assert.ok(await metric(client, `kernel_events_total{event="redirected"}`) >= events + 21);
      for (const stage of ["attribute", "decide", "sign", "host", "whole"]) {
        const counted = `request_duration_seconds_count{stage="${stage}"}`;
        assert.ok(await metric(client, counted) > 0, stage);
      }
      for (const queue of ["log", "console", "audit", "decisions", "telemetry"]) {
        assert.equal(await metric(client, `queue_dropped_total{queue="${queue}"}`), 0);
      }
      readExposition(await client.text("/metrics"));
      assert.equal(await metric(client, "key_held"), 1);
      assert.equal(await metric(client, "redirector_attached"), 1);
      assert.ok(await metric(client, `polls_total{result="ok"}`) > 0);
      assert.ok(await metric(client, "resident_memory_bytes") > 1e6);
    });

    await scene.step("the stream shows decisions as they are made, without secrets", async () => {
      const end = new AbortController();
      const lines: Record<string, unknown>[] = [];
      const reading = (async () => {
        for await (const line of client.lines("/v1/decisions", end.signal)) lines.push(line);
      })();
      await until("the stream has begun", () => Promise.resolve(lines.length > 0));
      const target = `${INSTANCE}&sig=c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0`;
      await scene.statusOf(`http://${IMDS}${target}`, { user: NOBODY });
      await scene.statusOf(`http://${WIRESERVER}${VERSIONS}`, { user: NOBODY });
      await until("two decisions", () => Promise.resolve(lines.length >= 3));
      end.abort();
      await reading;
      const [, allowed, denied] = lines;
      assert.deepEqual(
        [allowed?.["endpoint"], allowed?.["verdict"], allowed?.["uid"], allowed?.["status"]],
        ["imds", "allow", NOBODY.uid, 200],
      );
      assert.match(String(allowed?.["exe"]), /\/curl$/);
      assert.doesNotMatch(String(allowed?.["target"]), /c2VjcmV0/);
      assert.deepEqual(
        [denied?.["endpoint"], denied?.["verdict"], denied?.["reason"], denied?.["status"]],
        ["wireserver", "deny", "not-elevated", 403],
      );
    });

    await scene.step("the attestation is what bpftool and the files say", async () => {
      const attestation = await client.json("/v1/attestation") as {
        readonly programs: readonly Record<string, unknown>[];
        readonly bpfObject: { readonly sha256: string };
        readonly executable: { readonly sha256: string };
        readonly keyId: string;
      };
      const shown = await new Deno.Command("bpftool", {
        args: ["-j", "cgroup", "show", sandbox.cgroup],
      }).output();
      const kernel = JSON.parse(new TextDecoder().decode(shown.stdout)) as {
        readonly id: number;
        readonly attach_type: string;
        readonly name: string;
      }[];
      assert.deepEqual(
        attestation.programs.map(({ programId, attachPoint }) => `${programId} ${attachPoint}`)
          .sort(),
        kernel.map(({ id, attach_type }) => `${id} ${attach_type}`).sort(),
      );
      assert.equal(attestation.programs.length, 7);
      const sha256 = async (file: string) =>
        createHash("sha256").update(await Deno.readFile(file)).digest("hex");
      const object = new URL("../../build/bpf/redirector.o", import.meta.url).pathname;
      assert.equal(attestation.bpfObject.sha256, await sha256(object));
      assert.equal(attestation.executable.sha256, await sha256(Deno.execPath()));
      // The file is written within a second of a change.
      await until("the status file names the key", async () => {
        const { proxyAgentStatus } = await scene.world.status() as {
          proxyAgentStatus: { keyLatchStatus: { states: Record<string, string> } };
        };
        return proxyAgentStatus.keyLatchStatus.states["keyGuid"] === attestation.keyId;
      });
    });

    await scene.step("a caller is looked up by its connection and by its process", async () => {
      const holder = await scene.python("hold.py", [IMDS, "80"], { user: NOBODY });
      await holder.hears("1");
      assert.equal((await holder.says<{ held: number }>()).held, 1);
      interface Facts {
        readonly uid: number;
        readonly process: string;
        readonly executable: { readonly verified: boolean; readonly path: string };
        readonly connection: {
          readonly source: { readonly address: string; readonly port: number };
        };
      }
      const { callers } = await client.json(`/v1/caller?pid=${holder.pid}`) as {
        readonly callers: readonly Facts[];
      };
      assert.equal(callers.length, 1);
      const { connection, executable, process, uid } = callers[0]!;
      assert.deepEqual([uid, process, executable.verified], [NOBODY.uid, "same", true]);
      assert.match(executable.path, /python/);
      const { address, port } = connection.source;
      const found = await client.json(`/v1/caller?port=${port}&address=${address}`) as {
        readonly kind: string;
        readonly caller: Facts;
      };
      assert.equal(found.kind, "redirected");
      assert.equal(found.caller.uid, NOBODY.uid);
      await holder.ended();
      await until("its connection is forgotten", async () => {
        return await client.json(`/v1/caller?pid=${holder.pid}`).then(() => false, () => true);
      });
    });

    await scene.step("top and inspect say the same on the command line", async () => {
      const command = (...args: string[]) =>
        sandbox.run([...sourceProgram(), ...args, "--socket", path], {
          inCgroup: false,
          env: denoEnvironment(),
        });
      let isDone = false;
      const watching = command("top", "--once", "--json", "--interval", "2")
        .finally(() => isDone = true);
      while (!isDone) {
        await scene.statusOf(`http://${IMDS}${INSTANCE}`, { user: NOBODY });
        await pause(100);
      }
      const top = await watching;
      assert.equal(top.code, 0, top.stderr);
      const { rows, requests } = JSON.parse(top.stdout);
      assert.ok(requests >= 1);
      assert.deepEqual([rows[0].uid, rows[0].endpoint, rows[0].verdict], [
        NOBODY.uid,
        "imds",
        "allow",
      ]);
      const policy = await command("inspect", "policy");
      assert.equal(policy.code, 0, policy.stderr);
      assert.equal(JSON.parse(policy.stdout).computedRules.imds.mode, "Enforce");
    });

    await scene.step("a reader that does not read holds nobody up", async () => {
      const stuck = await Deno.connect({ transport: "unix", path });
      await stuck.write(new TextEncoder().encode("GET /v1/decisions HTTP/1.1\r\nHost: a\r\n\r\n"));
      await until("it is a reader", async () => await metric(client, "decision_readers") === 1);
      const flood = await sandbox.run([
        ...[
          "sh",
          "-c",
          `seq 400 | xargs -P 2 -n 100 sh -c 'for i; do echo "url = http://${IMDS}${INSTANCE}"; done | curl -s -o /dev/null -H "Metadata: true" -K -' sh`,
        ],
      ], { user: NOBODY });
      assert.equal(flood.code, 0);
      assert.equal(await scene.statusOf(`http://${IMDS}${INSTANCE}`, { user: NOBODY }), 200);
      stuck.close();
      await until("it is gone", async () => await metric(client, "decision_readers") === 0);
    });
  },
);

e2eTest(
  "a killed agent's socket is taken over, a stopped agent's is gone",
  { label: "control" },
  async (scene) => {
    const path = socketOf(scene);
    const answers = async () => {
      using client = new ControlClient(path);
      return await client.text("/metrics").then((text) => text.length > 0, () => false);
    };
    await until("the socket answers", answers);
    await scene.world.killAgent();
    assert.equal((await Deno.lstat(path)).isSocket, true);
    assert.equal(await answers(), false);
    await scene.world.startAgent();
    await until("the socket answers again", answers);
    assert.equal(await scene.world.stopAgent(), 0);
    await assert.rejects(() => Deno.lstat(path), Deno.errors.NotFound);
  },
);

const COLLECTOR = `
import http.server, sys
class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.send_response(200)
        self.end_headers()
        print(self.path, self.headers["content-type"], body, flush=True)
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", 4318), Collector).serve_forever()
`;

e2eTest("metrics are pushed to a collector, also one that comes late", {
  label: "control",
  config: { otlpEndpoint: "http://127.0.0.1:4318/v1/metrics", otlpIntervalInSeconds: 1 },
}, async (scene) => {
  const { sandbox } = scene.world;
  using client = new ControlClient(socketOf(scene));
  await until("the collector is missed", async () => {
    const status = await client.json("/v1/status") as {
      readonly parts: Readonly<Record<string, { readonly code: string } | undefined>>;
    };
    return status.parts["otlp"]?.code === "OTLP_FAILED";
  });
  const collector = new Talker(
    sandbox.spawn([PYTHON, "-c", COLLECTOR], { inCgroup: false }),
    false,
  );
  const line = await collector.line();
  const [path, type, ...body] = line.split(" ");
  assert.deepEqual([path, type], ["/v1/metrics", "application/json"]);
  const { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] } = JSON.parse(body.join(" "));
  const running = metrics.find((each: { readonly name: string }) =>
    each.name === "azure_proxy_agent_redirector_attached"
  );
  assert.equal(running.gauge.dataPoints[0].asDouble, 1);
  await until(
    "the push is well",
    async () => await metric(client, `part_running{part="otlp"}`) === 1,
  );
  collector.kill();
  await collector.ended();
});
