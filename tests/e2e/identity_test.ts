/** Who a caller is, from its connect() to the host's view and the record. */
import assert from "node:assert/strict";
import type { RunOptions } from "../../tools/sandbox/mod.ts";
import { PYTHON } from "../kernel/machine.ts";
import { e2eTest, IMDS, INSTANCE, NOBODY, type Scene, VERSIONS, WIRESERVER } from "./scene.ts";

const WIRESERVER_URL = `http://${WIRESERVER}${VERSIONS}`;
const INSTANCE_URL = `http://${IMDS}${INSTANCE}`;

/** Status, what the host was told, and the record of one request. */
async function ask(scene: Scene, url: string, options: RunOptions, program = "curl") {
  const { value, host, audit } = await scene.observe(() =>
    scene.world.sandbox.run([
      ...[program, "-s", "-m", "10", "-o", "/dev/null", "-w", "%{http_code}"],
      ...["-H", "Metadata: true", url],
    ], options)
  );
  assert.equal(audit.length, 1, JSON.stringify(audit));
  return {
    status: Number(value.stdout),
    isRoot: host.map((line) => line.isRoot),
    record: audit[0]!,
  };
}

e2eTest("who is root is decided by the user id alone", {}, async (scene) => {
  await scene.step("uid 65534 with gid 0 is refused WireServer", async () => {
    const { status, isRoot, record } = await ask(scene, WIRESERVER_URL, {
      user: { uid: 65534, gid: 0 },
    });
    assert.deepEqual([status, isRoot], [403, []]);
    assert.deepEqual(
      ["uid", "gid", "userId", "runAsElevated", "decision", "reason", "responseStatus"]
        .map((name) => record[name]),
      [65534, 0, 65534, false, "deny", "not-elevated", "403 Forbidden"],
    );
  });
  await scene.step(
    "uid 65534 with gid 0 reads IMDS, and the host hears that it is not root",
    async () => {
      const { status, isRoot, record } = await ask(scene, INSTANCE_URL, {
        user: { uid: 65534, gid: 0 },
      });
      assert.deepEqual([status, isRoot, record["runAsElevated"]], [200, [false], false]);
    },
  );
  await scene.step("uid 0 with gid 100 is served by WireServer, as root", async () => {
    const { status, isRoot, record } = await ask(scene, WIRESERVER_URL, {
      user: { uid: 0, gid: 100 },
    });
    assert.deepEqual([status, isRoot], [200, [true]]);
    assert.deepEqual(
      ["uid", "gid", "userId", "userName", "runAsElevated", "decision", "reason"]
        .map((name) => record[name]),
      [0, 100, 0, "root", true, "allow", null],
    );
  });
});

e2eTest("records hold names and groups of the caller's account", {}, async (scene) => {
  for (const [uid, name] of [[0, "root"], [1, "daemon"], [65534, "nobody"]] as const) {
    await scene.step(name, async () => {
      const { record } = await ask(scene, INSTANCE_URL, { user: { uid, gid: NOBODY.gid } });
      assert.deepEqual([record["userId"], record["userName"]], [uid, name]);
      assert.deepEqual((record["userGroups"] as string[]).toSorted(), await groupsOf(name));
    });
  }
  await scene.step("a user that no account belongs to", async () => {
    const { record, status } = await ask(scene, INSTANCE_URL, { user: { uid: 23456, gid: 23456 } });
    assert.equal(status, 200);
    assert.deepEqual(
      [record["uid"], record["gid"], record["userId"], record["runAsElevated"]],
      [23456, 23456, 23456, false],
    );
    assert.deepEqual([record["userName"], record["userGroups"]], ["undefined", []]);
  });
});

e2eTest("an executable that its user controls is not proven", {}, async (scene) => {
  const real = await Deno.realPath("/usr/bin/curl");
  await scene.step("the system's own is", async () => {
    const { record } = await ask(scene, INSTANCE_URL, { user: NOBODY });
    assert.deepEqual(
      [record["processFullPath"], record["exeVerified"], record["exeDoubt"], record["comm"]],
      [real, true, null, "curl"],
    );
  });
  const folder = `${scene.world.sandbox.folder}/own`;
  const own = `${folder}/curl`;
  await Deno.mkdir(folder);
  await Deno.copyFile(real, own);
  await Deno.chmod(own, 0o755);
  await Deno.chown(own, NOBODY.uid, NOBODY.gid);
  await Deno.chown(folder, NOBODY.uid, NOBODY.gid);
  await scene.step("a copy that belongs to the user is not", async () => {
    const { record, status } = await ask(scene, INSTANCE_URL, { user: NOBODY }, own);
    assert.equal(status, 200);
    assert.deepEqual(
      [record["processFullPath"], record["exeVerified"], record["exeDoubt"]],
      [own, false, "file-writable-by-others"],
    );
  });
  await scene.step("a program whose file was deleted under it is not", async () => {
    const gone = `${scene.world.sandbox.folder}/gone`;
    await Deno.copyFile(await Deno.realPath(PYTHON), gone);
    await Deno.chmod(gone, 0o755);
    const code = [
      "import os, urllib.request",
      `os.unlink(${JSON.stringify(gone)})`,
      `urllib.request.urlopen(urllib.request.Request("${INSTANCE_URL}", headers={"Metadata": "true"}))`,
    ].join("\n");
    const { value, audit } = await scene.observe(() =>
      scene.world.sandbox.run([gone, "-c", code], { env: { PYTHONHOME: "/usr" } })
    );
    assert.equal(value.code, 0, value.stderr);
    assert.deepEqual([audit[0]?.["exeVerified"], audit[0]?.["uid"]], [false, 0]);
    assert.equal(audit[0]?.["exeDoubt"], "path-not-resolvable");
  });
});

async function groupsOf(name: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("id", { args: ["-nG", name] }).output();
  return new TextDecoder().decode(stdout).trim().split(" ").toSorted();
}
