import assert from "node:assert/strict";
import {
  dottedQuad,
  groupsText,
  parseDottedQuad,
  parseIpv6,
  parseNumericHost,
  unmapped,
} from "../../../../src/domain/canonical/host_address.ts";

const QUADS: readonly (readonly [string, number | null])[] = [
  ["0.0.0.0", 0],
  ["1.2.3.4", 0x01020304],
  ["10.20.30.109", 0x0a141e6d],
  ["255.255.255.255", 0xffffffff],
  ["169.254.169.254", 0xa9fea9fe],
  ["256.0.0.0", null],
  ["1.2.3", null],
  ["1.2.3.4.5", null],
  ["01.2.3.4", null],
  ["1.2.3.", null],
  ["1.2..3", null],
  ["1.2.3.4 ", null],
  ["+1.2.3.4", null],
  ["1.2.3.0x4", null],
  ["1000.2.3.4", null],
  ["", null],
];

Deno.test("parseDottedQuad() reads the strict form alone", () => {
  for (const [text, bits] of QUADS) assert.equal(parseDottedQuad(text), bits, text);
});

const NUMBERS: readonly (readonly [string, number | null])[] = [
  ["0", 0],
  ["00", 0],
  ["4294967295", 0xffffffff],
  ["4294967296", null],
  ["0xffffffff", 0xffffffff],
  ["0XA9fea9FE", 0xa9fea9fe],
  ["0x1ffffffff", null],
  ["0x0000000001", null],
  ["0x", null],
  ["xx", null],
  ["0x1g", null],
  ["037777777777", 0xffffffff],
  ["040000000000", null],
  ["00000000000000000001", 1],
  ["08", null],
  ["019", null],
  ["1.2", 0x01000002],
  ["1.16777215", 0x01ffffff],
  ["1.16777216", null],
  ["1.2.3", 0x01020003],
  ["1.2.65535", 0x0102ffff],
  ["1.2.65536", null],
  ["1.2.3.4", 0x01020304],
  ["1.2.3.255", 0x010203ff],
  ["1.2.3.256", null],
  ["255.0", 0xff000000],
  ["256.0", null],
  ["1.256.0", null],
  ["1.2.256.0", null],
  ["0xff.0377.255.0", 0xffffff00],
  ["0x100.1", null],
  ["1.2.3.4.5", null],
  ["0.0.0.0.0", null],
  ["1.2.3.4.", null],
  ["1..2", null],
  [".1", null],
  ["abc.de", null],
  ["12ab", null],
  ["-1", null],
  ["1e3", null],
];

Deno.test("parseNumericHost() reads one to four numbers of any base", () => {
  for (const [text, bits] of NUMBERS) assert.equal(parseNumericHost(text), bits, text);
});

const V6: readonly (readonly [string, string | null])[] = [
  ["::", "0:0:0:0:0:0:0:0"],
  ["::1", "0:0:0:0:0:0:0:1"],
  ["1::", "1:0:0:0:0:0:0:0"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ["00aB::CD", "ab:0:0:0:0:0:0:cd"],
  ["1:2:3::5:6:7:8", "1:2:3:0:5:6:7:8"],
  ["1:2:3:4::5:6:7:8", null],
  ["::1.2.3.4", "0:0:0:0:0:0:102:304"],
  ["::255.255.0.1", "0:0:0:0:0:0:ffff:1"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
  ["::ffff:169.254.169.254", "0:0:0:0:0:ffff:a9fe:a9fe"],
  ["1:2:3:4:5:6:7:1.2.3.4", null],
  ["1.2.3.4::", null],
  ["1:1.2.3.4::1", null],
  ["::1.2.3.4:1", null],
  ["::01.2.3.4", null],
  ["::1.2.3", null],
  ["1:2:3:4:5:6:7", null],
  ["1:2:3:4:5:6:7:8:9", null],
  ["1::2::3", null],
  [":::", null],
  [":1", null],
  ["1:", null],
  ["12345::", null],
  ["::g", null],
  ["fe80::1%eth0", null],
  ["", null],
  ["1", null],
  [`::${"0".repeat(60)}`, null],
  ["0000:0000:0000:0000:0000:ffff:255.255.255.255", "0:0:0:0:0:ffff:ffff:ffff"],
];

Deno.test("parseIpv6() reads every form of a literal", () => {
  for (const [text, expected] of V6) {
    const groups = parseIpv6(text);
    assert.equal(groups === null ? null : groupsText(groups), expected, text);
  }
});

Deno.test("unmapped() takes mapped addresses alone for IPv4", () => {
  assert.deepEqual(unmapped(parseIpv6("::ffff:a9fe:a9fe")!), { family: "v4", bits: 0xa9fea9fe });
  assert.deepEqual(unmapped(parseIpv6("::ffff:ffff:ffff")!), { family: "v4", bits: 0xffffffff });
  for (
    const text of [
      "::a9fe:a9fe",
      "::fffe:1.2.3.4",
      "1::ffff:1.2.3.4",
      "::1:ffff:1.2.3.4",
      "::ffff:0:1.2.3.4",
    ]
  ) {
    assert.equal(unmapped(parseIpv6(text)!).family, "v6", text);
  }
});

Deno.test("dottedQuad() writes what parseDottedQuad() reads", () => {
  for (const bits of [0, 1, 0x01020304, 0x7fffffff, 0x80000000, 0xa9fea9fe, 0xffffffff]) {
    assert.equal(parseDottedQuad(dottedQuad(bits)), bits);
  }
});
