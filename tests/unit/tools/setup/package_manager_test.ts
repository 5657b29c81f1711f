import assert from "node:assert/strict";
import {
  choosePackages,
  diagnose,
  nothingOnOffer,
  parseCandidates,
} from "../../../../tools/setup/package_manager.ts";

const POLICY = `clang:
  Installed: (none)
  Candidate: 1:14.0-55.7~deb12u1
  Version table:
     1:14.0-55.7~deb12u1 500
wrk:
  Installed: (none)
  Candidate: (none)
  Version table:
`;

Deno.test("parseCandidates() takes the packages that can be installed", () => {
  assert.deepEqual(parseCandidates(POLICY), new Set(["clang"]));
  assert.deepEqual(parseCandidates(""), new Set());
});

Deno.test("choosePackages() takes the first alternative on offer and names what nobody offers", () => {
  assert.deepEqual(
    choosePackages(
      [["clang"], ["bpftool", "linux-tools-generic"], ["wrk"], ["clang"]],
      new Set(["clang", "linux-tools-generic"]),
    ),
    { packages: ["clang", "linux-tools-generic"], unknown: ["wrk"] },
  );
});

Deno.test("diagnose() gives each kind of failure its remedy", () => {
  const table: [string, RegExp][] = [
    ["E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)", /wait/],
    ["E: dpkg was interrupted, you must manually run 'dpkg --configure -a'", /dpkg --configure/],
    ["E: Failed to fetch http://mirror/x  Could not resolve 'mirror'", /network/],
    ["dpkg: error: No space left on device", /room/],
    ["E: Unable to locate package x", /complains/],
  ];
  for (const [tail, remedy] of table) {
    assert.match(diagnose({ timedOut: false, tail }).remedy, remedy, tail);
  }
  assert.match(diagnose({ timedOut: true, tail: "" }).reason, /in time/);
});

Deno.test("diagnose() quotes the last complaint", () => {
  const tail = "Get:1 x\nE: first\nE: second\nmore\n";
  assert.equal(diagnose({ timedOut: false, tail }).reason, "E: second");
});

Deno.test("nothingOnOffer() tells a network that is down from a source without the package", () => {
  const tail =
    "W: Failed to fetch http://mirror/InRelease  Temporary failure resolving 'mirror'\nW: Some index";
  const down = nothingOnOffer(["wrk"], { code: 0, timedOut: false, tail });
  assert.match(down.message, /could not be fetched: W: Failed to fetch/);
  const absent = nothingOnOffer(["wrk"], { code: 0, timedOut: false, tail: "Hit:1 http://mirror" });
  assert.match(absent.message, /offer no wrk/);
});
