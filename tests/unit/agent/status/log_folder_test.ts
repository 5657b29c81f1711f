import assert from "node:assert/strict";
import { isLogFolderEntry } from "../../../../src/agent/status/mod.ts";

Deno.test("isLogFolderEntry() knows the names that the agent gives out", () => {
  const stamp = "2026-01-06T07.08.09.123-1767683289123000000.log";
  for (const name of ["ProxyAgent.log", "ProxyAgent.Connection.log", "ProxyAgent.Events.ndjson"]) {
    assert.ok(isLogFolderEntry(name), name);
    assert.ok(isLogFolderEntry(`${name}.${stamp}`), name);
  }
  for (const name of ["status.json", "events"]) assert.ok(isLogFolderEntry(name), name);
});

Deno.test("isLogFolderEntry() knows no other name", () => {
  for (
    const name of [
      "syslog",
      "ProxyAgent",
      "ProxyAgent.Events.log",
      "ProxyAgent.Events.ndjson.old",
      "XProxyAgent.log.1.log",
    ]
  ) assert.ok(!isLogFolderEntry(name), name);
});
