import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { ErrnoError } from "../../../ffi/errno.ts";
import { Libc } from "../../../ffi/libc.ts";
import { cString, StructBuffer } from "../../../ffi/struct.ts";

/** The library stays loaded, so it is loaded outside of the tests. */
const libc = new Libc();
const PROC_MAGIC = 0x9fa0;
const NOBODY_HAS_THIS_UID = 4_294_967_294;

/** A temporary folder for the time of `play`. */
async function inFolder(play: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await play(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function failsWith(code: string | RegExp, attempted: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof ErrnoError, String(error));
    assert.match(error.code, code instanceof RegExp ? code : new RegExp(`^${code}$`));
    assert.match(error.attempted, attempted);
    return true;
  };
}

Deno.test("bootNs() is the time that the system says it is up", () => {
  const before = libc.bootNs();
  const uptime = Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
  const after = libc.bootNs();
  assert.ok(after >= before);
  assert.ok(Math.abs(Number(after) / 1e9 - uptime) < 0.5);
});

Deno.test("netnsCookie() names the namespace: the same each time", () => {
  const cookie = libc.netnsCookie();
  assert.ok(cookie > 0n);
  assert.equal(libc.netnsCookie(), cookie);
});

Deno.test("openFolder() fails with the number's name and the path", () => {
  assert.throws(() => libc.openFolder("/no/such"), failsWith("ENOENT", /\/no\/such/));
  assert.throws(() => libc.openFolderForReading("/no/such"), failsWith("ENOENT", /\/no\/such/));
  assert.throws(() => libc.openFolder("/proc/self/stat"), failsWith("ENOTDIR", /stat/));
});

Deno.test("statAt() says what the system says of a file, links followed", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(`${path}/file`, "x", { mode: 0o640 });
    await Deno.symlink("file", `${path}/link`);
    using folder = libc.openFolder(path);
    const expected = await Deno.stat(`${path}/file`);
    for (const name of ["file", "link"]) {
      assert.deepEqual(libc.statAt(folder, cString(name)), {
        device: BigInt(expected.dev),
        inode: BigInt(expected.ino ?? 0),
        mode: expected.mode,
        uid: expected.uid,
      });
    }
    assert.equal(libc.statAt(folder, cString("none")), 2);
  }));

Deno.test("isFileAt() compares device and inode", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(`${path}/file`, "x");
    using folder = libc.openFolder(path);
    const status = libc.statAt(folder, cString("file"));
    assert.ok(typeof status !== "number");
    const { device, inode } = status;
    assert.equal(libc.isFileAt(folder, cString("file"), { device, inode }), true);
    assert.equal(libc.isFileAt(folder, cString("file"), { device, inode: inode + 1n }), false);
    assert.equal(libc.isFileAt(folder, cString("file"), { device: device + 1n, inode }), false);
    assert.equal(libc.isFileAt(folder, cString("none"), { device, inode }), 2);
  }));

Deno.test("readAt() reads as much as fits, readLinkAt() reads a link's own text", () =>
  inFolder(async (path) => {
    await Deno.writeTextFile(`${path}/file`, "content");
    await Deno.symlink("somewhere/else", `${path}/link`);
    using folder = libc.openFolder(path);
    const text = (bytes: Uint8Array | number) =>
      typeof bytes === "number" ? bytes : new TextDecoder().decode(bytes);
    assert.equal(text(libc.readAt(folder, cString("file"), new Uint8Array(100))), "content");
    assert.equal(text(libc.readAt(folder, cString("file"), new Uint8Array(3))), "con");
    assert.equal(text(libc.readAt(folder, cString("none"), new Uint8Array(3))), 2);
    assert.equal(text(libc.readAt(folder, cString("."), new Uint8Array(3))), 21);
    assert.equal(
      text(libc.readLinkAt(folder, cString("link"), new Uint8Array(100))),
      "somewhere/else",
    );
    assert.equal(text(libc.readLinkAt(folder, cString("file"), new Uint8Array(9))), 22);
  }));

Deno.test("duplicate() gives a descriptor of its own of the same file", () => {
  using folder = libc.openFolder("/");
  const copy = libc.duplicate(folder.number);
  assert.notEqual(copy.number, folder.number);
  assert.deepEqual(libc.statAt(copy, cString("proc")), libc.statAt(folder, cString("proc")));
  copy[Symbol.dispose]();
  assert.throws(() => libc.duplicate(9_999_999), failsWith("EBADF", /duplicate/));
});

Deno.test("mount() and unmount() fail with a name, whoever tries", () =>
  inFolder((folder) => {
    assert.throws(() => libc.mount("nosuchfs", folder, ""), failsWith(/EPERM|ENODEV/, /nosuchfs/));
    assert.throws(() => libc.unmount(folder), failsWith(/EPERM|EINVAL/, /unmount/));
  }));

Deno.test("fileSystemType() knows the file system by its number", () => {
  assert.equal(libc.fileSystemType("/proc"), PROC_MAGIC);
  assert.notEqual(libc.fileSystemType("/"), PROC_MAGIC);
  assert.throws(() => libc.fileSystemType("/no/such"), failsWith("ENOENT", /\/no\/such/));
});

Deno.test("raiseDescriptorLimit() never lowers, and goes as far as it may", () => {
  const now = libc.raiseDescriptorLimit(1);
  assert.ok(now > 1);
  const most = libc.raiseDescriptorLimit(2 ** 40);
  assert.ok(most >= now);
  assert.equal(libc.raiseDescriptorLimit(1), most);
});

