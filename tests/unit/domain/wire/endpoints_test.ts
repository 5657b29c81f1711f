import assert from "node:assert/strict";
import { destinationKind, ENDPOINTS } from "../../../../src/domain/wire/mod.ts";

Deno.test("ENDPOINTS are the platform's addresses", () => {
  assert.deepEqual(ENDPOINTS, {
    wireserver: { address: "168.63.129.16", port: 80 },
    hostga: { address: "168.63.129.16", port: 32526 },
    imds: { address: "169.254.169.254", port: 80 },
    listener: { address: "127.0.0.1", port: 3080 },
  });
});

Deno.test("destinationKind() needs address and port", () => {
  const kindOf = (address: string, port: number) => destinationKind({ address, port }, ENDPOINTS);
  assert.equal(kindOf("169.254.169.254", 80), "imds");
  assert.equal(kindOf("168.63.129.16", 80), "wireserver");
  assert.equal(kindOf("168.63.129.16", 32526), "hostga");
  assert.equal(kindOf("127.0.0.1", 3080), "listener");
  assert.equal(kindOf("168.63.129.16", 8080), "unknown");
  assert.equal(kindOf("169.254.169.253", 80), "unknown");
  assert.equal(kindOf("127.0.0.1", 80), "unknown");
});
