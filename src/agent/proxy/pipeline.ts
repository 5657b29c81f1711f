import { bodyLimitBytes, canonicalize, renderTarget } from "../../domain/canonical/mod.ts";
import {
  endorse,
  exempt,
  type Forwardable,
  type HostDate,
  type LatchedKey,
  SigningError,
} from "../../domain/endorsement/mod.ts";
import type { Attribution, Caller, ConnectionRecord } from "../../domain/identity/mod.ts";
import {
  authorize,
  divergenceLine,
  type Matching,
  type Permitted,
  type Refusal,
  type VerdictRecord,
} from "../../domain/policy/mod.ts";
import {
  CHANNEL_UNKNOWN,
  type ClientRequest,
  destinationKind,
  type EndpointMap,
  type EndpointName,
  headerValue,
  provisionAnswerText,
} from "../../domain/wire/mod.ts";
import type { Cell } from "../../runtime/cell.ts";
import type { Clock } from "../../runtime/clock.ts";
import { AgentError } from "../../runtime/errors.ts";
import type { Logger } from "../../runtime/logger.ts";
import { RateLimit } from "../../runtime/rate_limit.ts";
import type { AuditTrail } from "../audit/mod.ts";
import type { CallerResolver, ResolvedCaller } from "../caller/mod.ts";
import type { Http1Fault, RequestHead } from "../http1/mod.ts";
import { type AgentSnapshot, mayGoUnsigned } from "../key_keeper/mod.ts";
import type { Redirector } from "../redirector/mod.ts";
import { StaleConnectionError, type Upstream, type UpstreamResponse } from "../upstream/mod.ts";
import { checkedStream, readWhole } from "./client_body.ts";
import type { ClientConnection, RequestServer } from "./client_connection.ts";
import { Exchange, type ExchangeObserver } from "./exchange.ts";
import { isRefusal, syntaxRefusal, takeIn } from "./intake.ts";
import {
  hasMetadataHeader,
  jsonAnswer,
  type LocalEndpointName,
  localEndpointOf,
  type LocalEndpoints,
} from "./local_endpoints.ts";
import { refusal, refusalAnswer, RefusedError } from "./refusal.ts";
import { reply } from "./reply.ts";

/** Everything a request passes through. */
export interface PipelineParts {
  readonly clock: Clock;
  readonly hostClock: { now(): HostDate };
  readonly endpoints: EndpointMap;
  readonly redirector: Pick<Redirector, "attribute">;
  readonly resolver: CallerResolver;
  readonly snapshot: Cell<AgentSnapshot>;
  readonly audit: AuditTrail;
  /** For metrics and live views; nobody looks when it is absent. */
  readonly observer?: ExchangeObserver;
  readonly upstream: Pick<Upstream, "forward">;
  /** Called when the host answers a signed request with 401. */
  readonly onSignatureRefused?: () => void;
  readonly localEndpoints: LocalEndpoints;
  readonly logger: Logger;
}

/**
 * One request from its arrival to its answer, top to bottom. Nothing waits that need not: a request without a body, on a
 * connection whose caller is known, is with the host before the first promise.
 *
 * INVARIANT: exactly one record for each request, whatever the exit, and none of a refusal later than its answer.
 */
export class Pipeline implements Pick<RequestServer, "serve" | "isGone"> {
  readonly #parts: PipelineParts;
  readonly #divergences = new RateLimit(DIVERGENCES);
  #requests = 0;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** Requests since the start. */
  get requests(): number {
    return this.#requests;
  }

  /** A connection was accepted: who made it is asked now, before it can be gone again. */
  connected(connection: ClientConnection): void {
    connection.attribution = this.#parts.redirector.attribute(connection.peer);
  }

  /** Whether the caller's end of the connection does not exist any more: the kernel forgets a connection with its socket. */
  isGone(connection: ClientConnection): boolean {
    return this.#parts.redirector.attribute(connection.peer).kind === "unattributed";
  }

  /** Serves one request, or answers what is none. Never throws. */
  serve(connection: ClientConnection, head: RequestHead | Http1Fault): void {
    const { clock, observer } = this.#parts;
    const exchange = new Exchange(
      ++this.#requests,
      clock.monotonicMs(),
      connection,
      observer?.timesAll ?? false,
    );
    try {
      this.#takeIn(exchange, head);
    } catch (error) {
      this.#failed(exchange, error);
    }
  }

