import assert from "node:assert/strict";
import {
  canonicalize,
  classifyAuthority,
  namesOtherDestination,
} from "../../../../src/domain/canonical/mod.ts";

const ENDPOINTS: readonly (readonly [authority: string, kind: string])[] = [
  ["169.254.169.254", "imds"],
  ["169.254.169.254:80", "imds"],
  ["169.254.169.254:00080", "imds"],
  ["169.254.169.254..:80", "imds"],
  ["2852039166", "imds"],
  ["0xa9fea9fe.", "imds"],
  ["[::ffff:169.254.169.254]", "imds"],
  ["[::FFFF:a9fe:A9FE]:80", "imds"],
  ["168.63.129.16", "wireserver"],
  ["0250.077.0201.020", "wireserver"],
  ["168.63.129.16:32526", "hostga"],
  ["[::ffff:a83f:8110]:32526", "hostga"],
];

Deno.test("classifyAuthority() knows the endpoints in all spellings", () => {
  for (const [authority, kind] of ENDPOINTS) {
    assert.deepEqual(classifyAuthority(authority), { ok: true, value: { kind } }, authority);
  }
});

const UNKNOWN: readonly (readonly [string, string, string | null, number, string | null])[] = [
  ["169.254.169.254:8080", "v4", "169.254.169.254", 8080, null],
  ["168.63.129.16:0", "v4", "168.63.129.16", 0, null],
  ["169.254.169.254:32526", "v4", "169.254.169.254", 32526, null],
  ["127.0.0.1:3080", "v4", "127.0.0.1", 3080, null],
  ["127.1:65535", "v4", "127.0.0.1", 65535, null],
  ["[::1]", "v6", "0:0:0:0:0:0:0:1", 80, null],
  ["[::169.254.169.254]", "v6", "0:0:0:0:0:0:a9fe:a9fe", 80, null],
  ["Metadata.azure.internal..", "name", null, 80, "Metadata.azure.internal"],
  ["a-b:81", "name", null, 81, "a-b"],
  ["h0st", "name", null, 80, "h0st"],
  ["-0-", "name", null, 80, "-0-"],
  ["-.x-", "name", null, 80, "-.x-"],
  ["cafe-1", "name", null, 80, "cafe-1"],
];

Deno.test("classifyAuthority() describes what it does not know", () => {
  for (const [authority, family, ip, port, hostText] of UNKNOWN) {
    const value = { kind: "unknown", family, ip, port, hostText };
    assert.deepEqual(classifyAuthority(authority), { ok: true, value }, authority);
  }
});

const REFUSED: readonly (readonly [authority: string, code: string])[] = [
  ["user@169.254.169.254", "CANON_USERINFO"],
  ["169.254.169.254:80@evil.com:x", "CANON_USERINFO"],
  ["@", "CANON_USERINFO"],
  ["169.254.169.254:", "CANON_PORT"],
  ["169.254.169.254:+80", "CANON_PORT"],
  ["169.254.169.254:-1", "CANON_PORT"],
  ["169.254.169.254:8 0", "CANON_PORT"],
  ["169.254.169.254:65536", "CANON_PORT"],
  ["foo_bar:99999", "CANON_PORT"],
  ["h:0x50", "CANON_PORT"],
  [`h:${"9".repeat(400)}`, "CANON_PORT"],
  ["[::1]:", "CANON_PORT"],
  ["[::1]:+80", "CANON_PORT"],
  ["[::1]x", "CANON_PORT"],
  ["[::1]x:80", "CANON_PORT"],
  ["[::1]80", "CANON_PORT"],
  [":x", "CANON_PORT"],
  ["[::g]x", "CANON_HOST"],
  ["[::1]]", "CANON_HOST"],
  ["[::1", "CANON_HOST"],
  ["[::1:80", "CANON_HOST"],
  ["a[::1]", "CANON_HOST"],
  ["a]", "CANON_HOST"],
  ["[1.2.3.4]", "CANON_HOST"],
  ["[]", "CANON_HOST"],
  ["[", "CANON_HOST"],
  ["[fe80::1%25eth0]", "CANON_HOST"],
  ["", "CANON_HOST"],
  [":80", "CANON_HOST"],
  ["...", "CANON_HOST"],
  ["--", "CANON_HOST"],
  ["-.-", "CANON_HOST"],
  ["foo_bar", "CANON_HOST"],
  ["a b", "CANON_HOST"],
  ["é", "CANON_HOST"],
  ["a%41", "CANON_HOST"],
  ["cafe", "CANON_HOST"],
  ["abc.de", "CANON_HOST"],
  ["999.999.999.999", "CANON_HOST"],
  ["1.2.3.4.5", "CANON_HOST"],
  ["a..b", "CANON_HOST"],
  ["::1", "CANON_HOST"],
];

for (const [authority, error] of REFUSED) {
  Deno.test(`classifyAuthority() refuses ${authority.slice(0, 40)} with ${error}`, () => {
    assert.deepEqual(classifyAuthority(authority), { ok: false, error });
  });
}

Deno.test("classifyAuthority() takes no authority for the usual case", () => {
  const value = { kind: "unknown", family: "name", ip: null, port: 0, hostText: null };
  assert.deepEqual(classifyAuthority(null), { ok: true, value });
});

Deno.test("namesOtherDestination() lets a target be silent or right", () => {
  const named = (target: string, endpoint: "imds" | "wireserver" | "hostga") => {
    const request = canonicalize({ method: "GET", target });
    assert.ok(request.ok);
    return namesOtherDestination(request.value.destination, endpoint);
  };
  assert.equal(named("/x", "imds"), false);
  assert.equal(named("http://169.254.169.254/x", "imds"), false);
  assert.equal(named("http://0xa83f8110:32526/x", "hostga"), false);
  assert.equal(named("http://168.63.129.16/x", "hostga"), true);
  assert.equal(named("http://169.254.169.254/x", "wireserver"), true);
  assert.equal(named("http://localhost/x", "imds"), true);
});
