import { bodyLimitBytes } from "../../domain/canonical/mod.ts";
import {
  endorse,
  exempt,
  type Forwardable,
  type HostDate,
  type LatchedKey,
  SigningError,
} from "../../domain/endorsement/mod.ts";
import type { Caller, ConnectionRecord } from "../../domain/identity/mod.ts";
import { authorize, type Permitted, type Refusal } from "../../domain/policy/mod.ts";
import {
  CHANNEL_UNKNOWN,
  type ClientRequest,
  destinationKind,
  type EndpointMap,
  type EndpointName,
  provisionAnswerText,
} from "../../domain/wire/mod.ts";
import type { Cell } from "../../runtime/cell.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import type { Sweeper } from "../../runtime/sweeper.ts";
import type { AuditTrail } from "../audit/mod.ts";
import type { CallerResolver, ResolvedCaller } from "../caller/mod.ts";
import { type AgentSnapshot, mayGoUnsigned } from "../key_keeper/mod.ts";
import type { Redirector } from "../redirector/mod.ts";
import { StaleConnectionError, type Upstream, type UpstreamResponse } from "../upstream/mod.ts";
import { checkedStream, readWhole } from "./client_body.ts";
import type { Connections } from "./connections.ts";
import { Exchange } from "./exchange.ts";
import { isRefusal, takeIn } from "./intake.ts";
import type { ProxyLimits } from "./limits.ts";
import {
  hasMetadataHeader,
  jsonResponse,
  type LocalEndpointName,
  localEndpointOf,
  type LocalEndpoints,
} from "./local_endpoints.ts";
import { refusal, refusalResponse, RefusedError } from "./refusal.ts";
import { isRelayable, reply } from "./reply.ts";
import type { ServerTraits } from "./server_traits.ts";

/** Everything a request passes through. */
export interface PipelineParts {
  readonly clock: Clock;
  readonly hostClock: { now(): HostDate };
  readonly endpoints: EndpointMap;
  readonly redirector: Pick<Redirector, "attribute">;
  readonly resolver: CallerResolver;
  readonly snapshot: Cell<AgentSnapshot>;
  readonly audit: AuditTrail;
  readonly upstream: Pick<Upstream, "forward">;
  readonly localEndpoints: LocalEndpoints;
  readonly logger: Logger;
  readonly limits: ProxyLimits;
  readonly connections: Connections;
  readonly sweeper: Sweeper;
}

/** What the server says about a request besides the request. */
export interface RequestInfo {
  readonly remoteAddr: { readonly hostname: string; readonly port: number };
  /** Settles when the answer is out or the caller is gone. */
  readonly completed: Promise<void>;
}

/** What the server is, for all requests alike. */
export interface ServerFacts extends ServerTraits {
  /** What the server shows for the authority when a client names none. */
  readonly ownAuthority: string;
}

type Answer = Response | Promise<Response>;

/**
 * One request from its arrival to its answer, top to bottom. Nothing waits that need not: a request without a body, on a
 * connection whose caller is known, is with the host before the first promise.
 *
 * INVARIANT: exactly one record for each request, whatever the exit, and none of a refusal later than its answer.
 */
export class Pipeline {
  readonly #parts: PipelineParts;
  #requests = 0;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** Requests since the start. */
  get requests(): number {
    return this.#requests;
  }

