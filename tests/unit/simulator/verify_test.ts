import assert from "node:assert/strict";
import { KeyRing } from "../../../src/simulator/mod.ts";
import { HostRequest } from "../../../src/simulator/request.ts";
import { isRootClaim, verify } from "../../../src/simulator/verify.ts";
import { SAMPLE_MS, sampleHostRequest } from "../../fakes/sample_host_request.ts";

const MAX_SKEW_MS = 300_000;

function stand() {
  let next = 0;
  const keys = new KeyRing((count) => new Uint8Array(count).fill(++next), 1_000);
  const key = keys.offer(SAMPLE_MS);
  keys.latch(key.guid, SAMPLE_MS);
  const verdict = (request: HostRequest, nowMs = SAMPLE_MS, attesting: string | null = null) =>
    verify(request, keys, nowMs, MAX_SKEW_MS, attesting);
  return { keys, key, verdict };
}

/** A signed request with one field changed after signing. */
function tampered(request: HostRequest, name: string, value: string | null): HostRequest {
  const headers = request.headers
    .filter((field) => value !== null || field[0] !== name)
    .map((field) => field[0] === name ? [name, value!] as const : field);
  const lines = [`${request.method} ${request.target} HTTP/1.1`];
  for (const field of headers) lines.push(field.join(": "));
  const rawHead = new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n");
  return new HostRequest(
    request.endpoint,
    request.peer,
    request.method,
    request.target,
    "1.1",
    headers,
    rawHead,
    request.body,
    request.bodyBytes,
    request.receivedAtMs,
  );
}

Deno.test("verify() accepts what the agent signs with the latched key", () => {
  const { key, verdict } = stand();
  const request = sampleHostRequest({ key, method: "POST", body: "text\n", target: "/q?b=1&A=2" });
  assert.deepEqual(verdict(request), { kind: "signed", guid: key.guid, standing: "latched" });
});

Deno.test("verify() finds a request without authorization unsigned", () => {
  assert.deepEqual(stand().verdict(sampleHostRequest()), { kind: "unsigned" });
});

Deno.test("verify() notices any change behind the signature", () => {
  const { key, verdict } = stand();
  const request = sampleHostRequest({
    key,
    method: "POST",
    target: "/q?a=1",
    headers: [["x", "1"]],
    body: "text",
  });
  const mismatch = { kind: "bad", guid: key.guid, reason: "signature-mismatch" };
  const replaced = (change: Partial<HostRequest>) => {
    const { endpoint, peer, version, headers, receivedAtMs } = request;
    const changed = {
      method: request.method,
      target: request.target,
      body: request.body,
      ...change,
    };
    const head = new TextDecoder().decode(request.rawHead)
      .replace("POST /q?a=1", `${changed.method} ${changed.target}`);
    return new HostRequest(
      endpoint,
      peer,
      changed.method,
      changed.target,
      version,
      headers,
      new TextEncoder().encode(head),
      changed.body,
      changed.body.length,
      receivedAtMs,
    );
  };
  assert.equal(verdict(replaced({})).kind, "signed");
  assert.deepEqual(verdict(replaced({ method: "PUT" })), mismatch);
  assert.deepEqual(verdict(replaced({ target: "/Q?a=1" })), mismatch);
  assert.deepEqual(verdict(replaced({ target: "/q?a=2" })), mismatch);
  assert.deepEqual(verdict(replaced({ body: new TextEncoder().encode("texT") })), mismatch);
  assert.deepEqual(verdict(tampered(request, "x", "2")), mismatch);
  assert.deepEqual(verdict(tampered(request, "x", null)), mismatch);
  assert.deepEqual(
    verdict(tampered(request, "x-ms-azure-host-claims", '{ "isRoot": "true"}')),
    mismatch,
  );
});