Deno.test("sendUnixDatagram() delivers one datagram to a path and to an abstract name", () =>
  inFolder((path) => {
    const encoder = new TextEncoder();
    for (const name of [encoder.encode(`${path}/socket\0`), encoder.encode(`\0${path}`)]) {
      using receiver = new Receiver(name);
      libc.sendUnixDatagram(name, "READY=1");
      assert.equal(receiver.receive(), "READY=1");
    }
  }));

Deno.test("sendUnixDatagram() fails with a name where nobody listens or the name is too long", () => {
  const name = (text: string) => new TextEncoder().encode(text);
  assert.throws(() => libc.sendUnixDatagram(name("/no/such\0"), "x"), failsWith("ENOENT", /Unix/));
  assert.throws(
    () => libc.sendUnixDatagram(name("x".repeat(109)), "x"),
    failsWith("ENAMETOOLONG", /Unix/),
  );
});

Deno.test("sendUdpDatagram() delivers an empty datagram", async () => {
  const receiver = createSocket("udp4");
  const { promise: arrived, resolve } = Promise.withResolvers<[number, number]>();
  receiver.on("message", (data, { port }) => resolve([data.length, port]));
  await new Promise<void>((bound) => receiver.bind(0, "127.0.0.1", () => bound()));
  try {
    libc.sendUdpDatagram(Uint8Array.of(127, 0, 0, 1), receiver.address().port);
    const [length, port] = await arrived;
    assert.equal(length, 0);
    assert.notEqual(port, 0);
  } finally {
    receiver.close();
  }
});

Deno.test("sendUdpDatagram() fails with a name, and names the address", () => {
  assert.throws(
    () => libc.sendUdpDatagram(Uint8Array.of(127, 128, 0, 1), 0),
    failsWith("EINVAL", /^send to `127\.128\.0\.1`$/),
  );
});

Deno.test("userById() knows root, and null is nobody", async () => {
  assert.deepEqual(await libc.userById(0), { name: "root", gid: 0 });
  assert.equal(await libc.userById(NOBODY_HAS_THIS_UID), null);
});

Deno.test("groupById() and groupIds() know root's group", async () => {
  assert.equal(await libc.groupById(0), "root");
  assert.equal(await libc.groupById(NOBODY_HAS_THIS_UID), null);
  const groups = await libc.groupIds("root", 0);
  assert.equal(groups[0], 0);
  assert.deepEqual(await libc.groupIds("no such user", 4711), [4711]);
});

Deno.test("many look-ups at once keep their answers apart", async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => libc.userById(index % 2 ? 0 : NOBODY_HAS_THIS_UID)),
  );
  answers.forEach((answer, index) => assert.equal(answer?.name, index % 2 ? "root" : undefined));
});

/** A Unix datagram socket to receive with: Deno has none that is stable. */
class Receiver {
  readonly #library = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
  readonly #fd: number;

  constructor(name: Uint8Array) {
    this.#fd = this.#library.symbols.socket(1, 2, 0);
    const address = new StructBuffer(110);
    address.setU16(0, 1);
    address.bytes.set(name, 2);
    assert.equal(this.#library.symbols.bind(this.#fd, address.bytes, 2 + name.length), 0);
  }

  receive(): string {
    const text = new Uint8Array(100);
    const size = Number(this.#library.symbols.recv(this.#fd, text, 100n, 0x40));
    return new TextDecoder().decode(text.subarray(0, Math.max(0, size)));
  }

  [Symbol.dispose](): void {
    this.#library.symbols.close(this.#fd);
    this.#library.close();
  }
}

Deno.test("fileSystemSpace() tells room and files, and that /proc has none", () => {
  const space = libc.fileSystemSpace("/");
  assert.ok(space.totalBytes > 0 && space.freeBytes <= space.totalBytes);
  assert.ok(space.freeFiles <= space.totalFiles);
  assert.equal(libc.fileSystemSpace("/proc").totalBytes, 0);
  assert.throws(() => libc.fileSystemSpace("/no/such"), /look at `\/no\/such`: ENOENT/);
});

Deno.test("clockDiscipline() reads the clock's state and sets nothing", () => {
  const { isSynchronised, maxErrorMs } = libc.clockDiscipline();
  assert.equal(typeof isSynchronised, "boolean");
  assert.ok(maxErrorMs >= 0);
});

Deno.test("deviceClockMs() fails for what is no clock with the path", () => {
  assert.throws(() => libc.deviceClockMs("/no/such"), /open `\/no\/such`: ENOENT/);
  assert.throws(() => libc.deviceClockMs("/dev/null"), /read the clock `\/dev\/null`: E/);
});

Deno.test("dialOnce() begins a connection in both forms, closes it, and tells the source", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const mapped of [false, true]) {
    const dialled = libc.dialOnce([127, 0, 0, 1], listener.addr.port, mapped);
    assert.deepEqual({ errno: dialled.errno, localAddress: dialled.localAddress }, {
      errno: 0,
      localAddress: "127.0.0.1",
    });
    using connection = await listener.accept();
    assert.equal(await connection.read(new Uint8Array(1)), null, "nothing was sent");
  }
  const nowhere = libc.dialOnce([255, 255, 255, 255], 80, false);
  assert.ok(nowhere.errno > 0);
});
