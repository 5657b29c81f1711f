/** The administrator's rule files, from the disk to the answer a caller gets. Source: authorization 4.8. */
import assert from "node:assert/strict";
import {
  askImds,
  grants,
  installed,
  type Json,
  optIn,
  putLocalFile,
  tellHost,
} from "./policy_change.ts";
import { e2eTest, INSTANCE, NOBODY, type Scene, until, VERSIONS, WIRESERVER } from "./scene.ts";

const FILE = "IMDS_Rules.json";
const COMPUTE = "/metadata/instance/compute?api-version=2021-02-01";
const EVENTS = "/metadata/scheduledevents?api-version=2020-07-01";
const DAEMON = { uid: 1, gid: 1 } as const;

const HOST_IMDS = { defaultAccess: "allow", mode: "enforce", id: optIn("im") };

async function statusOf(
  scene: Scene,
  target: string,
  user = NOBODY as typeof NOBODY | typeof DAEMON,
) {
  return (await askImds(scene, target, { user })).status;
}

/** A file with one grant of the instance document. */
function fileFor(to: Json, change: Json = {}): Json {
  return {
    id: "f",
    defaultAccess: "deny",
    rules: grants({ path: "/metadata/instance", to, ...change }),
  };
}

e2eTest("local rules hold every row of the specification's table", {
  limitMs: 300_000,
}, async (scene) => {
  const local = (content: Json | string) =>
    installed(scene, () => putLocalFile(scene, FILE, content));
  const statuses = async (...targets: readonly string[]) => {
    const found: number[] = [];
    for (const target of targets) found.push(await statusOf(scene, target));
    return found;
  };
  await scene.step("file absent: the host's rules apply", async () => {
    await installed(scene, () => tellHost(scene, { imds: HOST_IMDS }));
    assert.deepEqual(await statuses(INSTANCE, EVENTS), [200, 200]);
  });
  await scene.step("deny, no rules: all refused", async () => {
    await local({ defaultAccess: "deny", rules: {} });
    assert.deepEqual(await statuses(INSTANCE, EVENTS), [403, 403]);
  });
  await scene.step("a mode in the file means nothing", async () => {
    await local({ id: "m", defaultAccess: "deny", mode: "audit", rules: {} });
    assert.deepEqual(await statuses(INSTANCE), [403]);
  });
  await scene.step("one path for the caller: that path, and not its siblings", async () => {
    await local(fileFor({ userName: "nobody" }));
    assert.deepEqual(await statuses(INSTANCE, COMPUTE, EVENTS), [200, 200, 403]);
  });
  await scene.step("the same for another user", async () => {
    await local(fileFor({ userName: "daemon" }));
    assert.deepEqual(await statuses(INSTANCE), [403]);
    assert.equal(await statusOf(scene, INSTANCE, DAEMON), 200);
  });
  await scene.step("a parameter: its value and no other", async () => {
    const queryParameters = { "api-version": "2021-02-01" };
    await local(fileFor({ userName: "nobody" }, { queryParameters }));
    assert.deepEqual(
      await statuses(
        INSTANCE,
        "/metadata/instance",
        "/metadata/instance?api-version=2020-01-01",
        `${INSTANCE}&format=json`,
      ),
      [200, 403, 403, 200],
    );
  });
  await scene.step("a group alone", async () => {
    await local(fileFor({ groupName: "nogroup" }));
    assert.deepEqual(await statuses(INSTANCE), [200]);
    assert.equal(await statusOf(scene, INSTANCE, DAEMON), 403);
  });
  await scene.step("an executable alone", async () => {
    await local(fileFor({ exePath: await Deno.realPath("/usr/bin/curl") }));
    assert.deepEqual(await statuses(INSTANCE), [200]);
    await local(fileFor({ exePath: "/usr/bin/wget" }));
    assert.deepEqual(await statuses(INSTANCE), [403]);
  });
  await scene.step("no JSON: all refused, and the status says why", async () => {
    await local('{"id":"f"');
    assert.deepEqual(await statuses(INSTANCE, EVENTS), [403, 403]);
    await until("the status is red", async () => {
      const { status, message } = await scene.moduleStatus("keyLatchStatus");
      return status === "STOPPED" && /local rules of imds are refused/.test(message);
    });
    const { record } = await askImds(scene, INSTANCE, { user: NOBODY });
    assert.equal(record?.["reason"], "policy-closed");
  });
  await scene.step("a byte order mark before a good file", async () => {
    await local("\ufeff" + JSON.stringify(fileFor({ userName: "nobody" })));
    assert.deepEqual(await statuses(INSTANCE, EVENTS), [200, 403]);
  });
  await scene.step("a member twice", async () => {
    await local('{"defaultAccess":"deny","defaultAccess":"allow"}');
    assert.deepEqual(await statuses(INSTANCE, EVENTS), [403, 403]);
  });
  await scene.step("names that have the prefix already", async () => {
    const text = JSON.stringify(fileFor({ userName: "nobody" }));
    await local(text.replace(/"([pri])0"/g, '"LocalFileRules_$10"'));
    assert.deepEqual(await statuses(INSTANCE, EVENTS), [200, 403]);
  });
  await scene.step("a role that names no privilege of the file", async () => {
    const text = JSON.stringify(fileFor({ userName: "nobody" }));
    await local(text.replace('"privileges":["p0"]', '"privileges":["p1"]'));
    assert.deepEqual(await statuses(INSTANCE, EVENTS), [403, 403]);
  });
  await scene.step("a user name that only looks the same", async () => {
    await local(fileFor({ userName: "n\u043ebody" }));
    assert.deepEqual(await statuses(INSTANCE), [403]);
  });
  await scene.step("other spellings of a path that is not granted", async () => {
    await local(fileFor({ userName: "nobody" }));
    const spellings = ["%2Fscheduledevents", "%2fscheduledevents", "%252Fscheduledevents"]
      .map((end) => `/metadata${end}?api-version=2020-07-01`);
    const dots = [
      "/metadata/./../metadata/scheduledevents",
      "/metadata/scheduledevents/./../scheduledevents",
    ];
    for (
      const target of [...spellings, "/metadata/scheduledevents%3Fapi-version=2020-07-01", ...dots]
    ) {
      assert.equal(await statusOf(scene, target), 403, target);
    }
  });
  await scene.step("the file removed: the host's rules again", async () => {
    await installed(scene, () => putLocalFile(scene, FILE, null));
    assert.deepEqual(await statuses(INSTANCE, EVENTS), [200, 200]);
  });
});

