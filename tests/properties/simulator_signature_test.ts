import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { splitTarget } from "../../src/domain/canonical/mod.ts";
import { stringToSign as agentText } from "../../src/domain/endorsement/mod.ts";
import { bytesToSign as hostBytes } from "../../src/simulator/mod.ts";
import { check } from "./check.ts";

const target = fc.string({ unit: fc.constantFrom(..."aB/?&=%2f+-._~"), maxLength: 40 })
  .map((text) => "/" + text);
const name = fc.string({ unit: fc.constantFrom(..."aB-_0z"), minLength: 1, maxLength: 4 });
const value = fc.string({ unit: fc.constantFrom(...'aZ09 \t:="{}~'), maxLength: 12 });
const trimmed = (text: string) => text.replace(/^[ \t]+|[ \t]+$/g, "");

Deno.test("the simulated host reads from raw bytes what the agent signs, for any head and body", () => {
  check(fc.property(
    fc.constantFrom("GET", "POST", "PUT"),
    target,
    fc.array(fc.tuple(name, value), { maxLength: 12 }),
    fc.uint8Array({ maxLength: 60 }),
    (method, target, headers, body) => {
      const lines = [`${method} ${target} HTTP/1.1`, ...headers.map(([n, v]) => `${n}:${v}`)];
      const head = Buffer.from(lines.join("\r\n") + "\r\n\r\n", "latin1");
      const { path, query } = splitTarget(target);
      const signed = headers.map(([n, v]) => [n.toLowerCase(), trimmed(v)] as const);
      const text = agentText({ method, path, query, headers: signed, body });
      assert.ok(Buffer.from(hostBytes(head, body)).equals(Buffer.from(text)));
    },
  ));
});