  /** Serves one request. Never throws and never rejects. */
  handle(request: Request, info: RequestInfo, server: ServerFacts): Answer {
    const { hostname, port } = info.remoteAddr;
    const nowMs = this.#parts.clock.monotonicMs();
    const connection = this.#parts.connections.begin({ address: hostname, port }, nowMs);
    const exchange = new Exchange(++this.#requests, nowMs, connection);
    try {
      const answer = this.#takeIn(exchange, request, info, server);
      if (!(answer instanceof Promise)) return answer;
      return answer.catch((error) => this.#failed(exchange, error));
    } catch (error) {
      return this.#failed(exchange, error);
    }
  }

  /** Guards, and the path that is answered to everybody. */
  #takeIn(exchange: Exchange, request: Request, info: RequestInfo, server: ServerFacts): Answer {
    const { method, target, isLast, outcome } = takeIn(
      request,
      server.ownAuthority,
      this.#parts.limits.fields,
    );
    exchange.method = method;
    exchange.target = target;
    exchange.isLast = isLast;
    if (isRefusal(outcome)) return this.#refuse(exchange, outcome);
    const local = localEndpointOf(target);
    if (local === "provision") return this.#answerLocally(exchange, outcome, local);
    return this.#attribute(exchange, outcome, { request, info, server, local });
  }

  /** Who is at the other end. */
  #attribute(exchange: Exchange, request: ClientRequest, arrived: Arrived): Answer {
    const { local } = arrived;
    const { connection } = exchange;
    const attribution = this.#parts.redirector.attribute(connection.peer, connection.attribution);
    connection.attribution = attribution;
    if (attribution.kind === "redirected") {
      return this.#identify(exchange, request, arrived, attribution.record);
    }
    if (local !== null) {
      if (!hasMetadataHeader(request.headers)) return this.#refuse(exchange, NO_METADATA);
      // DEVIATION D-42: root may ask for the status directly; the kernel says who dialled.
      return attribution.kind === "direct" && attribution.uid === 0
        ? this.#answerLocally(exchange, request, local)
        : this.#refuse(exchange, STATUS_NEEDS_ELEVATED);
    }
    return this.#refuse(exchange, attribution.kind === "direct" ? DIRECT : UNATTRIBUTED);
  }