Deno.test("verify() names each thing that is wrong", () => {
  const { keys, key, verdict } = stand();
  const request = sampleHostRequest({ key });
  const authorization = request.field("x-ms-azure-host-authorization")!;
  const other = keys.offer(SAMPLE_MS);
  const cases: [string, HostRequest][] = [
    ["authorization-malformed", tampered(request, "x-ms-azure-host-authorization", "Bearer x")],
    [
      "authorization-malformed",
      tampered(request, "x-ms-azure-host-authorization", authorization.toUpperCase()),
    ],
    [
      "key-unknown",
      tampered(
        request,
        "x-ms-azure-host-authorization",
        authorization.replace(key.guid, "00000000-0000-0000-0000-000000000000"),
      ),
    ],
    ["key-not-latched", sampleHostRequest({ key: other })],
    ["date-missing", tampered(request, "x-ms-azure-host-date", null)],
    ["date-malformed", tampered(request, "x-ms-azure-host-date", "2026-01-06T07:08:09Z")],
    ["date-too-far", sampleHostRequest({ key, dateMs: SAMPLE_MS + MAX_SKEW_MS + 1_000 })],
    ["date-too-far", sampleHostRequest({ key, dateMs: SAMPLE_MS - MAX_SKEW_MS - 1_000 })],
    ["claims-missing", tampered(request, "x-ms-azure-host-claims", null)],
    ["claims-malformed", tampered(request, "x-ms-azure-host-claims", '{"isRoot":"true"}')],
    [
      "several-authorization-fields",
      sampleHostRequest({ key, headers: [["x-ms-azure-host-authorization", "forged"]] }),
    ],
  ];
  for (const [reason, bad] of cases) {
    const found = verdict(bad);
    assert.equal(found.kind === "bad" ? found.reason : found.kind, reason);
  }
});

Deno.test("verify() takes a date within the allowed skew", () => {
  const { key, verdict } = stand();
  assert.equal(verdict(sampleHostRequest({ key, dateMs: SAMPLE_MS + MAX_SKEW_MS })).kind, "signed");
  assert.equal(verdict(sampleHostRequest({ key, dateMs: SAMPLE_MS - MAX_SKEW_MS })).kind, "signed");
});

Deno.test("verify() accepts the previous key for its grace time", () => {
  const { keys, key, verdict } = stand();
  const next = keys.rotate(SAMPLE_MS);
  keys.offer(SAMPLE_MS);
  keys.latch(next.guid, SAMPLE_MS);
  const request = sampleHostRequest({ key });
  assert.deepEqual(verdict(request, SAMPLE_MS + 999), {
    kind: "signed",
    guid: key.guid,
    standing: "previous",
  });
  assert.deepEqual(verdict(request, SAMPLE_MS + 1_000), {
    kind: "bad",
    guid: key.guid,
    reason: "key-unknown",
  });
});

Deno.test("verify() takes for an attestation the key that it attests and no other", () => {
  const { keys, key, verdict } = stand();
  const offered = keys.offer(SAMPLE_MS);
  const attestation = sampleHostRequest({ key: offered });
  assert.deepEqual(verdict(attestation, SAMPLE_MS, offered.guid), {
    kind: "signed",
    guid: offered.guid,
    standing: "offered",
  });
  const wrongKey = verdict(sampleHostRequest({ key }), SAMPLE_MS, offered.guid);
  assert.equal(wrongKey.kind === "bad" && wrongKey.reason, "key-unknown");
});

Deno.test("isRootClaim() reads the two exact values and nothing else", () => {
  const claim = (...values: string[]) =>
    isRootClaim(sampleHostRequest({
      headers: values.map((value) => ["x-ms-azure-host-claims", value]),
    }));
  assert.equal(claim('{ "isRoot": "true"}'), true);
  assert.equal(claim('{ "isRoot": "false"}'), false);
  for (const other of ['{"isRoot": "true"}', '{ "isRoot": true}', '{ "isRoot": "true" }', ""]) {
    assert.equal(claim(other), null, other);
  }
  assert.equal(claim(), null);
  assert.equal(claim('{ "isRoot": "true"}', '{ "isRoot": "true"}'), null);
});
