import assert from "node:assert/strict";
import type { RedactedText } from "../../../src/domain/identity/caller.ts";
import { ENDPOINTS } from "../../../src/domain/wire/endpoints.ts";
import { openPlatform } from "../../../src/platform/platform.ts";
import { AgentError } from "../../../src/runtime/errors.ts";
import { MemoryLogger } from "../../fakes/memory_logger.ts";

const OPTIONS = {
  endpoints: ENDPOINTS,
  cgroupRoot: "/no/such/cgroup",
  bpfFolder: "/no/such/folder",
  bpfObjects: { fullPath: null, fileName: "no such.o", folders: [] },
  keyFolder: "/no/such/keys",
  keptKeys: { attested: 2, issued: 2 },
  userConnectionLimit: 10,
  rootConnectionLimit: 10,
  redact: (text: string) => text as RedactedText,
  logger: new MemoryLogger(),
};

// The libraries that it loads stay loaded.
Deno.test("openPlatform() opens all parts without touching the system, for root alone", {
  sanitizeResources: false,
}, async () => {
  const opening = openPlatform(OPTIONS);
  if (Deno.uid() !== 0) {
    await assert.rejects(opening, (error) => (error as AgentError).code === "NOT_ROOT");
    return;
  }
  using platform = await opening;
  assert.equal(platform.redirector.inspect().attached, false);
  assert.ok(platform.clock.bootNs() > 0n);
  assert.ok(platform.raiseLimits() > 0);
  const account = await platform.accounts.lookUp(0);
  assert.equal(account?.userName, "root");
});
