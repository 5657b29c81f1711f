import assert from "node:assert/strict";
import { StructBuffer } from "../../../../ffi/struct.ts";
import {
  addressAt,
  decodeRecord,
  isNumberedSource,
  putAddress,
  RECORD,
  sourceCarriesCookie,
} from "../../../../src/platform/linux/record_layout.ts";

Deno.test("putAddress() writes a dotted quad at its offset, and addressAt() reads it", () => {
  for (const address of ["0.0.0.0", "127.128.3.4", "169.254.169.254", "255.255.255.255"]) {
    const bytes = new Uint8Array(8);
    assert.equal(putAddress(bytes, 2, address), true);
    assert.deepEqual([...bytes.subarray(2, 6)], address.split(".").map(Number));
    assert.deepEqual([bytes[0], bytes[1], bytes[6], bytes[7]], [0, 0, 0, 0]);
    assert.equal(addressAt(bytes, 2), address);
  }
});

Deno.test("putAddress() refuses everything that is no dotted quad", () => {
  const wrong = [
    ...["", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3.4", "1..2.3"],
    ...["256.1.1.1", "1.1.1.999", "1.2.3.0004", "a.b.c.d", "1.2.3.x", "::1", "::ffff:1.2.3.4"],
    ...[" 1.2.3.4", "1.2.3.4 ", "-1.2.3.4", "1.2.3.4/8", "0x1.2.3.4"],
  ];
  for (const address of wrong) {
    assert.equal(putAddress(new Uint8Array(4), 0, address), false, JSON.stringify(address));
  }
});

Deno.test("isNumberedSource() knows 127.128.0.0/9 and nothing else", () => {
  const numbered = (address: string) => {
    const bytes = new Uint8Array(4);
    assert.ok(putAddress(bytes, 0, address));
    return isNumberedSource(bytes, 0);
  };
  assert.equal(numbered("127.128.0.0"), true);
  assert.equal(numbered("127.255.255.255"), true);
  for (
    const other of ["127.127.255.255", "127.0.0.1", "126.200.0.1", "128.128.0.0", "10.200.1.1"]
  ) {
    assert.equal(numbered(other), false, other);
  }
});

Deno.test("sourceCarriesCookie() compares the low 23 bits", () => {
  const carries = (address: string, cookie: bigint) => {
    const buffer = new StructBuffer(4);
    assert.ok(putAddress(buffer.bytes, 0, address));
    return sourceCarriesCookie(buffer, 0, cookie);
  };
  assert.equal(carries("127.128.0.5", 5n), true);
  assert.equal(carries("127.128.0.5", 6n), false);
  assert.equal(carries("127.255.255.254", 0x7ffffen), true);
  assert.equal(carries("127.128.0.5", 0x123_4500_0000_0005n), true);
  assert.equal(carries("127.128.0.5", 0x800005n), true);
  assert.equal(carries("127.129.0.5", 0x10005n), true);
  assert.equal(carries("127.129.0.5", 5n), false);
});

Deno.test("decodeRecord() reads every field from its own place", () => {
  const value = new StructBuffer(RECORD.bytes);
  value.setU64(RECORD.cookie, 0x1_0000_0001n);
  value.setU64(RECORD.netns, 2n);
  value.setU64(RECORD.connected_at, 3n);
  value.setU64(RECORD.process_started_at, 4n);
  value.setU64(RECORD.cgroup_id, 5n);
  value.setU64(RECORD.exe_inode, 6n);
  value.setU32(RECORD.exe_device, 0xfe00007);
  value.setU32(RECORD.uid, 4_294_967_294);
  value.setU32(RECORD.gid, 9);
  value.setU32(RECORD.tgid, 10);
  assert.ok(putAddress(value.bytes, RECORD.destination_addr, "168.63.129.16"));
  value.setU16(RECORD.destination_port, 32_526);
  value.setU16(RECORD.kind, 1);
  value.bytes.set(new TextEncoder().encode("fifteen letters"), RECORD.comm);
  assert.deepEqual(decodeRecord(value, "127.128.0.1", 40_000), {
    cookie: 0x1_0000_0001n,
    source: { address: "127.128.0.1", port: 40_000 },
    netns: 2n,
    destination: { address: "168.63.129.16", port: 32_526 },
    uid: 4_294_967_294,
    gid: 9,
    process: { tgid: 10, startedAtBootNs: 4n },
    comm: "fifteen letters",
    exe: { device: 0xfe00007n, inode: 6n },
    cgroupId: 5n,
    connectedAtBootNs: 3n,
  });
});