  /** Who that is. */
  #identify(
    exchange: Exchange,
    request: ClientRequest,
    arrived: Arrived,
    record: ConnectionRecord,
  ): Answer {
    exchange.destination = record.destination;
    const caller = this.#callerOf(exchange, record);
    return caller instanceof Promise
      ? caller.then((resolved) => this.#address(exchange, request, arrived, resolved))
      : this.#address(exchange, request, arrived, caller);
  }

  /** Where to: what was dialled decides, and nothing else. */
  #address(
    exchange: Exchange,
    request: ClientRequest,
    arrived: Arrived,
    caller: Caller | Refusal,
  ): Answer {
    if ("reason" in caller) return this.#refuse(exchange, caller);
    exchange.caller = caller;
    if (arrived.local !== null) return this.#status(exchange, request, caller);
    const kind = destinationKind(caller.record.destination, this.#parts.endpoints);
    if (kind === "unknown") return this.#refuse(exchange, UNKNOWN_DESTINATION);
    if (kind === "listener") return this.#refuse(exchange, AGENT_LISTENER);
    return this.#decide(exchange, request, arrived, caller, kind);
  }

  /** The caller of the connection: resolved with its first request, checked with each later one. */
  #callerOf(exchange: Exchange, record: ConnectionRecord): Caller | Refusal | Promise<Caller> {
    let connection = exchange.connection;
    if (connection.cookie !== null && connection.cookie !== record.cookie) {
      connection = this.#parts.connections.renew(connection, exchange.startedMs);
      exchange.connection = connection;
    }
    const known = connection.resolved;
    if (known !== null) {
      const state = known.check();
      if (state === "same") return known.caller;
      if (state === "gone") return CALLER_GONE;
    }
    connection.cookie = record.cookie;
    const keep = (resolved: ResolvedCaller): Caller => {
      connection.resolved = resolved;
      return resolved.caller;
    };
    const resolved = this.#parts.resolver.resolve(record);
    return resolved instanceof Promise ? resolved.then(keep) : keep(resolved);
  }

  /** The verdict, by one snapshot. */
  #decide(
    exchange: Exchange,
    request: ClientRequest,
    arrived: Arrived,
    caller: Caller,
    endpoint: EndpointName,
  ): Answer {
    const snapshot = this.#parts.snapshot.get();
    // Redirected by what an earlier process left in the kernel, before this one has heard the host: nothing may leave unsigned.
    if (snapshot.channel === CHANNEL_UNKNOWN) return this.#refuse(exchange, NOT_DECIDED, true);
    const { policy } = snapshot;
    const destination = caller.record.destination;
    exchange.endpoint = endpoint;
    exchange.mode = policy.endpoints[endpoint].mode;
    exchange.policyEpoch = policy.epoch;
    const limitBytes = bodyLimitBytes(request.method, request.target, endpoint);
    if (request.framing.kind === "length" && request.framing.bytes > limitBytes) {
      return this.#refuse(exchange, BODY_TOO_LARGE);
    }
    const decision = authorize({ request, endpoint, destination, caller }, policy);
    if (decision.kind === "refuse") return this.#refuse(exchange, decision.refusal);
    const { permitted } = decision;
    if (permitted.grounds.kind === "audit-only") exchange.flagged = permitted.grounds.wouldRefuse;
    if (permitted.signing === "exempt") {
      return this.#forwardExempt(exchange, permitted as Permitted<"exempt">, arrived, limitBytes);
    }
    if (snapshot.key === null && !mayGoUnsigned(snapshot, endpoint)) {
      return this.#refuse(exchange, NO_KEY, true);
    }
    const required = permitted as Permitted<"required">;
    return this.#forwardSigned(exchange, required, arrived, limitBytes, snapshot);
  }

  /** The body is read, as a whole, only for a permitted request; then it is signed. */
  #forwardSigned(
    exchange: Exchange,
    permitted: Permitted<"required">,
    arrived: Arrived,
    limitBytes: number,
    snapshot: AgentSnapshot,
  ): Answer {
    const { framing } = permitted.subject.request;
    const { key } = snapshot;
    const body = framing.kind === "none" ? null : arrived.request.body;
    if (body === null) return this.#sign(exchange, permitted, EMPTY, key, arrived);
    const bounds = { limitBytes, idleMs: this.#parts.limits.bodyIdleMs };
    return readWhole(body, framing, bounds, this.#parts.sweeper).then(
      (whole) => this.#sign(exchange, permitted, whole, key, arrived),
    );
  }

  #sign(
    exchange: Exchange,
    permitted: Permitted<"required">,
    body: Uint8Array,
    key: LatchedKey | null,
    arrived: Arrived,
  ): Answer {
    let forwardable: Forwardable;
    try {
      forwardable = endorse(permitted, body, key, this.#parts.hostClock.now());
    } catch (error) {
      if (!(error instanceof SigningError)) throw error;
      return this.#refuse(exchange, refusal(502, "signing-failed", error.message), true);
    }
    exchange.signed = forwardable.kind === "endorsed";
    return this.#forward(exchange, forwardable, arrived);
  }

  /** Diagnostics uploads go unsigned and stream through. */
  #forwardExempt(
    exchange: Exchange,
    permitted: Permitted<"exempt">,
    arrived: Arrived,
    limitBytes: number,
  ): Answer {
    const { framing } = permitted.subject.request;
    const bounds = { limitBytes, idleMs: this.#parts.limits.bodyIdleMs };
    const body = framing.kind === "none" ? null : arrived.request.body;
    const stream = body === null ? null : checkedStream(body, framing, bounds, this.#parts.sweeper);
    const forwardable = exempt(permitted, stream, this.#parts.hostClock.now());
    return this.#forward(exchange, forwardable, arrived);
  }

  #forward(exchange: Exchange, forwardable: Forwardable, arrived: Arrived): Answer {
    // Asking the server to tell when the caller leaves costs too much to do it for answers that come at once.
    const onSlow = (giveUp: () => void) => {
      const abandon = () => {
        exchange.isAbandoned = true;
        giveUp();
      };
      const { signal } = arrived.request;
      if (signal.aborted) abandon();
      else signal.addEventListener("abort", abandon, { once: true });
    };
    return this.#parts.upstream.forward(
      forwardable,
      (answer) => this.#answered(exchange, answer, arrived),
      onSlow,
    );
  }

  #answered(exchange: Exchange, answer: UpstreamResponse, arrived: Arrived): Response {
    if (!isRelayable(answer.status)) {
      if (answer.body instanceof ReadableStream) answer.body.cancel().catch(() => {});
      const detail = `the host answered with status ${answer.status}`;
      return this.#refuse(exchange, refusal(503, "upstream-failed", detail), true);
    }
    const { response, closes, isStream } = reply(answer, exchange.method, arrived.server);
    const nowMs = this.#parts.clock.monotonicMs();
    this.#record(exchange, answer.status, null, false, nowMs);
    if (isStream) {
      const end = () => this.#end(exchange, closes, this.#parts.clock.monotonicMs());
      arrived.info.completed.then(end, end);
    } else {
      this.#end(exchange, closes, nowMs);
    }
    return response;
  }

  // ---- exits

  #status(exchange: Exchange, request: ClientRequest, caller: Caller): Response {
    if (!hasMetadataHeader(request.headers)) return this.#refuse(exchange, NO_METADATA);
    if (!caller.elevated) return this.#refuse(exchange, STATUS_NEEDS_ELEVATED);
    return this.#answerLocally(exchange, request, "aggregated-status");
  }

  #answerLocally(exchange: Exchange, request: ClientRequest, name: LocalEndpointName): Response {
    if (!hasMetadataHeader(request.headers)) return this.#refuse(exchange, NO_METADATA);
    const { localEndpoints } = this.#parts;
    const json = name === "provision"
      ? provisionAnswerText(localEndpoints.provision(request.headers))
      : localEndpoints.aggregatedStatus();
    const nowMs = this.#parts.clock.monotonicMs();
    this.#record(exchange, 200, null, false, nowMs);
    this.#end(exchange, false, nowMs);
    return jsonResponse(json);
  }

  #refuse(exchange: Exchange, refused: Refusal, isError = false): Response {
    const unheard = exchange.isAbandoned || refused.reason === "body-incomplete";
    const nowMs = this.#parts.clock.monotonicMs();
    this.#record(exchange, unheard ? 0 : refused.status, refused, isError, nowMs);
    this.#end(exchange, true, nowMs);
    return refusalResponse(refused.status, exchange.method);
  }

  /** The caller's body, or the host; else a bug, or a part that failed in an unforeseen way. The request goes nowhere. */
  #failed(exchange: Exchange, error: unknown): Response {
    if (error instanceof RefusedError) return this.#refuse(exchange, error.refusal, true);
    if (error instanceof AgentError && error.code.startsWith("UPSTREAM_")) {
      return this.#refuse(exchange, upstreamRefusal(error), true);
    }
    const name = error instanceof Error ? error.name : typeof error;
    const text = error instanceof Error ? error.message : "";
    this.#parts.logger.error("request failed inside the agent", {
      requestId: exchange.id,
      error: name,
      text,
    });
    return this.#refuse(exchange, refusal(500, "internal-error", name), true);
  }

  #record(
    exchange: Exchange,
    status: number,
    refused: Refusal | null,
    isError: boolean,
    nowMs: number,
  ): void {
    if (exchange.isRecorded) return;
    exchange.isRecorded = true;
    this.#parts.audit.record(exchange.entry(status, refused, isError, nowMs));
  }

  #end(exchange: Exchange, closes: boolean, nowMs: number): void {
    if (!exchange.isOpen) return;
    exchange.isOpen = false;
    const closeAtMs = closes ? nowMs + this.#parts.limits.lingerMs : Infinity;
    const { connections } = this.#parts;
    connections.end(exchange.connection, nowMs, closeAtMs);
    // Nothing else comes, and the server closes it by itself: callers with a connection for each request are thousands.
    if (exchange.isLast && !closes && exchange.connection.inFlight === 0) {
      connections.forget(exchange.connection);
    }
  }
}

