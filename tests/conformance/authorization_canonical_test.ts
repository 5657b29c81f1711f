/** The canonical form against the tables of authorization 3.10, 3.12, 3.15 and 3.17. */
import assert from "node:assert/strict";
import {
  canonicalize,
  type Destination,
  renderTarget,
  unicodeLower,
} from "../../src/domain/canonical/mod.ts";
import type { DestinationVector } from "../vectors/authorization_vectors.ts";
import { canonical, lowerCase, rendering } from "../vectors/authorization_vectors.ts";

for (const vector of canonical()) {
  const { method, target, productCode } = vector;
  Deno.test(`canonicalize() reads ${vector.id}`, () => {
    const result = canonicalize({ method, target });
    if (!result.ok) return assert.equal(result.error, productCode, vector.why);
    assert.equal(productCode, null, vector.why);
    const { segments, trailingSlash, query, destination } = result.value;
    assert.deepEqual(segments, vector.segments);
    assert.equal(trailingSlash, vector.trailingSlash);
    assert.deepEqual([...query].sort(([left], [right]) => left < right ? -1 : 1), vector.query);
    assert.deepEqual(comparable(destination), vector.destination);
    assert.equal(renderTarget(result.value), vector.rendered);
    const again = canonicalize({ method, target: renderTarget(result.value) });
    assert.ok(again.ok);
    assert.deepEqual(again.value.segments, segments);
    assert.equal(again.value.trailingSlash, trailingSlash);
    assert.deepEqual(new Map([...again.value.query].sort()), new Map([...query].sort()));
  });
}

function comparable(destination: Destination): DestinationVector {
  const { kind } = destination;
  if (kind !== "unknown") return { kind, family: null, address: null, port: null, host: null };
  const { family, ip, port, hostText } = destination;
  return { kind, family, address: family === "v4" ? ip : null, port, host: hostText };
}

for (const { id, segments, trailingSlash, query, rendered, why } of rendering()) {
  Deno.test(`renderTarget() writes ${id}`, () => {
    const [, ...names] = segments;
    const request = { segments: ["", ...names] as const, trailingSlash, query: new Map(query) };
    assert.equal(renderTarget(request), rendered, why);
  });
}

for (const { id, text, lower, why } of lowerCase()) {
  Deno.test(`unicodeLower() maps ${id}`, () => assert.equal(unicodeLower(text), lower, why));
}
