import { callerFacts } from "../../../../src/agent/audit/caller_facts.ts";
import type { AuditEntry } from "../../../../src/agent/audit/mod.ts";
import { recordText, repetitionText } from "../../../../src/agent/audit/record_text.ts";
import type { Caller } from "../../../../src/domain/identity/caller.ts";
import { formatHeader } from "../../../../src/runtime/log_line.ts";
import type { ByteSource } from "../../../../src/operator/policy_tools/mod.ts";
import { makeCaller, makeEntry } from "../../agent/audit/entries.ts";

/** An item that lets alice's curl read instance metadata of one version, as JSON. */
export function sampleItemJson(overrides: Record<string, unknown> = {}) {
  return {
    defaultAccess: "deny",
    mode: "enforce",
    id: "sample",
    rules: {
      privileges: [{
        name: "instance",
        path: "/metadata/instance",
        queryParameters: { "api-version": "2021-02-01" },
      }],
      roles: [{ name: "reader", privileges: ["instance"] }],
      identities: [{ name: "alice", userName: "alice", exePath: "/usr/bin/curl" }],
      roleAssignments: [{ role: "reader", identities: ["alice"] }],
    },
    ...overrides,
  };
}

/** A status document with these items. */
export function sampleStatusJson(rules: Record<string, unknown>) {
  return {
    authorizationScheme: "Azure-HMAC-SHA256",
    keyDeliveryMethod: "http",
    version: "2.0",
    secureChannelEnabled: true,
    authorizationRules: rules,
  };
}

export const START_MS = Date.UTC(2026, 6, 22);

/** A caller of a user with a proven executable. */
export function callerOf(userName: string, path = "/usr/bin/curl", elevated = false): Caller {
  return makeCaller({
    account: { userName, groups: [userName] },
    exe: { kind: "verified", path },
    elevated,
  });
}

/** A line of the log as the agent writes it, but for the seal. */
export function auditLine(overrides: Partial<AuditEntry> = {}, wallMs = START_MS): string {
  const entry = makeEntry(overrides);
  return formatHeader(wallMs, "info") +
    recordText(entry, callerFacts(entry.caller), wallMs, (text) => text);
}

/** The summary of a bucket. */
export function summaryLine(
  { caller = callerOf("alice"), path = "/metadata/instance", firstId = 1, count = 5 } = {},
  wallMs = START_MS,
): string {
  return formatHeader(wallMs, "info") + repetitionText(
    {
      method: "GET",
      path,
      ip: "169.254.169.254",
      port: 80,
      facts: callerFacts(caller),
      status: 200,
      decision: "allow",
      reason: null,
      mode: "enforce",
      endpoint: "imds",
      policyEpoch: 7,
      rules: {},
      firstId,
      count,
      fromMs: wallMs,
      toMs: wallMs,
    },
    wallMs,
    (text) => text,
  );
}

/** Bytes from memory, so many at a time. */
export function sourceOf(text: string | Uint8Array, atOnce = 7): ByteSource {
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  let at = 0;
  return {
    read(buffer) {
      if (at >= bytes.length) return Promise.resolve(null);
      const piece = bytes.subarray(at, at + Math.min(atOnce, buffer.length));
      buffer.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length);
    },
  };
}

/** Runs `body` with a folder that is gone afterwards. */
export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
