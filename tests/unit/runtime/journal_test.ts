import assert from "node:assert/strict";
import { isJournalStream, journalPrefix } from "../../../src/runtime/journal.ts";

Deno.test("journalPrefix() is the priority of syslog in angle brackets", () => {
  const levels = ["error", "warn", "info", "debug", "trace"] as const;
  assert.deepEqual(levels.map(journalPrefix), ["<3>", "<4>", "<6>", "<7>", "<7>"]);
});

Deno.test("isJournalStream() is true of the very stream that the variable names", () => {
  assert.equal(isJournalStream("8:12345", { dev: 8, ino: 12345 }), true);
  assert.equal(isJournalStream("8:12345", { dev: 8n, ino: 12345n }), true);
  assert.equal(isJournalStream("8:12345", { dev: 8, ino: 12346 }), false);
  assert.equal(isJournalStream("8:12345", { dev: 9, ino: 12345 }), false);
  assert.equal(isJournalStream("8:123456", { dev: 8, ino: 12345 }), false);
  assert.equal(isJournalStream("", { dev: 0, ino: 0 }), false);
  assert.equal(isJournalStream(undefined, { dev: 8, ino: 12345 }), false);
});
