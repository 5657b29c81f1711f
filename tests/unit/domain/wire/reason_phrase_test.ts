import assert from "node:assert/strict";
import { STATUS_CODES } from "node:http";
import { reasonPhrase } from "../../../../src/domain/wire/mod.ts";

/** Names that the standard has changed since, or that the runtime spells differently. */
const OTHERWISE: Readonly<Record<number, string>> = {
  413: "Payload Too Large",
  418: "I'm a teapot",
  422: "Unprocessable Entity",
};
/** In the runtime's table and in no standard any more. */
const WITHDRAWN = [509];

Deno.test("reasonPhrase() has the standard phrase of every status, as the runtime's own table has it", () => {
  for (let status = 100; status < 600; status++) {
    if (WITHDRAWN.includes(status)) continue;
    const expected = OTHERWISE[status] ?? STATUS_CODES[status] ?? null;
    assert.equal(reasonPhrase(status), expected, `${status}`);
  }
});

Deno.test("reasonPhrase() has none for a status that no standard knows", () => {
  for (const status of [0, 99, 299, 599, 600, 1_000]) assert.equal(reasonPhrase(status), null);
});
