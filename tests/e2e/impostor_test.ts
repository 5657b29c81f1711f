/** Who takes the agent's place, or speaks past it. */
import assert from "node:assert/strict";
import { nodePath } from "../../tools/setup/mod.ts";
import { PYTHON, Talker } from "../kernel/machine.ts";
import { RawClient, request } from "./raw_client.ts";
import { e2eTest, IMDS, INSTANCE, NOBODY, pause, until } from "./scene.ts";

const AS_NOBODY = { user: NOBODY };
const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;

/** Somebody who holds the listener's port and answers everything. */
const SQUATTER = `
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"forged")
    def log_message(self, *rest):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 3080), Handler)
print("listens", flush=True)
server.serve_forever()
`;

e2eTest("who took the listener's port before the agent came is handed no caller", {
  started: false,
}, async (scene) => {
  const { world } = scene;
  const squatter = new Talker(world.sandbox.spawn([PYTHON, "-c", SQUATTER], AS_NOBODY), false);
  assert.equal(await squatter.line(), "listens");
  await world.spawnAgent();
  await until(
    "a key is latched",
    async () => (await scene.logLines("key latched")).length > 0,
    15_000,
  );
  await pause(2_000);
  const { value, host } = await scene.observe(() =>
    scene.curl(["-m", "5", "-H", "Metadata: true", INSTANCE_URL], AS_NOBODY)
  );
  // Callers go where they always went; the host refuses what is not signed.
  assert.deepEqual([value.answer?.status, host.length], [401, 1]);

  squatter.kill();
  await squatter.ended();
  await world.waitUntilReady();
  const after = await scene.observe(() => scene.statusOf(INSTANCE_URL, AS_NOBODY));
  assert.deepEqual([after.value, after.host.map(({ verdict }) => verdict)], [200, ["signed"]]);
});

e2eTest(
  "the agent's fields stay when a caller names them as fields of the connection",
  {},
  async (scene) => {
    const nobody = await RawClient.start(scene, AS_NOBODY);
    const named = "x-ms-azure-host-claims, x-ms-azure-host-date, x-ms-azure-host-authorization";
    const { host } = await scene.observe(() =>
      nobody.ask([IMDS, 80], request("GET", INSTANCE, ["Metadata: true", `Connection: ${named}`]))
    );
    assert.deepEqual(host.map(({ verdict, isRoot }) => [verdict, isRoot]), [["signed", false]]);
    await nobody.end();
  },
);

e2eTest("HTTP/2 without a word before is refused and recorded", {}, async (scene) => {
  const script = await scene.place("clients/http2_client.mjs");
  const { value, host, audit } = await scene.observe(async () => {
    const { stdout, stderr } = await scene.world.sandbox.run(
      [nodePath() ?? "node", script, INSTANCE_URL],
      AS_NOBODY,
    );
    assert.equal(stderr, "");
    return JSON.parse(stdout);
  });
  assert.deepEqual(value, ["ERR_HTTP2_ERROR", "ERR_HTTP2_ERROR"]);
  assert.deepEqual(host, []);
  const refused = [IMDS, NOBODY.uid, "bad-request"];
  assert.deepEqual(audit.map((line) => [line["ip"], line["uid"], line["reason"]]), [
    refused,
    refused,
  ]);
});