e2eTest("a local rule file that others could have written closes the endpoint", {
  limitMs: 120_000,
}, async (scene) => {
  const path = `${scene.world.sandbox.folder}/rules/${FILE}`;
  await installed(scene, () => tellHost(scene, { imds: HOST_IMDS }));
  const spoil: [string, () => Promise<void>][] = [
    ["everybody may write", () => Deno.chmod(path, 0o666)],
    ["somebody else's", () => Deno.chown(path, NOBODY.uid, NOBODY.gid)],
    ["a link", async () => {
      await Deno.rename(path, `${path}.real`);
      await Deno.symlink(`${path}.real`, path);
    }],
  ];
  for (const [what, change] of spoil) {
    await scene.step(what, async () => {
      await installed(
        scene,
        () => putLocalFile(scene, FILE, fileFor({ userName: "nobody" }, { path: "/metadata" })),
      );
      assert.equal(await statusOf(scene, INSTANCE), 200);
      await installed(scene, change);
      assert.equal(await statusOf(scene, INSTANCE), 403);
    });
  }
});

e2eTest("a bad local file is recorded in Audit, and refused for HostGAPlugin too", {
  limitMs: 120_000,
}, async (scene) => {
  const wireserver = (mode: string) => ({ defaultAccess: "allow", mode, id: optIn("ws") });
  await installed(
    scene,
    () =>
      tellHost(scene, { imds: { ...HOST_IMDS, mode: "audit" }, wireserver: wireserver("enforce") }),
  );
  const hostga = (target: string) => scene.statusOf(`http://${WIRESERVER}:32526${target}`);
  const served = await hostga("/vmSettings");
  assert.notEqual(served, 403);
  await scene.step("Audit forwards and flags", async () => {
    await installed(scene, () => putLocalFile(scene, FILE, "{"));
    const { status, record } = await askImds(scene, INSTANCE, { user: NOBODY });
    assert.deepEqual(
      [status, record?.["decision"], record?.["reason"]],
      [200, "flag", "policy-closed"],
    );
  });
  await scene.step("HostGAPlugin follows WireServer's file", async () => {
    await installed(scene, () => putLocalFile(scene, "WireServer_Rules.json", "{"));
    assert.equal(await scene.statusOf(`http://${WIRESERVER}${VERSIONS}`), 403);
    assert.equal(await hostga("/vmSettings"), 403);
  });
  await scene.step("and has one of its own", async () => {
    await installed(
      scene,
      () => putLocalFile(scene, "HostGA_Rules.json", { defaultAccess: "allow" }),
    );
    assert.equal(await hostga("/vmSettings"), served);
    assert.equal(await scene.statusOf(`http://${WIRESERVER}${VERSIONS}`), 403);
  });
});
