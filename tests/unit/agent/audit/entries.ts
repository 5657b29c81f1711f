import type { AuditEntry } from "../../../../src/agent/audit/mod.ts";
import type { Account, Caller, RedactedText } from "../../../../src/domain/identity/caller.ts";
import type { ConnectionRecord } from "../../../../src/domain/identity/connection_record.ts";

/** A kernel record; each call is another connection from another loopback address. */
export function makeRecord(overrides: Partial<ConnectionRecord> = {}): ConnectionRecord {
  const cookie = nextCookie();
  return {
    cookie,
    source: { address: `127.128.0.${cookie % 250n}`, port: 40_000 },
    netns: 4_026_531_840n,
    destination: { address: "169.254.169.254", port: 80 },
    uid: 1000,
    gid: 100,
    process: { tgid: 4242, startedAtBootNs: 9_007_199_254_740_993n },
    comm: "curl",
    exe: { device: (8n << 20n) | 1n, inode: 1234n },
    cgroupId: 18_446_744_073_709_551_615n,
    connectedAtBootNs: 1n,
    ...overrides,
  };
}

const nextCookie = (() => {
  let cookie = 0n;
  return () => ++cookie;
})();

/** A caller of an ordinary user. */
export function makeCaller(
  overrides: {
    readonly record?: Partial<ConnectionRecord>;
    readonly account?: Account | null;
    readonly exe?: Caller["exe"];
    readonly commandLine?: string;
    readonly elevated?: boolean;
  } = {},
): Caller {
  const account = { userName: "azureuser", groups: ["azureuser", "docker"] };
  return {
    record: makeRecord(overrides.record),
    elevated: overrides.elevated ?? false,
    account: overrides.account === undefined ? account : overrides.account,
    exe: overrides.exe ?? { kind: "verified", path: "/usr/bin/curl" },
    commandLine: (overrides.commandLine ?? "curl -s http://169.254.169.254/") as RedactedText,
  };
}

/** An allowed request to IMDS, made by `caller`. */
export function makeEntry(overrides: Partial<AuditEntry> = {}): AuditEntry {
  const caller = overrides.caller === undefined ? makeCaller() : overrides.caller;
  return {
    requestId: 1,
    method: "GET",
    target: "/metadata/instance?api-version=2021-02-01",
    client: caller?.record.source ?? { address: "127.0.0.1", port: 50_000 },
    destination: caller?.record.destination ?? null,
    endpoint: caller === null ? null : "imds",
    caller,
    decision: "allow",
    reason: null,
    mode: "enforce",
    policyEpoch: 7,
    status: 200,
    detail: "",
    signed: true,
    elapsedMs: 1.2345,
    ...overrides,
  };
}

/** A refusal by policy. */
export function makeDenial(overrides: Partial<AuditEntry> = {}): AuditEntry {
  return makeEntry({
    decision: "deny",
    reason: "not-elevated",
    status: 403,
    signed: false,
    detail: "caller is not root",
    ...overrides,
  });
}