  /** Guards, and the path that is answered to everybody. */
  #takeIn(exchange: Exchange, head: RequestHead | Http1Fault): void {
    if (typeof head === "string") return this.#turnAway(exchange, syntaxRefusal(head));
    exchange.method = head.method;
    exchange.target = withoutFragment(head.target);
    const { connection } = exchange;
    const request = takeIn(head, this.#dialledBy(connection));
    if (isRefusal(request)) return this.#turnAway(exchange, request);
    connection.expectBody(request.framing, wantsContinue(head));
    const local = localEndpointOf(exchange.target);
    if (local === "provision") return this.#answerLocally(exchange, request, local);
    this.#attribute(exchange, request, local);
  }

  /** Who is at the other end. What the kernel said once of a socket holds for as long as the connection does. */
  #attribute(exchange: Exchange, request: ClientRequest, local: LocalEndpointName | null): void {
    const attribution = this.#attributionOf(exchange.connection);
    if (attribution.kind === "redirected") {
      return this.#identify(exchange, request, local, attribution.record);
    }
    if (local !== null) {
      if (!hasMetadataHeader(request.headers)) return this.#refuse(exchange, NO_METADATA);
      // DEVIATION D-42: root may ask for the status directly; the kernel says who dialled.
      return attribution.kind === "direct" && attribution.uid === 0
        ? this.#answerLocally(exchange, request, local)
        : this.#refuse(exchange, STATUS_NEEDS_ELEVATED);
    }
    this.#refuse(exchange, attribution.kind === "direct" ? DIRECT : UNATTRIBUTED);
  }

  #attributionOf(connection: ClientConnection): Attribution {
    const known = connection.attribution;
    if (known !== null && known.kind !== "unattributed") return known;
    return connection.attribution = this.#parts.redirector.attribute(connection.peer);
  }

  /** The real user id at the other end; `null` where the kernel does not say. */
  #uidOf(exchange: Exchange): number | null {
    const attribution = this.#attributionOf(exchange.connection);
    switch (attribution.kind) {
      case "redirected":
        return attribution.record.uid;
      case "direct":
        return attribution.uid;
      case "unattributed":
        return null;
    }
  }

  /** The endpoint that the caller dialled; `null` where the kernel says none. */
  #dialledBy(connection: ClientConnection): EndpointName | null {
    const attribution = this.#attributionOf(connection);
    if (attribution.kind !== "redirected") return null;
    const kind = destinationKind(attribution.record.destination, this.#parts.endpoints);
    return kind === "unknown" || kind === "listener" ? null : kind;
  }

  /** Refuses what got no further than the guards; its record still says who it was and where it was meant to go. */
  #turnAway(exchange: Exchange, refused: Refusal): void {
    const attribution = this.#attributionOf(exchange.connection);
    if (attribution.kind !== "redirected") return this.#refuse(exchange, refused);
    exchange.destination = attribution.record.destination;
    const note = (caller: Caller | Refusal) => {
      if (!("reason" in caller)) exchange.caller = caller;
      this.#refuse(exchange, refused);
    };
    const caller = this.#callerOf(exchange.connection, attribution.record);
    if (caller instanceof Promise) this.#later(exchange, caller, note);
    else note(caller);
  }

  /** Who that is. */
  #identify(
    exchange: Exchange,
    request: ClientRequest,
    local: LocalEndpointName | null,
    record: ConnectionRecord,
  ): void {
    exchange.destination = record.destination;
    const caller = this.#callerOf(exchange.connection, record);
    if (caller instanceof Promise) {
      this.#later(
        exchange,
        caller,
        (resolved) => this.#address(exchange, request, local, resolved),
      );
    } else {
      this.#address(exchange, request, local, caller);
    }
  }

  /** Where to: what was dialled decides, and nothing else. */
  #address(
    exchange: Exchange,
    request: ClientRequest,
    local: LocalEndpointName | null,
    caller: Caller | Refusal,
  ): void {
    if ("reason" in caller) return this.#refuse(exchange, caller);
    exchange.caller = caller;
    if (local !== null) return this.#status(exchange, request, caller);
    const kind = destinationKind(caller.record.destination, this.#parts.endpoints);
    if (kind === "unknown") return this.#refuse(exchange, UNKNOWN_DESTINATION);
    if (kind === "listener") return this.#refuse(exchange, AGENT_LISTENER);
    this.#decide(exchange, request, caller, kind);
  }

  /** The caller of the connection: resolved with its first request, checked with each later one. */
  #callerOf(
    connection: ClientConnection,
    record: ConnectionRecord,
  ): Caller | Refusal | Promise<Caller> {
    const known = connection.resolved;
    if (known !== null) {
      const state = known.check();
      if (state === "same") return known.caller;
      if (state === "gone") return CALLER_GONE;
    }
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
    caller: Caller,
    endpoint: EndpointName,
  ): void {
    exchange.reached("attributed", this.#parts.clock);
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
    exchange.reached("decided", this.#parts.clock);
    if (decision.kind === "refuse") {
      this.#note(exchange, decision.verdict, policy.matching);
      return this.#refuse(exchange, decision.refusal);
    }
    const { permitted } = decision;
    this.#note(exchange, permitted.verdict, policy.matching);
    if (permitted.grounds.kind === "audit-only") exchange.flagged = permitted.grounds.wouldRefuse;
    if (permitted.signing === "exempt") {
      return this.#forwardExempt(exchange, permitted as Permitted<"exempt">, limitBytes);
    }
    if (snapshot.key === null && !mayGoUnsigned(snapshot, endpoint)) {
      return this.#refuse(exchange, NO_KEY, true);
    }
    const required = permitted as Permitted<"required">;
    this.#forwardSigned(exchange, required, limitBytes, snapshot.key);
  }

  /** What the rules said goes into the record; where the two matchers disagree, into the log as well. */
  #note(exchange: Exchange, verdict: VerdictRecord | null, matching: Matching): void {
    exchange.verdict = verdict;
    if (verdict === null || !verdict.divergence) return;
    const line = divergenceLine(matching, verdict.ruleSetId, verdict, exchange.target);
    if (line === null || !this.#divergences.admit(exchange.startedMs)) return;
    const { logger } = this.#parts;
    const untold = this.#divergences.takeTurnedAway();
    logger.warn(line);
    if (untold > 0) logger.warn("further divergences were not told", { count: untold });
  }

  /** The body is read, as a whole, only for a permitted request; then it is signed. */
  #forwardSigned(
    exchange: Exchange,
    permitted: Permitted<"required">,
    limitBytes: number,
    key: LatchedKey | null,
  ): void {
    const { framing } = permitted.subject.request;
    if (framing.kind === "none") return this.#sign(exchange, permitted, EMPTY, key);
    const body = readWhole(exchange.connection, framing, limitBytes);
    this.#later(exchange, body, (whole) => this.#sign(exchange, permitted, whole, key));
  }

  #sign(
    exchange: Exchange,
    permitted: Permitted<"required">,
    body: Uint8Array,
    key: LatchedKey | null,
  ): void {
    if (body !== EMPTY) exchange.reached("complete", this.#parts.clock);
    let forwardable: Forwardable;
    try {
      forwardable = endorse(permitted, body, key, this.#parts.hostClock.now());
    } catch (error) {
      if (!(error instanceof SigningError)) throw error;
      return this.#refuse(exchange, refusal(502, "signing-failed", error.message), true);
    }
    exchange.signed = forwardable.kind === "endorsed";
    this.#forward(exchange, forwardable);
  }

  /** Diagnostics uploads go unsigned and stream through. */
  #forwardExempt(exchange: Exchange, permitted: Permitted<"exempt">, limitBytes: number): void {
    const { framing } = permitted.subject.request;
    const stream = framing.kind === "none" ? null : checkedStream(exchange.connection, limitBytes);
    this.#forward(exchange, exempt(permitted, stream, this.#parts.hostClock.now()));
  }

  #forward(exchange: Exchange, forwardable: Forwardable): void {
    exchange.reached("endorsed", this.#parts.clock);
    const onSlow = (giveUp: () => void) => {
      exchange.connection.whenGone(() => {
        exchange.isAbandoned = true;
        giveUp();
      });
    };
    const answered = (answer: UpstreamResponse) => this.#answered(exchange, answer);
    this.#parts.upstream.forward(forwardable, answered, onSlow).catch((error) => {
      this.#failed(exchange, error);
    });
  }

  #answered(exchange: Exchange, answer: UpstreamResponse): void {
    if (answer.status > 599) {
      if (answer.body instanceof ReadableStream) answer.body.cancel().catch(() => {});
      const detail = `the host answered with status ${answer.status}`;
      return this.#refuse(exchange, refusal(503, "upstream-failed", detail), true);
    }
    if (answer.status === 401 && exchange.signed) this.#parts.onSignatureRefused?.();
    const unrecorded = this.#record(exchange, answer.status, null, false);
    const date = this.#parts.hostClock.now();
    if (unrecorded === null) {
      return exchange.connection.answer(reply(answer, exchange.method, date));
    }
    if (answer.body instanceof ReadableStream) answer.body.cancel().catch(() => {});
    exchange.connection.answer(refusalAnswer(unrecorded.status, exchange.method, date));
  }

  /** Goes on when `promised` is there; what it or the rest fails with is answered. */
  #later<T>(exchange: Exchange, promised: Promise<T>, goOn: (value: T) => void): void {
    promised.then(goOn).catch((error) => this.#failed(exchange, error));
  }

  // ---- exits

  #status(exchange: Exchange, request: ClientRequest, caller: Caller): void {
    if (!hasMetadataHeader(request.headers)) return this.#refuse(exchange, NO_METADATA);
    if (!caller.elevated) return this.#refuse(exchange, STATUS_NEEDS_ELEVATED);
    this.#answerLocally(exchange, request, "aggregated-status");
  }

  #answerLocally(exchange: Exchange, request: ClientRequest, name: LocalEndpointName): void {
    if (!hasMetadataHeader(request.headers)) return this.#refuse(exchange, NO_METADATA);
    const { localEndpoints, hostClock } = this.#parts;
    const json = name === "provision"
      ? provisionAnswerText(localEndpoints.provision(request.headers, this.#uidOf(exchange)))
      : localEndpoints.aggregatedStatus();
    this.#record(exchange, 200, null, false);
    exchange.connection.answer(jsonAnswer(json, exchange.method, hostClock.now()));
  }

  #refuse(exchange: Exchange, refused: Refusal, isError = false): void {
    const { connection, method } = exchange;
    const unheard = exchange.isAbandoned || connection.hasLeft;
    this.#record(exchange, unheard ? 0 : refused.status, refused, isError);
    connection.answer(refusalAnswer(refused.status, method, this.#parts.hostClock.now()));
  }

  /** The caller's body, or the host; else a bug, or a part that failed in an unforeseen way. The request goes nowhere. */
  #failed(exchange: Exchange, error: unknown): void {
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
    this.#refuse(exchange, refusal(500, "internal-error", name), true);
  }

  /** Returns the refusal that has to be the answer where a record could not be made and must be. */
  #record(
    exchange: Exchange,
    status: number,
    refused: Refusal | null,
    isError: boolean,
  ): Refusal | null {
    if (exchange.isRecorded) return null;
    exchange.isRecorded = true;
    const { connection, method, target } = exchange;
    const known = connection.canonicalTarget;
    if (known === null || known.target !== target || known.method !== method) {
      const canonical = canonicalize({ method, target });
      const text = canonical.ok ? renderTarget(canonical.value) : null;
      connection.canonicalTarget = { method, target, text };
    }
    const nowMs = this.#parts.clock.monotonicMs();
    const { audit, observer } = this.#parts;
    const entry = exchange.entry(status, refused, isError, nowMs);
    const unrecorded = audit.record(entry);
    const told = unrecorded === null
      ? entry
      : exchange.entry(unrecorded.status, unrecorded, true, nowMs);
    observer?.observe(told, exchange.times);
    return unrecorded;
  }
}

function withoutFragment(target: string): string {
  const hash = target.indexOf("#");
  return hash < 0 ? target : target.slice(0, hash);
}

/** Whether the caller waits to be asked for the body. Source: RFC 9110 10.1.1. */
function wantsContinue(head: RequestHead): boolean {
  return head.version === "1.1" &&
    headerValue(head.headers, "expect")?.toLowerCase() === "100-continue";
}

/** Lines about matchers that disagree: callers could fill the log with them. */
const DIVERGENCES = { burst: 20, perSecond: 1 };
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
