import assert from "node:assert/strict";
import { isSensitiveTarget } from "../../../../src/agent/audit/sensitive_target.ts";

Deno.test("isSensitiveTarget() knows where tokens, certificates, extension settings and keys are", () => {
  for (
    const target of [
      "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x",
      "/METADATA/Identity/info",
      "/machine/c/r?comp=certificates&incarnation=1",
      "/machine/c/r?comp=config&type=extensionsConfig&incarnation=1",
      "/machine/c/r?comp=config&type=fullConfig",
      "/vmSettings",
      "/extensionArtifact?x",
      "/secure-channel/key",
      "/metadata/instance/compute/userData",
    ]
  ) assert.equal(isSensitiveTarget(target), true, target);
});

Deno.test("isSensitiveTarget() sees through encoded spellings", () => {
  assert.equal(isSensitiveTarget("/metadata/%69dentity/oauth2"), true);
  assert.equal(isSensitiveTarget("/metadata/identit%79/x"), true);
  assert.equal(isSensitiveTarget("/%2569dentity"), true);
});

Deno.test("isSensitiveTarget() looks at the canonical spelling as well", () => {
  const hidden = "/%252569dentity";
  assert.equal(isSensitiveTarget(hidden), false);
  assert.equal(isSensitiveTarget(hidden, "/identity"), true);
  assert.equal(isSensitiveTarget(hidden, "/other"), false);
});

Deno.test("isSensitiveTarget() leaves ordinary requests to counting", () => {
  for (
    const target of [
      "/metadata/instance?api-version=2021-02-01",
      "/machine?comp=goalstate",
      "/metadata/instance/compute/%7Bx%7D",
      "/%",
      "",
    ]
  ) assert.equal(isSensitiveTarget(target), false, target);
});
