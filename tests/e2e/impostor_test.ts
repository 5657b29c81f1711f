/** Who speaks to the agent as if it were somebody else, or past it. */
import assert from "node:assert/strict";
import { nodePath } from "../../tools/setup/mod.ts";
import { RawClient, request } from "./raw_client.ts";
import { e2eTest, IMDS, INSTANCE, NOBODY } from "./scene.ts";

const AS_NOBODY = { user: NOBODY };
const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;

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
