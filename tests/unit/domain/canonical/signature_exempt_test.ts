import assert from "node:assert/strict";
import {
  bodyLimitBytes,
  isSignatureExempt,
  splitTarget,
} from "../../../../src/domain/canonical/mod.ts";
import type { EndpointName } from "../../../../src/domain/wire/mod.ts";
import { readVectors } from "../../../vectors/read.ts";

interface Exempt {
  readonly method: string;
  readonly target: string;
  readonly endpoint: EndpointName | null;
  readonly exempt: boolean;
}

for (
  const vector of readVectors<Exempt>("target/exempt.json", [
    "method",
    "target",
    "endpoint",
    "exempt",
  ])
) {
  Deno.test(`isSignatureExempt() is ${vector.exempt} for ${vector.id}`, () => {
    assert.equal(
      isSignatureExempt(vector.method, vector.target, vector.endpoint),
      vector.exempt,
      vector.why,
    );
    assert.equal(
      bodyLimitBytes(vector.method, vector.target, vector.endpoint),
      vector.exempt ? 104_857_600 : 102_400,
    );
  });
}

Deno.test("isSignatureExempt() sees the target without its fragment", () => {
  assert.equal(isSignatureExempt("PUT", splitTarget("/vmAgentLog#f").target, "wireserver"), true);
});
