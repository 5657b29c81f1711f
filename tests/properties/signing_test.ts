import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { splitTarget } from "../../src/domain/canonical/mod.ts";
import {
  endorse,
  formatHostDate,
  SecretKey,
  signingQuery,
  stringToSign,
} from "../../src/domain/endorsement/mod.ts";
import type { HeaderField } from "../../src/domain/wire/mod.ts";
import { requiredPermit, sampleKey, sampleRequest } from "../unit/domain/sample_values.ts";
import { check } from "./check.ts";

const queryText = fc.string({ unit: fc.constantFrom(..."abABk01=&&=?%2F+-_.~"), maxLength: 40 });
const query = fc.option(queryText, { nil: null });
const path = fc.string({ unit: fc.constantFrom(..."abXY01-._~/%;:@&=+$,"), maxLength: 30 })
  .map((text) => "/" + text);
const headerName = fc.string({ unit: fc.constantFrom(..."ab-_0z"), minLength: 1, maxLength: 4 });
const headerValue = fc.string({ unit: fc.constantFrom(...'aZ09 \t:="{}~'), maxLength: 12 })
  .map((value) => value.replace(/^[ \t]+|[ \t]+$/g, ""));
const headers = fc.array(fc.tuple(headerName, headerValue), { maxLength: 12 });
const body = fc.uint8Array({ maxLength: 60 });

/** The format as the specification tells it, with no thought for speed. */
function naiveQuery(text: string | null): string {
  const byKey: Record<string, string> = Object.create(null);
  for (const piece of (text ?? "").split("&")) {
    const [rawName, ...rest] = piece.split("=");
    const name = (rawName ?? "").replace(/[A-Z]/g, (letter) => letter.toLowerCase());
    const value = rest.join("=");
    if (name !== "") byKey[name + value] = value === "" ? name : `${name}=${value}`;
  }
  const bytewise = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  return Object.keys(byKey).sort(bytewise).map((key) => byKey[key]).join("&");
}

function naiveString(
  method: string,
  path: string,
  query: string | null,
  headers: readonly HeaderField[],
  body: Uint8Array,
): Buffer {
  const last = new Map(headers);
  last.delete("x-ms-azure-host-authorization");
  const names = [...last.keys()].map((name) => Buffer.from(name)).sort(Buffer.compare);
  return Buffer.concat([
    Buffer.from(`${method}\n`),
    Buffer.from(body),
    Buffer.from("\n"),
    ...names.map((name) => Buffer.from(`${name}:${last.get(name.toString())}\n`)),
    Buffer.from(`${path}\n${naiveQuery(query)}`),
  ]);
}

Deno.test("signingQuery() agrees with the naive reading of the specification", () => {
  check(fc.property(query, (text) => assert.equal(signingQuery(text), naiveQuery(text))));
});

Deno.test("signingQuery() applied again changes nothing", () => {
  check(fc.property(query, (text) => {
    const once = signingQuery(text);
    assert.equal(signingQuery(once), once);
  }));
});

Deno.test("signingQuery() does not depend on the order where no two parameters collide", () => {
  const distinct = fc.uniqueArray(
    fc.tuple(fc.constantFrom("a1", "b2", "c3", "d4", "e5"), fc.constantFrom("", "x", "Y", "%2f")),
    { selector: ([name]) => name, maxLength: 5 },
  );
  check(fc.property(distinct, fc.infiniteStream(fc.nat()), (pairs, randoms) => {
    const text = (list: typeof pairs) => list.map((pair) => pair.join("=")).join("&");
    const shuffled = [...pairs]
      .map((pair) => ({ pair, rank: randoms.next().value as number }))
      .sort((left, right) => left.rank - right.rank).map(({ pair }) => pair);
    assert.equal(signingQuery(text(shuffled)), signingQuery(text(pairs)));
  }));
});

Deno.test("stringToSign() agrees with the naive reading of the specification", () => {
  check(fc.property(path, query, headers, body, (path, query, headers, body) => {
    const text = stringToSign({ method: "POST", path, query, headers, body });
    assert.deepEqual(Buffer.from(text), naiveString("POST", path, query, headers, body));
  }));
});

Deno.test("SecretKey.mac() agrees with the platform's HMAC for keys and messages of any length", () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 200 });
  check(fc.property(key, fc.uint8Array({ maxLength: 300 }), (key, message) => {
    const secret = SecretKey.fromHex(Buffer.from(key).toString("hex"));
    assert.ok(secret.ok);
    assert.equal(
      secret.value.mac(message),
      createHmac("sha256", key).update(message).digest("hex"),
    );
  }));
});

Deno.test("endorse() signs exactly what it sends", () => {
  const framed = fc.constantFrom("length", "chunked");
  const framingNoise = fc.subarray<HeaderField>([
    ["content-length", "77"],
    ["transfer-encoding", "chunked"],
    ["x-ms-azure-host-claims", "forged"],
    ["X-MS-Azure-Host-Authorization", "forged"],
  ]);
  const date = formatHostDate(1_767_683_289_000);
  check(
    fc.property(
      path,
      query,
      headers,
      framingNoise,
      body,
      framed,
      (path, query, headers, noise, body, kind) => {
        const framing = kind === "length"
          ? { kind: "length", bytes: body.byteLength } as const
          : { kind: "chunked" } as const;
        const target = query === null ? path : `${path}?${query}`;
        const request = sampleRequest({
          method: "POST",
          target,
          headers: [...headers, ...noise],
          framing,
        });
        const key = sampleKey();
        const sent = endorse(requiredPermit(request), body, key, date);
        const unsigned = sent.headers.slice(0, -1);
        const parts = splitTarget(sent.target);
        const content = sent.body instanceof Uint8Array ? sent.body : new Uint8Array();
        const signature = key.secret.mac(
          naiveString(sent.method, parts.path, parts.query, unsigned, content),
        );
        assert.deepEqual(sent.headers.at(-1), [
          "x-ms-azure-host-authorization",
          `Azure-HMAC-SHA256 ${key.guid} ${signature}`,
        ]);
        const names = unsigned.map(([name]) => name);
        assert.ok(!(names.includes("content-length") && names.includes("transfer-encoding")));
        assert.equal(names.filter((name) => name.startsWith("x-ms-azure-host-")).length, 2);
      },
    ),
  );
});
