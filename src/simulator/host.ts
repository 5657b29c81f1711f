import { isSignatureExempt } from "../domain/canonical/mod.ts";
import { type EndpointName } from "../domain/wire/endpoints.ts";
import { MachineCertificate } from "./certificates.ts";
import { FaultList } from "./faults.ts";
import { hostGaAnswer } from "./hostga.ts";
import { Imds } from "./imds.ts";
import { Journal, type SignatureNeed } from "./journal.ts";
import { KeyRing } from "./keys.ts";
import { DEFAULT_POLICY, hostMode, type HostPolicy } from "./policy.ts";
import { type Answer, type HostRequest, textAnswer } from "./request.ts";
import { TelemetryInbox } from "./telemetry.ts";
import { type Verdict, verify } from "./verify.ts";
import {
  attestedGuid,
  isKeyExchange,
  isTelemetry,
  wireServerAnswer,
  type WireServerSite,
} from "./wireserver.ts";

/** What the simulated host is made of. */
export interface HostOptions {
  readonly policy: HostPolicy;
  /** Entries the journal keeps. */
  readonly journalEntries: number;
  /** How far the date of a signed request may be from the host's clock, milliseconds. */
  readonly maxSkewMs: number;
  /** How long a replaced key still verifies, milliseconds. */
  readonly previousKeyGraceMs: number;
  /** Wall clock, milliseconds since the epoch. */
  readonly wallMs: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** The settings of a simulator that is started without any. */
export const DEFAULT_HOST_OPTIONS: HostOptions = Object.freeze({
  policy: DEFAULT_POLICY,
  journalEntries: 10_000,
  maxSkewMs: 300_000,
  previousKeyGraceMs: 5_000,
  wallMs: Date.now,
  randomBytes: (count: number) => crypto.getRandomValues(new Uint8Array(count)),
});

/** Requests of one endpoint since the start, by what was made of their signature. */
export interface VerdictCounts {
  signed: number;
  /** Neither signed nor in need of it. */
  exempt: number;
  /** Not signed although signatures are wanted of such requests; counted in every mode. */
  unsigned: number;
  bad: number;
  /** Answered with 401. */
  refused: number;
  /** Not readable as a request. */
  malformed: number;
}

/** What the host decided about one request. */
export interface Judgement {
  readonly answer: Answer;
  readonly need: SignatureNeed;
  readonly verdict: Verdict;
}

/** The state of the simulated host and its rules. No sockets. */
export class SimulatedHost {
  policy: HostPolicy;
  /** How far the host's clock is ahead of the machine's, milliseconds. */
  clockSkewMs = 0;
  readonly keys: KeyRing;
  readonly certificate: MachineCertificate;
  readonly faults = new FaultList();
  readonly telemetry = new TelemetryInbox();
  readonly journal: Journal;
  readonly counts: Readonly<Record<EndpointName, VerdictCounts>> = {
    wireserver: noCounts(),
    hostga: noCounts(),
    imds: noCounts(),
  };
  /** Where WireServer says it is, in the documents that contain addresses. Set once the listeners are bound. */
  site: WireServerSite = { address: "168.63.129.16", port: 80 };
  readonly #imds: Imds;
  readonly #options: HostOptions;

  constructor(options: HostOptions) {
    this.#options = options;
    this.policy = options.policy;
    this.keys = new KeyRing(options.randomBytes, options.previousKeyGraceMs);
    this.journal = new Journal(options.journalEntries);
    this.certificate = new MachineCertificate(options.randomBytes);
    this.#imds = new Imds(options.randomBytes);
  }

  /** The machine's wall clock, milliseconds. */
  wallMs(): number {
    return this.#options.wallMs();
  }

  /** The host's wall clock, milliseconds. */
  nowMs(): number {
    return this.#options.wallMs() + this.clockSkewMs;
  }

  /** Verifies a request and answers it; a `refusal` is the answer to one that is not carried out. */
  judge(request: HostRequest, refusal: Answer | null = null): Judgement {
    const nowMs = this.nowMs();
    const attesting = request.endpoint === "wireserver" ? attestedGuid(request) : null;
    const need = needOf(request);
    const verdict = verify(request, this.keys, nowMs, this.#options.maxSkewMs, attesting);
    this.#count(request.endpoint, need, verdict);
    if (refusal !== null) return { answer: refusal, need, verdict };
    if (this.#refuses(request.endpoint, need, verdict, attesting !== null)) {
      this.counts[request.endpoint].refused++;
      const why = verdict.kind === "bad" ? verdict.reason : "unsigned";
      return { answer: textAnswer(401, `signature refused: ${why}\n`), need, verdict };
    }
    return { answer: this.#answer(request, nowMs), need, verdict };
  }

  /** The request was answered with a success: now what it brought counts as taken. */
  answered(request: HostRequest): void {
    if (request.endpoint === "wireserver" && isTelemetry(request)) this.telemetry.take(request);
  }

  #refuses(
    endpoint: EndpointName,
    need: SignatureNeed,
    verdict: Verdict,
    attesting: boolean,
  ): boolean {
    if (need === "exempt" || verdict.kind === "signed") return false;
    return attesting ||
      (this.keys.latched !== null && hostMode(this.policy, endpoint) === "enforce");
  }

  #answer(request: HostRequest, nowMs: number): Answer {
    switch (request.endpoint) {
      case "wireserver":
        return wireServerAnswer(request, {
          policy: this.policy,
          keys: this.keys,
          certificate: this.certificate,
          nowMs,
          site: this.site,
        });
      case "hostga":
        return hostGaAnswer(request);
      case "imds":
        return this.#imds.answer(request, nowMs);
    }
  }

  #count(endpoint: EndpointName, need: SignatureNeed, verdict: Verdict): void {
    const counts = this.counts[endpoint];
    if (verdict.kind === "unsigned" && need === "exempt") counts.exempt++;
    else counts[verdict.kind]++;
  }
}

function needOf(request: HostRequest): SignatureNeed {
  const exempt = isSignatureExempt(request.method, request.target, request.endpoint) ||
    (request.endpoint === "wireserver" && isKeyExchange(request));
  return exempt ? "exempt" : "required";
}

function noCounts(): VerdictCounts {
  return { signed: 0, exempt: 0, unsigned: 0, bad: 0, refused: 0, malformed: 0 };
}
