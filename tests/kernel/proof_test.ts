import assert from "node:assert/strict";
import { eventually, kernelTest, type Machine, type Probe, PYTHON, type Told } from "./machine.ts";
import type { Seen, SeenProcess } from "./probe_protocol.ts";

const NOBODY = { user: { uid: 65534, gid: 65534 } };
const URL = "http://169.254.169.254/";

async function curl(machine: Machine, command: readonly string[], options = {}): Promise<Seen> {
  const { code, stdout, stderr } = await machine.sandbox.run(command, options);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** A copy of a program in a folder of root's own that everybody may enter. */
async function copyOf(machine: Machine, program: string, name: string): Promise<string> {
  const folder = `/opt/${machine.sandbox.name}`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.copyFile(await Deno.realPath(program), `${folder}/${name}`);
  return `${folder}/${name}`;
}

/** Such a test leaves nothing in /opt. */
function proofTest(name: string, run: (machine: Machine, probe: Probe) => Promise<void>): void {
  kernelTest(name, async (machine) => {
    const probe = await machine.probe();
    try {
      await run(machine, probe);
      await probe.stop();
    } finally {
      await Deno.remove(`/opt/${machine.sandbox.name}`, { recursive: true }).catch(() => {});
    }
  });
}

function assertDoubt(process: SeenProcess | undefined, doubt: string, shownPath: string): void {
  assert.deepEqual(process?.exe, { kind: "unverified", shownPath, doubt });
}

proofTest("an installed program is verified, whoever runs it", async (machine) => {
  const seen = await curl(machine, ["/usr/bin/curl", "-s", URL], NOBODY);
  assert.deepEqual(seen.process?.exe, { kind: "verified", path: "/usr/bin/curl" });
  assert.equal(seen.process.commandLine, `/usr/bin/curl -s ${URL}`);
  assert.equal(seen.process.check, "same");
});

proofTest(
  "a program is verified by what it is, not by its name or its first argument",
  async (machine) => {
    const seen = await machine.python<Told>(`
with open("/proc/self/comm", "w") as comm:
    comm.write("curl")
tell(connected())
`);
    assert.deepEqual(seen.seen.process?.exe, {
      kind: "verified",
      path: await Deno.realPath(PYTHON),
    });
    const shown = await curl(
      machine,
      ["bash", "-c", `exec -a /usr/sbin/waagent /usr/bin/curl -s ${URL}`],
    );
    assert.deepEqual(shown.process?.exe, { kind: "verified", path: "/usr/bin/curl" });
  },
);

proofTest("a copy in a folder that everybody may write is doubted", async (machine) => {
  const path = await copyOf(machine, "/usr/bin/curl", "curl");
  await Deno.chmod(`/opt/${machine.sandbox.name}`, 0o1777);
  const seen = await curl(machine, [path, "-s", URL], NOBODY);
  assertDoubt(seen.process, "file-writable-by-others", path);
});

proofTest(
  "a file that its group may write is doubted, and so is one of another owner",
  async (machine) => {
    const path = await copyOf(machine, "/usr/bin/curl", "curl");
    assert.equal((await curl(machine, [path, "-s", URL])).process?.exe.kind, "verified");
    const group = await copyOf(machine, "/usr/bin/curl", "group");
    await Deno.chmod(group, 0o775);
    assertDoubt(
      (await curl(machine, [group, "-s", URL])).process,
      "file-writable-by-others",
      group,
    );
    const owned = await copyOf(machine, "/usr/bin/curl", "owned");
    await Deno.chown(owned, 65534, 0);
    assertDoubt(
      (await curl(machine, [owned, "-s", URL])).process,
      "file-writable-by-others",
      owned,
    );
  },
);

proofTest(
  "a fake that is mounted over an installed program in an own namespace is doubted",
  async (machine) => {
    const fake = `${machine.sandbox.folder}/fake`;
    await Deno.copyFile(await Deno.realPath(PYTHON), fake);
    await Deno.chmod(fake, 0o755);
    const code =
      "import urllib.request as r; print(r.urlopen('http://169.254.169.254/').read().decode())";
    const { code: exit, stdout, stderr } = await machine.sandbox.run(
      [
        ...["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"],
        `mount --bind ${fake} /usr/bin/curl && exec /usr/bin/curl -c "$1"`,
        ...["sh", code],
      ],
      { ...NOBODY, env: { PYTHONHOME: "/usr" } },
    );
    assert.equal(exit, 0, stderr);
    assertDoubt(JSON.parse(stdout).process, "foreign-namespace", "/usr/bin/curl");
  },
);

proofTest("an installed program in a foreign mount namespace is doubted", async (machine) => {
  const seen = await curl(machine, ["unshare", "--mount", "/usr/bin/curl", "-s", URL]);
  assertDoubt(seen.process, "foreign-namespace", "/usr/bin/curl");
});

proofTest("an installed program in a foreign user namespace is doubted", async (machine) => {
  const seen = await curl(machine, ["unshare", "--user", "/usr/bin/curl", "-s", URL], NOBODY);
  assertDoubt(seen.process, "foreign-namespace", "/usr/bin/curl");
});

proofTest("a program that was deleted while it ran is doubted", async (machine) => {
  const python = await copyOf(machine, PYTHON, "python");
  const told = await machine.sandbox.run([
    python,
    "-c",
    `import os, urllib.request as r; os.unlink("${python}"); print(r.urlopen("${URL}").read().decode())`,
  ], { env: { PYTHONHOME: "/usr" } });
  assert.equal(told.code, 0, told.stderr);
  assertDoubt(JSON.parse(told.stdout).process, "path-not-resolvable", `${python} (deleted)`);
});

proofTest("a program whose path leads to another file by now is doubted", async (machine) => {
  const path = await copyOf(machine, PYTHON, "covered");
  const told = await machine.sandbox.run([
    path,
    "-c",
    `import os, urllib.request as r
assert os.system("mount --bind /usr/bin/curl ${path}") == 0
try:
    print(r.urlopen("${URL}").read().decode())
finally:
    os.system("umount ${path}")`,
  ], { env: { PYTHONHOME: "/usr" } });
  assert.equal(told.code, 0, told.stderr);
  assertDoubt(JSON.parse(told.stdout).process, "path-other-file", path);
});

proofTest("a program whose path is no text is doubted", async (machine) => {
  const path = await copyOf(machine, "/usr/bin/curl", "curl");
  const { code, stdout, stderr } = await machine.sandbox.run([
    "sh",
    "-c",
    `odd=$(printf '/opt/${machine.sandbox.name}/\\377curl'); cp ${path} "$odd"; exec "$odd" -s ${URL}`,
  ]);
  assert.equal(code, 0, stderr);
  const { exe } = JSON.parse(stdout).process;
  assert.deepEqual([exe.kind, exe.doubt], ["unverified", "path-not-utf8"]);
  assert.ok(exe.pathHex?.includes("ff"), exe.pathHex);
});

proofTest("a process that executes another file after connect() is doubted", async (machine) => {
  const told = await machine.python<Seen>(`
s = connected()
s.settimeout(None)
s.set_inheritable(True)
code = """
import socket, sys
s, data = socket.socket(fileno=int(sys.argv[1])), b''
s.sendall(b'GET / HTTP/1.0\\\\r\\\\n\\\\r\\\\n')
while more := s.recv(65536):
    data += more
print(data.split(b'\\\\r\\\\n\\\\r\\\\n')[1].decode())
"""
copy = "/opt/${machine.sandbox.name}"
os.mkdir(copy)
import shutil
shutil.copy("${PYTHON}", copy + "/python")
os.environ["PYTHONHOME"] = "/usr"
os.execv(copy + "/python", ["python", "-c", code, str(s.fileno())])
`);
  assertDoubt(
    told.process,
    "executable-changed",
    `/opt/${machine.sandbox.name}/python`,
  );
  assert.equal(told.process?.check, "changed");
});

proofTest(
  "check() says that a process of a kept-alive connection is the same, changed or gone",
  async (machine, probe) => {
    const caller = machine.caller(`
s = connected()
s.set_inheritable(True)
tell(s)
wait()
code = "import sys; print('1', flush=True); sys.stdin.readline()"
os.environ["PYTHONHOME"] = "/usr"
import shutil
os.mkdir("/opt/${machine.sandbox.name}")
shutil.copy("${PYTHON}", "/opt/${machine.sandbox.name}/python")
os.execv("/opt/${machine.sandbox.name}/python", ["python", "-c", code])
`);
    const { me } = await caller.says<Told>();
    const check = () => probe.order({ do: "check", cookie: me.cookie });
    assert.equal(await check(), "same");
    await caller.hears();
    assert.equal(await caller.line(), "1");
    assert.equal(await check(), "changed");
    Deno.kill(me.pid, "SIGKILL");
    await caller.ended();
    await eventually("the process is gone", async () => await check() === "gone");
  },
);

proofTest("a process that is gone before anybody looks is doubted", async (machine, probe) => {
  const { me } = await machine.python<Told>("tell(connected())");
  const process = await probe.order<SeenProcess>({ do: "process", cookie: me.cookie });
  assertDoubt(process, "process-gone", "");
  assert.equal(process.check, "gone");
  assert.equal(process.commandLine, "undefined");
});

proofTest(
  "a proof serves later connections of the process, until the file's rights change and a minute is over",
  async (machine, probe) => {
    const caller = machine.caller("for _ in range(3):\n    tell(connected())\n    wait()");
    const first = await caller.says<Told>();
    const descriptors = await probe.order<number>({ do: "descriptors" });
    await caller.hears();
    const second = await caller.says<Told>();
    assert.deepEqual(second.seen.process, first.seen.process);
    // One reference to the process serves all its connections.
    assert.ok(await probe.order<number>({ do: "descriptors" }) <= descriptors + 1);
    await caller.ended();
  },
);

kernelTest(
  "without task reads every executable is doubted, and the rest of the record holds",
  async (machine) => {
    const probe = await machine.probe({ fullObject: `${machine.objects}/redirector_no_task.o` });
    const { me, seen } = await machine.python<Told>("tell(connected())");
    assert.equal(seen.record?.process.tgid, me.pid);
    assert.deepEqual(seen.record.exe, { device: "0", inode: "0" });
    assert.equal(seen.record.process.startedAtBootNs, "0");
    assertDoubt(seen.process, "no-kernel-facts", await Deno.realPath(PYTHON));
    assert.equal(seen.process?.check, "same");
    await probe.stop();
  },
);
