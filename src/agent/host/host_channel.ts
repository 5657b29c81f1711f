import { type LatchedKey, ownRequest } from "../../domain/endorsement/mod.ts";
import {
  decodeBody,
  type DecodedBody,
  type DocumentFault,
  type EndpointMap,
  headerValue,
  isKeyGuid,
  type KeyDocument,
  type KeyStatus,
  parseKeyGrant,
  parseKeyStatusSteps,
  parseProvisionAnswer,
  type ProvisionAnswer,
  type SocketAddress,
} from "../../domain/wire/mod.ts";
import { AgentError } from "../../runtime/errors.ts";
import { type Pace, unpaced } from "../../runtime/slices.ts";
import type { ReceivedResponse } from "../http1/mod.ts";
import type { Exchange } from "./exchange.ts";
import type { HostClock } from "./host_clock.ts";
import {
  acquireQuestion,
  attestQuestion,
  goalStateQuestion,
  type HostQuestion,
  instanceQuestion,
  isSuccess,
  provisionQuestion,
  retryAfterMs,
  sharedConfigQuestion,
  statusQuestion,
  telemetryQuestion,
} from "./requests.ts";

/**
 * Everything the agent itself says to the host. Each call is one request on a connection of its own, with a time limit.
 * All throw AgentError: HOST_CONNECT and HOST_TIMEOUT when the host cannot be reached or is silent, HOST_PROTOCOL and
 * HOST_BODY_TOO_LARGE when its answer is no HTTP or too much, HOST_STATUS when it says no (`detail.status`, and
 * `detail.retryAfterMs` where it asks for a pause), HOST_DOCUMENT when
 * its document is not acceptable. No error carries a key, a signature or a body.
 */
export interface HostChannel {
  /** The secure-channel status, the same object while the host says the same; sets the host clock when that is due. */
  keyStatus(signal: AbortSignal): Promise<KeyStatus>;
  /** A key that the host will latch once it is attested. */
  acquireKey(signal: AbortSignal): Promise<KeyDocument>;
  /** Proves to the host that the key arrived, by signing with it. */
  attestKey(key: LatchedKey, signal: AbortSignal): Promise<void>;
  /** The goal state, signed when a key is given; and the same for the two that follow. */
  goalState(key: LatchedKey | null, signal: AbortSignal): Promise<DecodedBody>;
  /** The document at the URL that the goal state names. Plain HTTP only: HOST_DOCUMENT for any other URL. */
  sharedConfig(url: string, key: LatchedKey | null, signal: AbortSignal): Promise<DecodedBody>;
  instance(key: LatchedKey | null, signal: AbortSignal): Promise<DecodedBody>;
  /** Hands telemetry over, unsigned. */
  sendTelemetry(payload: Uint8Array, signal: AbortSignal): Promise<void>;
}

/** The channel over TCP. */
export class TcpHostChannel implements HostChannel {
  readonly #endpoints: Pick<EndpointMap, "wireserver" | "imds">;
  readonly #exchange: Exchange;
  readonly #clock: HostClock;
  readonly #pace: Pace;
  #lastStatus: { readonly text: string; readonly status: KeyStatus } | null = null;

  constructor(
    endpoints: Pick<EndpointMap, "wireserver" | "imds">,
    exchange: Exchange,
    clock: HostClock,
    pace: Pace = unpaced,
  ) {
    this.#endpoints = endpoints;
    this.#exchange = exchange;
    this.#clock = clock;
    this.#pace = pace;
  }

