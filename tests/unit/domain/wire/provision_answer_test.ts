import assert from "node:assert/strict";
import {
  missingPartsOf,
  parseProvisionAnswer,
  provisionAnswerText,
  provisionErrorMessage,
  queryTick,
} from "../../../../src/domain/wire/mod.ts";

Deno.test("provisionAnswerText() is compact JSON in the documented order", () => {
  const text = provisionAnswerText({ errorMessage: "", finished: true });
  assert.equal(text, '{"finished":true,"errorMessage":""}');
  assert.equal(text.length, 35);
});

Deno.test("provisionErrorMessage() has a line for each missing part", () => {
  assert.equal(provisionErrorMessage([]), "");
  assert.equal(
    provisionErrorMessage([
      { part: "ebpfProgramStatus", message: "a" },
      { part: "keyLatchStatus", message: "b" },
      { part: "proxyListenerStatus", message: "c" },
    ]),
    "ebpfProgramStatus - a\r\nkeyLatchStatus - b\r\nproxyListenerStatus - c\r\n",
  );
});

Deno.test("parseProvisionAnswer() reads what provisionAnswerText() writes and refuses the rest", () => {
  const answer = { finished: false, errorMessage: "x\r\n" };
  assert.deepEqual(parseProvisionAnswer(provisionAnswerText(answer)), { ok: true, value: answer });
  for (
    const text of [
      '{"finished":true}',
      '{"errorMessage":""}',
      '{"finished":1,"errorMessage":""}',
      "",
    ]
  ) {
    assert.equal(parseProvisionAnswer(text).ok, false, text);
  }
});

Deno.test("queryTick() reads nanoseconds beyond 64 bits and takes anything odd for 0", () => {
  assert.equal(queryTick("1767683289123456789"), 1767683289123456789n);
  assert.equal(queryTick("-5"), -5n);
  assert.equal(queryTick("+5"), 5n);
  const largest = (1n << 127n) - 1n;
  assert.equal(queryTick(String(largest)), largest);
  assert.equal(queryTick(String(-largest - 1n)), -largest - 1n);
  for (
    const odd of [
      null,
      "",
      "1.5",
      "0x10",
      "1e3",
      " 1",
      "1 ",
      "-",
      String(largest + 1n),
      "9".repeat(40),
    ]
  ) {
    assert.equal(queryTick(odd), 0n, String(odd));
  }
});

Deno.test("provisionErrorMessage() keeps each part to one bounded line", () => {
  const text = provisionErrorMessage([
    { part: "ebpfProgramStatus", message: "no\r\n\nverifier log\nend" },
    { part: "keyLatchStatus", message: "€".repeat(400) },
  ]);
  assert.equal(
    text,
    `ebpfProgramStatus - no verifier log end\r\nkeyLatchStatus - ${"€".repeat(341)}...\r\n`,
  );
});

Deno.test("missingPartsOf() reads what provisionErrorMessage() writes, and leaves the rest out", () => {
  const missing = [
    { part: "ebpfProgramStatus", message: "a - b" },
    { part: "proxyListenerStatus", message: "" },
  ] as const;
  assert.deepEqual(missingPartsOf(provisionErrorMessage(missing)), missing);
  assert.deepEqual(missingPartsOf(""), []);
  assert.deepEqual(missingPartsOf("otherStatus - x\r\nkeyLatchStatus - y"), [
    { part: "keyLatchStatus", message: "y" },
  ]);
});
