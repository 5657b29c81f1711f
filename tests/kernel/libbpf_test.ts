import assert from "node:assert/strict";
import { ErrnoError } from "../../ffi/errno.ts";
import { ATTACH_TYPE, BpfLoadError, Libbpf } from "../../ffi/libbpf.ts";
import { Libc } from "../../ffi/libc.ts";
import { StructBuffer } from "../../ffi/struct.ts";
import { kernelTest, type Machine } from "./machine.ts";

const KEY_BYTES = 8;
const VALUE_BYTES = 4;

/** The libraries stay loaded, so they are loaded outside of the tests. */
const libc = new Libc();
const libbpf = new Libbpf(libc, () => {});

const image = ({ objects }: Machine) => Deno.readFileSync(`${objects}/redirector.o`);

function bytes(value: number, size: number): Uint8Array<ArrayBuffer> {
  const buffer = new StructBuffer(size);
  buffer.setU32(0, value);
  return buffer.bytes;
}

kernelTest("BpfMap sets, finds, lists and removes elements", (machine) => {
  using object = libbpf.load(image(machine), new Map());
  using map = libbpf.map(libc.duplicate(object.mapFd("targets")), "targets");
  const value = bytes(0, VALUE_BYTES);
  assert.deepEqual([...map.keys(KEY_BYTES, 10)], []);
  assert.equal(map.lookUp(bytes(1, KEY_BYTES), value), false);
  assert.equal(map.remove(bytes(1, KEY_BYTES)), false);
  for (const key of [1, 2, 3]) map.update(bytes(key, KEY_BYTES), bytes(key * 10, VALUE_BYTES));
  map.update(bytes(3, KEY_BYTES), bytes(33, VALUE_BYTES));
  assert.equal(map.lookUp(bytes(3, KEY_BYTES), value), true);
  assert.deepEqual(value, bytes(33, VALUE_BYTES));
  assert.deepEqual([...map.keys(KEY_BYTES, 10)].map((key) => key[0]).sort(), [1, 2, 3]);
  assert.equal([...map.keys(KEY_BYTES, 2)].length, 2);
  assert.equal(map.remove(bytes(3, KEY_BYTES)), true);
  assert.equal(map.lookUp(bytes(3, KEY_BYTES), value), false);
  return Promise.resolve();
});

kernelTest("BpfMap says why it takes no more", (machine) => {
  using object = libbpf.load(image(machine), new Map());
  using map = libbpf.map(libc.duplicate(object.mapFd("targets")), "targets");
  const fill = () => {
    for (let key = 0; key < 17; key++) map.update(bytes(key, KEY_BYTES), bytes(1, VALUE_BYTES));
  };
  assert.throws(fill, (error) => error instanceof ErrnoError && error.code === "E2BIG");
  return Promise.resolve();
});

kernelTest("BpfObject knows its programs and maps by name, and no others", (machine) => {
  using object = libbpf.load(image(machine), new Map());
  assert.ok(object.programFd("follow_socket") > 0);
  assert.ok(object.mapFd("records") > 0);
  const unknown = (error: unknown) => error instanceof ErrnoError && error.code === "ENOENT";
  assert.throws(() => object.programFd("records"), unknown);
  assert.throws(() => object.mapFd("follow_socket"), unknown);
  object[Symbol.dispose]();
  return Promise.resolve();
});

kernelTest(
  "load() shares the maps that it is given, and refuses those of another shape or name",
  (machine) => {
    using first = libbpf.load(image(machine), new Map());
    using targets = libbpf.map(libc.duplicate(first.mapFd("targets")), "targets");
    targets.update(bytes(7, KEY_BYTES), bytes(70, VALUE_BYTES));
    using second = libbpf.load(image(machine), new Map([["targets", targets.fd]]));
    using shared = libbpf.map(libc.duplicate(second.mapFd("targets")), "targets");
    assert.equal(shared.lookUp(bytes(7, KEY_BYTES), bytes(0, VALUE_BYTES)), true);
    for (const name of ["records", "no such map"]) {
      assert.throws(
        () => libbpf.load(image(machine), new Map([[name, targets.fd]])),
        (error) => error instanceof BpfLoadError && /map|load/.test(error.message),
      );
    }
    return Promise.resolve();
  },
);

kernelTest("links are pinned, opened, replaced and detached", async (machine) => {
  const pins = `${machine.sandbox.folder}/pins`;
  Deno.mkdirSync(pins);
  libc.mount("bpf", pins, "mode=0700");
  using object = libbpf.load(image(machine), new Map());
  using cgroup = libc.openFolderForReading(machine.sandbox.cgroup);
  const program = object.programFd("redirect_connect4");
  const attachType = ATTACH_TYPE.CGROUP_INET4_CONNECT;
  {
    using link = libbpf.link(program, cgroup, attachType, "redirect_connect4");
    const { ino } = await Deno.stat(machine.sandbox.cgroup);
    assert.equal(libbpf.linkedCgroup(link), BigInt(ino ?? 0));
    assert.equal(libbpf.open(`${pins}/link`), null);
    libbpf.pin(link, `${pins}/link`);
    assert.throws(
      () => libbpf.pin(link, `${pins}/link`),
      (error) => error instanceof ErrnoError && error.code === "EEXIST",
    );
  }
  {
    using opened = libbpf.open(`${pins}/link`);
    assert.ok(opened);
    assert.notEqual(libbpf.linkedCgroup(opened), 0n);
    libbpf.replace(opened, program, "redirect_connect4");
    libbpf.detach(opened);
    assert.equal(libbpf.linkedCgroup(opened), 0n);
    libbpf.detach(opened);
    const replace = () => libbpf.replace(opened, program, "redirect_connect4");
    assert.throws(replace, (error) => error instanceof ErrnoError && error.code === "ENOLINK");
  }
  assert.throws(
    () => libbpf.link(program, cgroup, ATTACH_TYPE.CGROUP_SOCK_OPS, "redirect_connect4"),
    (error) => error instanceof ErrnoError && error.code === "EINVAL",
  );
  libc.unmount(pins);
});