  async keyStatus(signal: AbortSignal): Promise<KeyStatus> {
    const question = statusQuestion();
    const response = await this.#ask(this.#endpoints.wireserver, question, null, signal);
    // Before the document is looked at: a host that sends a bad one still knows what time it is.
    this.#clock.syncFrom(response.headers);
    const { text } = textOf(question, response);
    // Most answers say what the last one said, and a document can be long: then nothing is to be read anew.
    if (this.#lastStatus?.text === text) return this.#lastStatus.status;
    const parsed = await this.#pace(parseKeyStatusSteps(text));
    if (!parsed.ok) throw documentError(question, parsed.error);
    this.#lastStatus = { text, status: parsed.value };
    return parsed.value;
  }

  async acquireKey(signal: AbortSignal): Promise<KeyDocument> {
    const question = acquireQuestion();
    const response = await this.#ask(this.#endpoints.wireserver, question, null, signal);
    const parsed = parseKeyGrant(textOf(question, response).text);
    if (!parsed.ok) throw documentError(question, parsed.error);
    return parsed.value;
  }

  async attestKey(key: LatchedKey, signal: AbortSignal): Promise<void> {
    if (!isKeyGuid(key.guid)) throw new TypeError("attest a key whose id is no GUID");
    await this.#ask(this.#endpoints.wireserver, attestQuestion(key.guid), key, signal);
  }

  async goalState(key: LatchedKey | null, signal: AbortSignal): Promise<DecodedBody> {
    const question = goalStateQuestion();
    return textOf(question, await this.#ask(this.#endpoints.wireserver, question, key, signal));
  }

  async sharedConfig(
    url: string,
    key: LatchedKey | null,
    signal: AbortSignal,
  ): Promise<DecodedBody> {
    const place = httpPlace(url);
    const question = sharedConfigQuestion(place?.target ?? "/");
    if (place === null) {
      throw new AgentError("HOST_DOCUMENT", `${question.name}: the URL is not plain HTTP to IPv4`);
    }
    return textOf(question, await this.#ask(place.address, question, key, signal));
  }

  async instance(key: LatchedKey | null, signal: AbortSignal): Promise<DecodedBody> {
    const question = instanceQuestion();
    return textOf(question, await this.#ask(this.#endpoints.imds, question, key, signal));
  }

  async sendTelemetry(payload: Uint8Array, signal: AbortSignal): Promise<void> {
    await this.#ask(this.#endpoints.wireserver, telemetryQuestion(payload), null, signal);
  }

  #ask(
    to: SocketAddress,
    question: HostQuestion,
    key: LatchedKey | null,
    signal: AbortSignal,
  ): Promise<ReceivedResponse> {
    return ask(this.#exchange, this.#clock, to, question, key, signal);
  }
}

/**
 * Asks a running agent, at its listener, whether provisioning is finished. For the command line.
 * @param tick unix nanoseconds of the moment the question arose @param notify whether the agent shall poll the host now
 * @throws AgentError as `HostChannel` does
 */
export async function queryProvision(
  listener: SocketAddress,
  tick: bigint,
  notify: boolean,
  exchange: Exchange,
  clock: HostClock,
  signal: AbortSignal,
): Promise<ProvisionAnswer> {
  const question = provisionQuestion(tick, notify);
  const response = await ask(exchange, clock, listener, question, null, signal);
  const parsed = parseProvisionAnswer(textOf(question, response).text);
  if (!parsed.ok) throw documentError(question, parsed.error);
  return parsed.value;
}

async function ask(
  exchange: Exchange,
  clock: HostClock,
  to: SocketAddress,
  question: HostQuestion,
  key: LatchedKey | null,
  signal: AbortSignal,
): Promise<ReceivedResponse> {
  const { method, target, extraHeaders, body } = question;
  const request = ownRequest({
    method,
    target,
    host: to.address,
    extraHeaders,
    body,
    key,
    date: clock.now(),
  });
  const response = await exchange.ask(question.name, to, request, signal, question.statusOnly);
  if (isSuccess(question, response.status)) return response;
  const { status } = response;
  const pauseMs = retryAfterMs(response.headers);
  throw new AgentError("HOST_STATUS", `${question.name}: answered with \`${status}\``, {
    detail: { status, ...(pauseMs === null ? {} : { retryAfterMs: pauseMs }) },
  });
}

function textOf(question: HostQuestion, response: ReceivedResponse): DecodedBody {
  const decoded = decodeBody(headerValue(response.headers, "content-type"), response.body);
  if (!decoded.ok) throw new AgentError("HOST_DOCUMENT", `${question.name}: \`${decoded.error}\``);
  return decoded.value;
}

function documentError(
  question: HostQuestion,
  fault: DocumentFault,
): AgentError {
  return new AgentError("HOST_DOCUMENT", `${question.name}: ${fault.message}`, {
    detail: { fault: fault.code, path: fault.path },
  });
}

/** Address and raw target of an `http://IPv4[:port]/...` URL, nothing in it decoded; `null` for any other. DEVIATION D-63. */
function httpPlace(
  url: string,
): { readonly address: SocketAddress; readonly target: string } | null {
  const match = /^http:\/\/(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?([/?][\x21-\x22\x24-\x7e]*)?$/i
    .exec(url);
  if (match === null) return null;
  const port = match[2] === undefined ? 80 : Number(match[2]);
  if (port < 1 || port > 65_535) return null;
  const rest = match[3] ?? "/";
  return {
    address: { address: match[1]!, port },
    target: rest.startsWith("/") ? rest : `/${rest}`,
  };
}
