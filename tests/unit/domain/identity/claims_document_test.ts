import assert from "node:assert/strict";
import { claimsDocument, claimsHeader } from "../../../../src/domain/identity/mod.ts";
import { sampleCaller } from "../sample_values.ts";

const CLIENT = { address: "127.0.0.1", port: 40_000 };

Deno.test("claimsHeader() is byte-exact", () => {
  assert.equal(claimsHeader(true), '{ "isRoot": "true"}');
  assert.equal(claimsHeader(true).length, 19);
  assert.equal(claimsHeader(false), '{ "isRoot": "false"}');
  assert.equal(claimsHeader(false).length, 20);
});

Deno.test("claimsDocument() lists the members in the order of the contract", () => {
  assert.equal(
    JSON.stringify(claimsDocument(sampleCaller(1000), CLIENT)),
    '{"userId":1000,"userName":"svc","userGroups":["users","ops"],"processId":4711,' +
      '"processName":"curl","processFullPath":"/usr/bin/curl","processCmdLine":"curl -s",' +
      '"runAsElevated":false,"clientIp":"127.0.0.1","clientPort":40000}',
  );
});

Deno.test("claimsDocument() has the values for nobody where there is no caller, but the real client", () => {
  assert.equal(
    JSON.stringify(claimsDocument(null, CLIENT)),
    '{"userId":0,"userName":"empty","userGroups":[],"processId":0,"processName":"empty",' +
      '"processFullPath":"empty","processCmdLine":"empty","runAsElevated":false,' +
      '"clientIp":"127.0.0.1","clientPort":40000}',
  );
});

Deno.test("claimsDocument() names an unknown user undefined and shows an unproven path", () => {
  const caller = sampleCaller(0, {
    account: null,
    exe: { kind: "unverified", shownPath: "/tmp/x (deleted)", doubt: "executable-changed" },
  });
  const claims = claimsDocument(caller, CLIENT);
  assert.equal(claims.userName, "undefined");
  assert.deepEqual(claims.userGroups, []);
  assert.equal(claims.processFullPath, "/tmp/x (deleted)");
  assert.equal(claims.processName, "x (deleted)");
  assert.equal(claims.runAsElevated, true);
});

Deno.test("claimsDocument() has an empty name for an empty path", () => {
  const caller = sampleCaller(1, {
    exe: { kind: "unverified", shownPath: "", doubt: "process-gone" },
  });
  assert.equal(claimsDocument(caller, CLIENT).processName, "");
});
