import type { HostChannel } from "../../src/agent/host/mod.ts";
import type { LatchedKey } from "../../src/domain/endorsement/mod.ts";
import {
  type DecodedBody,
  type KeyDocument,
  type KeyStatus,
  parseKeyGrant,
  parseKeyStatus,
} from "../../src/domain/wire/mod.ts";
import { AgentError } from "../../src/runtime/errors.ts";

/** A host that answers as the test says, without a connection. */
export class FakeHostChannel implements HostChannel {
  /** What was asked, in order: `status`, `acquire`, `attest {guid}`. */
  readonly calls: string[] = [];
  /** The status document, as JSON members; an error is thrown instead. */
  status: Record<string, unknown> | AgentError = statusV1("WireserverAndImds", null);
  /** Guids of the keys that are handed out, one after the other, the last one for ever; an error is thrown instead. */
  grants: string[] | AgentError = [guid(1)];
  /** What attesting does: succeed, or throw. */
  attesting: AgentError | null = null;
  /** Key text of every key. */
  keyHex = "AB".repeat(32);
  /** While set, a status question is not answered until its signal fires or `release` is called. */
  hangs = false;
  release: () => void = () => {};

  async keyStatus(signal: AbortSignal): Promise<KeyStatus> {
    this.calls.push("status");
    if (this.hangs) {
      await new Promise<void>((resolve) => {
        this.release = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      if (signal.aborted) throw new AgentError("HOST_TIMEOUT", "given up");
    }
    if (this.status instanceof AgentError) throw this.status;
    const parsed = parseKeyStatus(JSON.stringify(this.status));
    if (!parsed.ok) throw new AgentError("HOST_DOCUMENT", parsed.error.message);
    return parsed.value;
  }

  acquireKey(): Promise<KeyDocument> {
    this.calls.push("acquire");
    if (this.grants instanceof AgentError) return Promise.reject(this.grants);
    const next = this.grants.length > 1 ? this.grants.shift()! : this.grants[0]!;
    const parsed = parseKeyGrant(keyText(next, this.keyHex));
    if (!parsed.ok) throw new Error(parsed.error.message);
    return Promise.resolve(parsed.value);
  }

  attestKey(key: LatchedKey): Promise<void> {
    this.calls.push(`attest ${key.guid}`);
    return this.attesting === null ? Promise.resolve() : Promise.reject(this.attesting);
  }

  goalState(): Promise<DecodedBody> {
    return Promise.reject(new Error("not played"));
  }
  sharedConfig(): Promise<DecodedBody> {
    return Promise.reject(new Error("not played"));
  }
  instance(): Promise<DecodedBody> {
    return Promise.reject(new Error("not played"));
  }
  sendTelemetry(): Promise<void> {
    return Promise.reject(new Error("not played"));
  }
}

/** A guid that shows its number. */
export function guid(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
}

/** A key file, or a key as the host hands it out. */
export function keyText(id: string, keyHex = "AB".repeat(32)): string {
  return JSON.stringify({
    authorizationScheme: "Azure-HMAC-SHA256",
    guid: id,
    incarnationId: 7,
    issued: "2026-01-06T07:08:09Z",
    key: keyHex,
  });
}

/** A status document of version 1.0. */
export function statusV1(state: string, keyGuid: string | null): Record<string, unknown> {
  return {
    authorizationScheme: "Azure-HMAC-SHA256",
    keyDeliveryMethod: "http",
    keyGuid,
    requiredClaimsHeaderPairs: ["isRoot"],
    secureChannelState: state,
    version: "1.0",
  };
}

/** A status document of version 2.0 with these modes. */
export function statusV2(
  wireserver: string,
  imds: string,
  keyGuid: string | null,
): Record<string, unknown> {
  return {
    authorizationScheme: "Azure-HMAC-SHA256",
    keyDeliveryMethod: "http",
    keyGuid,
    secureChannelEnabled: true,
    version: "2.0",
    authorizationRules: {
      wireserver: { defaultAccess: "allow", mode: wireserver, id: "ws-1" },
      imds: { defaultAccess: "allow", mode: imds, id: "imds-1" },
    },
  };
}
