/**
 * Misuse that must not compile. `deno check` reads this file: an expectation that is not met is an error there.
 * Nothing here ever runs.
 */
import {
  endorse,
  type Endorsed,
  exempt,
  formatHostDate,
  type Forwardable,
  type HostDate,
  type LatchedKey,
  SecretKey,
  type Unendorsed,
} from "../../src/domain/endorsement/mod.ts";
import { type Caller, type RedactedText, redactedText } from "../../src/domain/identity/mod.ts";
import {
  authorize,
  type Decision,
  type Grounds,
  type Permitted,
  type PolicySnapshot,
  type Refusal,
  type Subject,
} from "../../src/domain/policy/mod.ts";
import {
  type ClientRequest,
  isKeyGuid,
  KeyDocument,
  keyFileName,
  type KeyGuid,
} from "../../src/domain/wire/mod.ts";
import type { LogFields } from "../../src/runtime/logger.ts";

declare const decision: Decision;
declare const refusal: Refusal;
declare const subject: Subject;
declare const request: ClientRequest;
declare const policy: PolicySnapshot;
declare const toSign: Permitted<"required">;
declare const toStream: Permitted<"exempt">;
declare const signed: Endorsed;
declare const unsigned: Unendorsed;
declare const key: LatchedKey;
declare const document: KeyDocument;
declare const caller: Caller;
declare const body: Uint8Array;
declare const stream: ReadableStream<Uint8Array>;
declare const date: HostDate;
declare function forward(request: Forwardable): void;
declare function log(fields: LogFields): void;

export function requestsCannotBeMadeUp(): void {
  // @ts-expect-error a literal is no checked request: its agent headers were never removed
  const literal: ClientRequest = {
    method: "GET",
    target: "/",
    path: "/",
    query: null,
    headers: [["x-ms-azure-host-claims", "forged"]],
    framing: { kind: "none" },
  };
  // @ts-expect-error neither is a copy with other headers
  const copy: ClientRequest = { ...request, headers: [] };
  // @ts-expect-error the target cannot be exchanged afterwards
  request.target = "/other";
  // @ts-expect-error nor a header be added
  request.headers.push(["a", "b"]);
  void [literal, copy];
}

export function permitsCannotBeMadeUp(): void {
  const grounds: Grounds = { kind: "allowed", by: "built-in" };
  // @ts-expect-error a literal is no permit
  const literal: Permitted = { subject, signing: "required", grounds, epoch: 1 };
  // @ts-expect-error a copy with another subject is no permit
  const copy: Permitted = { ...toSign, subject };
  // @ts-expect-error the subject of a permit cannot be exchanged
  toSign.subject = subject;
  // @ts-expect-error the constructor is out of reach
  const made = new toSign.constructor(subject, "required", grounds, 1);
  void [literal, copy, made];
}

export function decisionsMustBeLookedAt(): void {
  // @ts-expect-error a decision is no permit
  endorse(decision, body, key, date);
  // @ts-expect-error a refusal cannot be endorsed
  endorse(refusal, body, key, date);
  // @ts-expect-error a decision is not known to be a permit
  endorse(decision.permitted, body, key, date);
  if (decision.kind === "refuse") {
    // @ts-expect-error a refused decision has no permit
    forward(decision.permitted);
  } else {
    // @ts-expect-error whether it is to be signed must be looked at
    endorse(decision.permitted, body, key, date);
    if (decision.permitted.signing === "required") endorse(decision.permitted, body, key, date);
    else exempt(decision.permitted, stream, date);
  }
}

export function signaturesCannotBeSkipped(): void {
  // @ts-expect-error a request to sign cannot take the way of the exempt ones
  exempt(toSign, stream, date);
  // @ts-expect-error an exempt request is not signed
  endorse(toStream, body, key, date);
  // @ts-expect-error a request to sign is buffered, not streamed
  endorse(toSign, stream, key, date);
  // @ts-expect-error that there is no key must be said
  endorse(toSign, body, undefined, date);
  // @ts-expect-error a permit alone cannot be forwarded
  forward(toSign);
  // @ts-expect-error nor can the request
  forward(request);
  // @ts-expect-error nor a literal that looks the same
  forward({
    kind: "endorsed",
    destination: signed.destination,
    method: "GET",
    target: "/",
    headers: [],
    framing: { kind: "none" },
    body: null,
  });
  // @ts-expect-error nor a copy with another destination
  forward({ ...signed, destination: { address: "10.0.0.1", port: 80 } });
  // @ts-expect-error what is not signed does not pass for signed
  const pretended: Endorsed = unsigned;
  // @ts-expect-error the head that was signed cannot be changed
  signed.headers.push(["a", "b"]);
  void pretended;
}

export function secretsCannotBeLogged(): void {
  // @ts-expect-error a key is no scalar
  log({ key: key.secret });
  // @ts-expect-error a key document is none either
  log({ document });
  // @ts-expect-error nor a caller with all that is known of it
  log({ caller });
  // @ts-expect-error the bytes are out of reach
  key.secret.bytes;
  // @ts-expect-error keys are made from text that was checked
  const made = new SecretKey(body);
  log({ guid: key.guid });
  void made;
}

export function brandsCannotBeSwapped(): void {
  // @ts-expect-error plain text is no date of the host
  const dated: HostDate = "Tue, 06 Jan 2026 07:08:09 GMT";
  // @ts-expect-error plain text is not redacted
  const shown: RedactedText = "curl --token abc";
  // @ts-expect-error redacted text is no date
  const swapped: HostDate = redactedText("x");
  // @ts-expect-error a date is no redacted text
  const swappedBack: RedactedText = formatHostDate(0);
  // @ts-expect-error an unchecked id names no file
  keyFileName("../../etc/shadow");
  // @ts-expect-error a key document needs a checked id
  new KeyDocument("s", null, "not-a-guid", "now", "00");
  const guid: string = key.guid;
  if (isKeyGuid(guid)) keyFileName(guid);
  // @ts-expect-error a checked id is no date
  const guidAsDate: HostDate = guid as KeyGuid;
  void [dated, shown, swapped, swappedBack, guidAsDate];
}

export function snapshotsCannotBeEdited(): void {
  // @ts-expect-error the epoch is read-only
  policy.epoch++;
  // @ts-expect-error the policy of an endpoint is read-only
  policy.endpoints.imds = { kind: "built-in", mode: "audit" };
  // @ts-expect-error so is its mode
  policy.endpoints.imds.mode = "audit";
  // @ts-expect-error a decision needs the whole snapshot
  authorize(subject, policy.endpoints.imds);
}
