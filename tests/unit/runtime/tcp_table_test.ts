import assert from "node:assert/strict";
import { listeningSockets } from "../../../src/runtime/tcp_table.ts";

Deno.test("listeningSockets() finds who listens on the address or on all, and nobody else", () => {
  const line = (local: string, state: string, inode: number, uid = 0) =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${uid} 0 ${inode} 1 0`;
  const table = [
    "  sl  local_address",
    line("0100007F:0C08", "0A", 1),
    line("00000000:0C08", "0A", 2, 1000),
    line("0100007F:0C08", "01", 3),
    line("0100007F:0C09", "0A", 4),
    line("0200007F:0C08", "0A", 5),
    "",
  ].join("\n");
  assert.deepEqual(listeningSockets(table, { address: "127.0.0.1", port: 3080 }), [
    { inode: "1", uid: 0 },
    { inode: "2", uid: 1000 },
  ]);
  assert.deepEqual(listeningSockets("", { address: "127.0.0.1", port: 3080 }), []);
});
