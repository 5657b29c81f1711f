import type { AuditEntry } from "../../src/agent/audit/mod.ts";
import type { CallerResolver, ResolvedCaller } from "../../src/agent/caller/mod.ts";
import type { AgentSnapshot } from "../../src/agent/key_keeper/mod.ts";
import { type ExchangeObserver, Proxy, type ProxyLimits } from "../../src/agent/proxy/mod.ts";
import { FakeRedirector } from "../../src/agent/redirector/fake_redirector.ts";
import { Upstream, type UpstreamLimits } from "../../src/agent/upstream/mod.ts";
import { formatHostDate } from "../../src/domain/endorsement/mod.ts";
import type { ConnectionRecord } from "../../src/domain/identity/mod.ts";
import type { Refusal } from "../../src/domain/policy/mod.ts";
import type { HeaderField, SocketAddress } from "../../src/domain/wire/mod.ts";
import { Cell } from "../../src/runtime/cell.ts";
import { SystemClock } from "../../src/runtime/system_clock.ts";
import { MemoryLogger } from "./memory_logger.ts";
import { RawClient } from "./raw_client.ts";
import { sampleCaller, sampleKey, samplePolicy, sampleRecord } from "./sample_request.ts";
import { TcpHost } from "./tcp_host.ts";

export interface StandOptions {
  readonly limits?: Partial<ProxyLimits>;
  readonly upstream?: Partial<UpstreamLimits>;
  readonly resolver?: CallerResolver;
  readonly mode?: "audit" | "disabled" | "enforce";
  readonly hasKey?: boolean;
  /** What the audit log answers to every record: it could not be made. */
  readonly unrecorded?: Refusal;
  readonly observer?: ExchangeObserver;
  readonly onSignatureRefused?: () => void;
}

/** The date the host's clock of a stand shows. */
export const STAND_DATE = formatHostDate(Date.UTC(2026, 0, 6, 7, 8, 9));

/** A proxy on loopback between raw clients and a host that the test plays. Everybody is uid 1000 on IMDS unless told. */
export class ProxyStand implements AsyncDisposable {
  readonly host = new TcpHost();
  readonly redirector = new FakeRedirector();
  readonly logger = new MemoryLogger();
  readonly records: AuditEntry[] = [];
  readonly health: string[] = [];
  readonly snapshot: Cell<AgentSnapshot>;
  readonly proxy: Proxy;
  provisionHeaders: readonly HeaderField[] = [];
  provisionUid: number | null | undefined;
  readonly #upstream: Upstream;
  readonly #clients: RawClient[] = [];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(options: StandOptions) {
    const clock = new SystemClock();
    this.#upstream = new Upstream({ clock, limits: { sweepMs: 5, ...options.upstream } });
    this.snapshot = new Cell<AgentSnapshot>({
      channel: "wireserver",
      key: options.hasKey === false ? null : sampleKey(),
      policy: samplePolicy(options.mode),
      targets: {},
    });
    this.everybodyIs({});
    const port = this.host.port;
    this.proxy = new Proxy({
      clock,
      hostClock: { now: () => STAND_DATE },
      endpoints: {
        imds: { address: "127.0.0.1", port },
        wireserver: { address: "127.0.0.2", port },
        hostga: { address: "127.0.0.3", port },
        listener: { address: "127.0.0.1", port: 0 },
      },
      redirector: this.redirector,
      resolver: options.resolver ?? { resolve: resolveToItself },
      snapshot: this.snapshot,
      audit: {
        record: (entry) => {
          this.records.push(entry);
          return options.unrecorded ?? null;
        },
      },
      ...(options.observer === undefined ? {} : { observer: options.observer }),
      upstream: this.#upstream,
      onSignatureRefused: () => options.onSignatureRefused?.(),
      localEndpoints: {
        provision: (headers, uid) => {
          this.provisionHeaders = headers;
          this.provisionUid = uid;
          return { finished: true, errorMessage: "" };
        },
        aggregatedStatus: () => `{"status":"here"}`,
      },
      logger: this.logger,
      random: () => 0,
      limits: { sweepMs: 5, ...options.limits },
    });
    this.#running = this.proxy.run(this.#stop.signal, {
      report: (state, code) => void this.health.push(`${state} ${code}`),
    });
  }

  static async start(options: StandOptions = {}): Promise<ProxyStand> {
    const stand = new ProxyStand(options);
    await until(() => stand.proxy.address !== null);
    return stand;
  }

  get address(): SocketAddress {
    return this.proxy.address!;
  }

  get imds(): SocketAddress {
    return { address: "127.0.0.1", port: this.host.port };
  }
  get wireserver(): SocketAddress {
    return { address: "127.0.0.2", port: this.host.port };
  }

  /** From now on every connection is a redirected one with this record. */
  everybodyIs(given: Partial<ConnectionRecord>): void {
    const record = sampleRecord({ destination: this.imds, ...given });
    this.redirector.knowEveryone({ kind: "redirected", record });
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.connect(this.address);
    this.#clients.push(client);
    return client;
  }

  /** Stops the proxy and waits for it. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.stop();
    this.#upstream.close();
    await this.host[Symbol.asyncDispose]();
  }
}

/** A resolver's answer that never changes. */
export function resolveToItself(record: ConnectionRecord): ResolvedCaller {
  return { caller: sampleCaller(record), check: () => "same" };
}

/** Waits, a few milliseconds at a time, for something that other tasks bring about. */
export async function until(condition: () => boolean, withinMs = 5_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error("it did not come about");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
