import assert from "node:assert/strict";
import { parseJunit } from "../../../../tools/test/junit.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="1" errors="0" time="0.062">
    <testsuite name="./a_test.ts" tests="4" disabled="1" errors="0" failures="1">
        <testcase name="f() x" classname="./a_test.ts" time="0.001" line="2" col="6">
        </testcase>
        <testcase name="later" classname="./a_test.ts" time="0.000" line="3" col="11">
            <skipped/>
        </testcase>
        <testcase name="bad &lt;&amp;&gt; &quot;one&quot;" classname="./a_test.ts" time="0.001">
            <failure message="Uncaught Error: boom">Error: boom
    at file:///a_test.ts:4:40</failure>
        </testcase>
        <testcase name="short" classname="./a_test.ts" time="0.001"/>
    </testsuite>
</testsuites>`;

Deno.test("parseJunit() reads outcomes, names and what was thrown", () => {
  assert.deepEqual(parseJunit(REPORT), [
    { name: "f() x", file: "./a_test.ts", outcome: "passed", message: "" },
    { name: "later", file: "./a_test.ts", outcome: "skipped", message: "" },
    {
      name: 'bad <&> "one"',
      file: "./a_test.ts",
      outcome: "failed",
      message: "Error: boom\n    at file:///a_test.ts:4:40",
    },
    { name: "short", file: "./a_test.ts", outcome: "passed", message: "" },
  ]);
});

Deno.test("parseJunit() finds nothing in an empty report", () => {
  assert.deepEqual(parseJunit("<testsuites></testsuites>"), []);
});
