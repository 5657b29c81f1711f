import assert from "node:assert/strict";
import { ErrnoError } from "../../../ffi/errno.ts";
import { BpfLoadError, Libbpf } from "../../../ffi/libbpf.ts";
import { Libc } from "../../../ffi/libc.ts";

/** The libraries stay loaded, so they are loaded outside of the tests. */
const libc = new Libc();
const messages: string[] = [];
const libbpf = new Libbpf(libc, (level, text) => messages.push(`${level}: ${text}`));

Deno.test("load() of something that is no object fails with number, name and libbpf's own words", () => {
  messages.length = 0;
  const image = new TextEncoder().encode("nothing of the kind, however long it goes on about it");
  assert.throws(() => libbpf.load(image, new Map()), (error) => {
    assert.ok(error instanceof BpfLoadError);
    assert.match(error.message, /^open the BPF object: LIBBPF_ERRNO__(FORMAT|LIBELF)/);
    assert.ok(error.cause instanceof ErrnoError);
    assert.match(error.log.join("\n"), /elf|ELF/);
    return true;
  });
  assert.match(messages.join("\n"), /^warn: libbpf: .*(elf|ELF)/);
});

Deno.test("load() forgets what an earlier attempt was told", () => {
  const attempt = () => {
    try {
      libbpf.load(new Uint8Array(64), new Map());
    } catch (error) {
      if (error instanceof BpfLoadError) return error.log;
    }
    throw new Error("it should have failed");
  };
  const first = attempt();
  assert.ok(first.length > 0);
  assert.equal(attempt().length, first.length);
});

Deno.test("possibleCpus() counts at least the processors that run", () => {
  assert.ok(libbpf.possibleCpus() >= navigator.hardwareConcurrency);
});

Deno.test("what is no map and no link is refused with the name of what was attempted", () => {
  using map = libbpf.map(libc.openFolder("/"), "records");
  const bytes = () => new Uint8Array(8);
  const refused = (attempted: RegExp) => (error: unknown) =>
    error instanceof ErrnoError && attempted.test(error.attempted) && error.errno > 0;
  assert.throws(() => map.lookUp(bytes(), bytes()), refused(/look up in the map `records`/));
  assert.throws(() => map.update(bytes(), bytes()), refused(/write to the map `records`/));
  assert.throws(() => map.remove(bytes()), refused(/remove from the map `records`/));
  assert.deepEqual([...map.keys(8, 10)], []);
  assert.throws(() => libbpf.linkedCgroup(map.fd), refused(/link/));
  assert.throws(() => libbpf.pin(map.fd, "/tmp/no"), refused(/pin `\/tmp\/no`/));
  assert.throws(
    () => libbpf.link(map.fd.number, map.fd, 10, "x"),
    refused(/attach the program `x`/),
  );
  assert.throws(() => libbpf.replace(map.fd, 0, "x"), refused(/replace the program `x`/));
});

Deno.test("linkInfo() and programsAt() refuse what is no link and no cgroup, programInfo() knows no program that is not there", () => {
  using folder = libc.openFolderForReading("/");
  assert.throws(() => libbpf.linkInfo(folder), /read a link's state/);
  assert.throws(
    () => libbpf.programsAt(folder, 10, "running"),
    /list the programs at the attach point 10/,
  );
  if (Deno.uid() === 0) assert.equal(libbpf.programInfo(2 ** 31), null);
  else assert.throws(() => libbpf.programInfo(2 ** 31), /open the program/);
});