/** What later steps need of the arrival. */
interface Arrived {
  readonly request: Request;
  readonly info: RequestInfo;
  readonly server: ServerFacts;
  readonly local: LocalEndpointName | null;
}

const EMPTY = new Uint8Array();
const NO_METADATA = refusal(400, "metadata-header-missing", "the Metadata field is missing");
const STATUS_NEEDS_ELEVATED = refusal(403, "status-needs-elevated", "the status is for root");
const DIRECT = refusal(421, "direct-connection", "the listener was dialled directly");
const UNATTRIBUTED = refusal(421, "unattributed", "the kernel has no record of the connection");
const CALLER_GONE = refusal(421, "caller-gone", "the process that connected has ended");
const UNKNOWN_DESTINATION = refusal(421, "unknown-destination", "the destination is no endpoint");
const AGENT_LISTENER = refusal(403, "agent-listener", "the destination is the agent itself");
const NOT_DECIDED = refusal(503, "policy-unavailable", "the host has not told its policy yet");
const NO_KEY = refusal(503, "signing-failed", "no key is held yet, and the host asks for one");
const BODY_TOO_LARGE = refusal(413, "body-too-large", "the announced body is over the limit");

/**
 * How a failure on the way to the host is told to the caller: 502 where the host was not reached, 503 for the rest.
 * Source: wire-protocol 9.2 steps 11 and 12.
 */
function upstreamRefusal(error: AgentError): Refusal {
  if (error.code === "UPSTREAM_CONNECT" || error instanceof StaleConnectionError) {
    return refusal(502, "upstream-unreachable", error.message);
  }
  if (error.code === "UPSTREAM_TIMEOUT") return refusal(503, "upstream-timeout", error.message);
  return refusal(503, "upstream-failed", error.message);
}
