import type { Attribution, ConnectionRecord } from "../../domain/identity/connection_record.ts";
import type { SocketAddress } from "../../domain/wire/endpoints.ts";
import type {
  ConnectionLimits,
  Redirector,
  RedirectorIdentity,
  RedirectorReport,
  TargetModes,
} from "./redirector.ts";

/** A redirector without a kernel: it knows what it is told. For tests, benches and rehearsals of a policy. */
export class FakeRedirector implements Redirector {
  readonly #known = new Map<string, Attribution>();
  #everyone: Attribution = { kind: "unattributed" };
  #isAttached = false;
  #targets: TargetModes | null = null;
  #limits: ConnectionLimits | null = null;
  #beats = 0;

  /** From now on the connection from `peer` is attributed like this. */
  know(peer: SocketAddress, attribution: Attribution): void {
    this.#known.set(keyOf(peer), attribution);
  }

  /** From now on a connection from `peer` is a redirected one; `record.source` is set to `peer`. */
  redirect(peer: SocketAddress, record: ConnectionRecord): void {
    this.know(peer, { kind: "redirected", record: { ...record, source: peer } });
  }

  /** From now on every peer that is not known by itself is attributed like this. */
  knowEveryone(attribution: Attribution): void {
    this.#everyone = attribution;
  }

  forget(peer: SocketAddress): void {
    this.#known.delete(keyOf(peer));
  }

  /** The last wanted state; `null` before the first. */
  get targets(): TargetModes | null {
    return this.#targets;
  }

  /** The last limits; `null` before the first. */
  get limits(): ConnectionLimits | null {
    return this.#limits;
  }

  get beats(): number {
    return this.#beats;
  }

  attach(_signal: AbortSignal): Promise<void> {
    this.#isAttached = true;
    return Promise.resolve();
  }

  setTargets(targets: TargetModes): void {
    this.#targets = targets;
  }

  setConnectionLimits(limits: ConnectionLimits): void {
    this.#limits = limits;
  }

  attribute(peer: SocketAddress): Attribution {
    return this.#known.get(keyOf(peer)) ?? this.#everyone;
  }

  beat(): void {
    this.#beats++;
  }

  intact(): boolean {
    return this.inspect().attached;
  }

  inspect(): RedirectorReport {
    return {
      attached: this.#isAttached,
      variant: this.#isAttached ? "full" : null,
      records: { live: this.#known.size, capacity: 65_536 },
      counters: {},
    };
  }

  identity(): RedirectorIdentity {
    return { objectSha256: null, programs: [] };
  }

  detach(): Promise<void> {
    this.#isAttached = false;
    this.#targets = null;
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.detach();
  }
}

function keyOf(peer: SocketAddress): string {
  return `${peer.address}:${peer.port}`;
}
