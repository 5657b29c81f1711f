import assert from "node:assert/strict";
import {
  canonicalize,
  isKnownEmbeddedQueryClient,
  splitTarget,
  strictTarget,
  withQueryMark,
} from "../../../../src/domain/canonical/mod.ts";

const KNOWN = "/metadata/scheduledevents%3Fapi-version=2019-08-01";

Deno.test("isKnownEmbeddedQueryClient() knows the one request, with any date", () => {
  assert.equal(isKnownEmbeddedQueryClient("GET", KNOWN), true);
  assert.equal(isKnownEmbeddedQueryClient("GET", KNOWN.replace("2019-08-01", "2020-07-01")), true);
});

const OTHERS: readonly string[] = [
  "/metadata/scheduledevents?api-version=2019-08-01",
  "/metadata/scheduledevents%3fapi-version=2019-08-01",
  "/Metadata/scheduledevents%3Fapi-version=2019-08-01",
  "/metadata/scheduledevents%3Fapi-version=2019-08-0",
  "/metadata/scheduledevents%3Fapi-version=2019-08-0x",
  "/metadata/scheduledevents%3Fapi-version=2019-08-01&",
  "/metadata/scheduledevents%3Fapi-version=2019-08-01?x=1",
  "/metadata/scheduledevents%3Fapi-version=2019-08-01\n",
  "/metadata/scheduledevents%3Fapi-version%3D019-08-01",
  "/metadata/identity/oauth2%3Fapi-version=2019-08-01",
  "http://169.254.169.254/metadata/scheduledevents%3Fapi-version=2019-08-01",
  "",
];

Deno.test("isKnownEmbeddedQueryClient() knows nothing else", () => {
  for (const target of OTHERS) {
    assert.equal(isKnownEmbeddedQueryClient("GET", target), false, target);
    assert.equal(withQueryMark(target), target);
  }
  for (const method of ["POST", "HEAD", "get", ""]) {
    assert.equal(isKnownEmbeddedQueryClient(method, KNOWN), false, method);
  }
});

Deno.test("withQueryMark() makes a request of it that has a canonical form and a strict target", () => {
  assert.deepEqual(canonicalize({ method: "GET", target: KNOWN }), {
    ok: false,
    error: "CANON_EMBQ",
  });
  assert.equal(strictTarget(splitTarget(KNOWN).path, null), "STRICT_EMBEDDED_QUERY");
  const meant = withQueryMark(KNOWN);
  assert.equal(meant, "/metadata/scheduledevents?api-version=2019-08-01");
  const { path, query } = splitTarget(meant);
  assert.equal(strictTarget(path, query), null);
  const request = canonicalize({ method: "GET", target: meant });
  assert.ok(request.ok);
  assert.deepEqual(request.value.segments, ["", "metadata", "scheduledevents"]);
  assert.deepEqual(request.value.query, new Map([["api-version", ["2019-08-01"]]]));
});
