import assert from "node:assert/strict";
import { policyCommand } from "../../../src/commands/policy.ts";
import { makeDenial } from "../agent/audit/entries.ts";
import {
  auditLine,
  callerOf,
  sampleItemJson,
  sampleStatusJson,
  sourceOf,
  withFolder,
} from "../operator/policy_tools/samples.ts";
import { MemoryOutput } from "./fakes.ts";

async function run(args: readonly string[], stdin = "") {
  const output = new MemoryOutput();
  const code = await policyCommand(args, output, {
    executable: "/nowhere/azure-proxy-agent",
    stdin: sourceOf(stdin, 1000),
    environment: () => undefined,
  });
  return { code, out: output.stdout, err: output.stderr };
}

interface Files {
  readonly folder: string;
  write(name: string, content: unknown): string;
}

function withFiles(body: (files: Files) => Promise<void>): Promise<void> {
  return withFolder((folder) =>
    body({
      folder,
      write(name, content) {
        const path = `${folder}/${name}`;
        Deno.writeTextFileSync(
          path,
          typeof content === "string" ? content : JSON.stringify(content),
        );
        return path;
      },
    })
  );
}

const ALLOWED = [
  "--request",
  "GET http://169.254.169.254/metadata/instance?api-version=2021-02-01",
];
const ALICE = ["--caller", "user=alice,exe=/usr/bin/curl"];

Deno.test("policyCommand() explains itself and each tool, and wrong usage", async () => {
  for (const args of [["--help"], ["help"], ["-h"]]) {
    const { code, out } = await run(args);
    assert.equal(code, 0);
    assert.match(out, /^Usage: azure-proxy-agent policy check\|explain\|diff\|suggest\|schema/);
  }
  for (const tool of ["check", "explain", "diff", "suggest"]) {
    const { code, out } = await run([tool, "--help"]);
    assert.equal(code, 0);
    assert.match(out, new RegExp(`^Usage: azure-proxy-agent policy ${tool}`));
    assert.match(out, /Exit codes: 0 /);
    for (const line of out.split("\n")) assert.ok(line.length <= 128, line);
  }
  for (
    const [args, error] of [
      [[], /^`policy` wants the name of a tool/],
      [["chekc"], /^no tool `chekc`; name check, explain/],
      [["check"], /wants one file/],
      [["check", "a", "b"], /wants one file/],
      [["check", "a", "--as", "x"], /^`--as x` is not known; write one of status, rules/],
      [["check", "--nope"], /--nope/],
      [["check", "schema", "x"], /^no schema `x`; name item or local/],
      [["schema", "item", "local"], /^no schema `item local`/],
      [["explain"], /^Name one of --request, --from-audit and --batch/],
      [["explain", "--batch", ...ALLOWED], /^Name one of/],
      [["explain", ...ALLOWED], /^Name the caller: --caller user=NAME/],
      [["explain", "--batch", ...ALICE], /`--caller` goes together with `--request`/],
      [["explain", ...ALLOWED, ...ALICE, "stray"], /^`stray` is no option; quote/],
      [["explain", ...ALLOWED, ...ALICE, "--endpoint", "x"], /`--endpoint x` is not known/],
      [["explain", ...ALLOWED, ...ALICE, "--matching", "off"], /`--matching off` is not known/],
      [["explain", ...ALLOWED, ...ALICE, "--as", "y"], /`--as y` is not known/],
      [["explain", "--request"], /--request/],
      [["diff", "a"], /wants two files: OLD NEW/],
      [["diff", "a", "b", "c"], /wants two files/],
      [["diff", "a", "b", "--limit", "x"], /`--limit x` must be a whole number/],
      [["diff", "a", "b", "--as", "x"], /--as x/],
      [["diff", "a", "b", "--matching", "x"], /--matching x/],
      [["diff", "--what"], /--what/],
      [["suggest"], /^Name the audit log: --audit FILE/],
      [["suggest", "--audit", "-", "--replay"], /reads the log twice; name a file/],
      [["suggest", "--audit", "a", "--mode", "x"], /--mode x/],
      [["suggest", "--audit", "a", "--endpoint", "x"], /--endpoint x/],
      [["suggest", "--nope"], /--nope/],
    ] as const
  ) {
    const { code, out, err } = await run(args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(out, "");
    assert.match(err, error);
    assert.match(err, /\n\nUsage: /);
  }
});

Deno.test("policy check says what is wrong and where, and ends with 0, 1 or 2", () =>
  withFiles(async ({ write }) => {
    const good = write("good.json", sampleStatusJson({ imds: sampleItemJson() }));
    const fine = await run(["check", "--other-machine", good]);
    assert.equal(fine.code, 0);
    assert.match(
      fine.out,
      /^.*good\.json: 0 errors, 0 warnings, 0 notes\n {2}read as a status document/,
    );
    assert.match(fine.out, /imds "sample": 1 privileges, self-test of \d+ requests/);
    const bad = write("bad.json", { imds: sampleItemJson({ mode: "on" }) });
    const broken = await run(["check", bad]);
    assert.equal(broken.code, 1);
    assert.match(
      broken.out,
      /1 error, .*\nerror {4}\$\.imds\.mode {2}MEMBER_VALUE\n {9}\$\.imds\.mode is "on"/s,
    );
    const json = JSON.parse((await run(["check", "--json", bad])).out);
    assert.deepEqual([json.verdict, json.kind, json.findings[0].path], [
      "findings",
      "rules",
      "$.imds.mode",
    ]);
    assert.equal(
      JSON.parse((await run(["check", "--json", "--other-machine", good])).out).verdict,
      "ok",
    );
    assert.match((await run(["check", write("odd.json", "[]")])).out, /not recognised/);
    const missing = await run(["check", "/no/such.json"]);
    assert.equal(missing.code, 2);
    assert.match(missing.err, /^`\/no\/such\.json` cannot be read: ENOENT/);
    const missingJson = await run(["check", "--json", "/no/such.json"]);
    assert.equal(JSON.parse(missingJson.out).verdict, "error");
    const { code } = await run(
      ["check", "-", "--as", "local"],
      '{"defaultAccess":"deny","rules":{}}',
    );
    assert.equal(code, 1, "everything is denied, which is worth a warning");
    Deno.writeFileSync(good, Uint8Array.of(0xff));
    assert.match((await run(["check", good])).err, /is not UTF-8; save it as UTF-8/);
  }));

Deno.test("policy check schema prints the schema of the parser", async () => {
  for (const args of [["check", "schema"], ["schema", "item"], ["schema", "--json"]]) {
    const { code, out } = await run(args);
    assert.equal(code, 0);
    assert.ok("rules" in JSON.parse(out).properties);
  }
  const local = JSON.parse((await run(["check", "schema", "local"])).out);
  assert.ok(!("mode" in local.properties));
});

Deno.test("policy explain says why, and ends with 0 for allow and flag, and 1 for deny", () =>
  withFiles(async ({ write }) => {
    const policy = ["--policy", write("p.json", sampleItemJson())];
    const allowed = await run(["explain", ...ALLOWED, ...ALICE, ...policy]);
    assert.equal(allowed.code, 0);
    assert.match(allowed.out, /^ALLOW \(rule\)/);
    const denied = await run(["explain", ...ALLOWED, "--caller", "user=bob", ...policy]);
    assert.equal(denied.code, 1);
    assert.match(denied.out, /^DENY with 403 \(rule-denied\)/);
    const audit = ["--policy", write("a.json", sampleItemJson({ mode: "audit" }))];
    const flagged = await run(["explain", ...ALLOWED, "--caller", "", ...audit]);
    assert.equal(flagged.code, 0);
    assert.match(flagged.out, /^FLAG \(rule-denied\)/);
    const json = await run(["explain", "--json", ...ALLOWED, "--caller", "", ...policy]);
    assert.equal(json.code, 1);
    const { verdict, source } = JSON.parse(json.out);
    assert.equal(verdict, "deny");
    assert.match(source, /p\.json, the rules of one endpoint/);
    const longer = [
      "--request",
      "GET /metadata/instances?api-version=2021-02-01",
      "--endpoint",
      "imds",
    ];
    assert.equal((await run(["explain", ...longer, ...ALICE, ...policy])).code, 0);
    const strict = await run(["explain", ...longer, ...ALICE, ...policy, "--matching", "enforce"]);
    assert.equal(strict.code, 1);
  }));

Deno.test("policy explain names what it cannot use", () =>
  withFiles(async ({ folder, write }) => {
    const policy = ["--policy", write("p.json", sampleItemJson())];
    const rules = { ...sampleItemJson().rules, privileges: [{ name: "instance", path: "/a?b" }] };
    const unfit = write("unfit.json", sampleItemJson({ rules }));
    const config = write("config.json", {
      logFolder: folder,
      eventFolder: folder,
      latchKeyFolder: folder,
    });
    for (
      const [args, error] of [
        [[...ALLOWED, ...ALICE, "--policy", "/no"], /^`\/no` cannot be read/],
        [
          [...ALLOWED, ...ALICE, "--policy", write("x", "{")],
          /`.*x` is wrong: not JSON.*policy check/,
        ],
        [[...ALLOWED, ...ALICE, "--policy", unfit], /cannot be used: the agent would refuse/],
        [[...ALLOWED, "--caller", "uid=0", ...policy], /`uid` is no part of a caller/],
        [["--request", "GET /a", ...ALICE, ...policy], /names no endpoint/],
        [["--from-audit", "nothing", ...policy], /neither a line of the audit log nor FILE:NUMBER/],
        [["--from-audit", "/no:1", ...policy], /^`\/no` cannot be read/],
        [["--from-audit", "{}", ...policy], /about no request with a known caller/],
        [["--from-audit", "{", ...policy], /^The audit line cannot be read/],
        [[...ALLOWED, ...ALICE, "--config", "/no"], /^The configuration `\/no` cannot be read/],
        [
          [...ALLOWED, ...ALICE, "--config", config],
          /no rule dump of an agent in .*; name the rules/,
        ],
      ] as const
    ) {
      const { code, err, out } = await run(["explain", ...args]);
      assert.equal(code, 2, err);
      assert.equal(out, "");
      assert.match(err, error);
    }
  }));

Deno.test("policy explain takes the agent's newest dump and its matching where no rules are named", () =>
  withFiles(async ({ folder, write }) => {
    const config = write("config.json", {
      logFolder: folder,
      eventFolder: folder,
      latchKeyFolder: folder,
      canonicalRequestMode: "enforce",
    });
    write("AuthorizationRules_2026-07-22T10.00.00.000-1784714400000000000.json", {
      inputRules: { imds: sampleItemJson() },
      computedRules: {
        wireserver: { mode: "Enforce", kind: "built-in" },
        imds: { mode: "Enforce", kind: "rules" },
        hostga: { mode: "Enforce", kind: "built-in" },
      },
      policyEpoch: 41,
    });
    const { code, out } = await run(["explain", ...ALLOWED, ...ALICE, "--config", config]);
    assert.equal(code, 0);
    assert.match(out, /a dump of the rules that an agent installed, policy 41\n/);
    assert.match(out, /mode enforce, matching enforce\n/);
  }));

Deno.test("policy explain --from-audit asks about a recorded request, and tells what was recorded", () =>
  withFiles(async ({ write }) => {
    const policy = ["--policy", write("p.json", sampleItemJson())];
    const caller = callerOf("alice");
    const denial = auditLine(makeDenial({ caller, reason: "default-denied", target: "/other" }));
    const log = write("log", `${auditLine({ caller })}\n${denial}\n`);
    const first = await run(["explain", "--from-audit", `${log}:1`, ...policy]);
    assert.equal(first.code, 0);
    assert.match(first.out, /\nnote: recorded 2026-07-22T00:00:00\.000Z: allow, policy 7\n/);
    const second = await run(["explain", "--json", "--from-audit", `${log}:2`, ...policy]);
    assert.equal(second.code, 1);
    const json = JSON.parse(second.out);
    assert.deepEqual([json.reason, json.notes.length], ["default-denied", 1]);
    assert.equal((await run(["explain", "--from-audit", denial, ...policy])).code, 1);
    const other = await run(
      ["explain", "--from-audit=-:1", ...policy],
      `${denial.replace('"deny"', '"allow"')}\n`,
    );
    assert.match(other.out, /these rules say deny: they are not those that decided then/);
    const behind = await run(["explain", "--from-audit", `${log}:3`, ...policy]);
    assert.match(behind.err, /has 2 lines; there is no line 3/);
  }));

Deno.test("policy explain --batch answers every line, in order, with exit code 0", async () => {
  const question = {
    item: sampleItemJson(),
    endpoint: "imds",
    method: "GET",
    target: "/metadata/instance?api-version=2021-02-01",
    caller: { userName: "alice", processFullPath: "/usr/bin/curl" },
  };
  const lines = [
    JSON.stringify(question),
    "{broken",
    JSON.stringify({ ...question, target: "/other" }),
    "",
    JSON.stringify({ ...question, target: "/metadata/instances?api-version=2021-02-01" }),
  ];
  const { code, out, err } = await run(["explain", "--batch"], lines.join("\n"));
  assert.deepEqual([code, err], [0, ""]);
  const answers = out.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(answers.map(({ verdict, error }) => verdict ?? error), [
    "allow",
    "not JSON at offset 1",
    "deny",
    "the line is no JSON object",
    "allow",
  ]);
  const strict = await run(["explain", "--batch", "--matching", "enforce"], lines[4]);
  assert.equal(JSON.parse(strict.out).reason, "matchers-disagree");
});

Deno.test("policy explain --batch ends with 2 when its input breaks off", async () => {
  const output = new MemoryOutput();
  const code = await policyCommand(["explain", "--batch"], output, {
    executable: "/x",
    stdin: { read: () => Promise.reject(new Deno.errors.BrokenPipe("gone")) },
    environment: () => undefined,
  });
  assert.equal(code, 2);
  assert.match(output.stderr, /^The standard input cannot be read: /);
});

Deno.test("policy diff ends with 1 when something is widened", () =>
  withFiles(async ({ write }) => {
    const strict = write("old.json", { imds: sampleItemJson() });
    const open = write("new.json", { imds: sampleItemJson({ defaultAccess: "allow" }) });
    const log = write("log", `${auditLine({ target: "/somewhere" })}\n`);
    const same = await run(["diff", strict, strict]);
    assert.equal(same.code, 0);
    assert.match(same.out, /^no difference found/);
    const wider = await run(["diff", strict, open, "--audit", log, "--audit", log, "--limit", "3"]);
    assert.equal(wider.code, 1);
    assert.match(wider.out, /^WIDENED: .*\n.* 2 of the audit log\n/);
    assert.match(wider.out, /GET \/somewhere \(in the audit log, 2 times\)/);
    const narrower = await run(["diff", open, strict, "--json"]);
    assert.equal(narrower.code, 0);
    assert.equal(JSON.parse(narrower.out).verdict, "narrowed");
    for (const args of [["/no", strict], [strict, "/no"], [strict, strict, "--audit", "/no"]]) {
      const { code, err } = await run(["diff", ...args]);
      assert.equal(code, 2);
      assert.match(err, /^`\/no` cannot be read/);
    }
    const rules = { ...sampleItemJson().rules, privileges: [{ name: "instance", path: "/a?b" }] };
    const unfit = write("unfit.json", sampleItemJson({ rules }));
    assert.match((await run(["diff", strict, unfit])).err, /unfit\.json` cannot be used/);
  }));

Deno.test("policy suggest prints rules that policy check accepts, and proves them", () =>
  withFiles(async ({ write }) => {
    const caller = callerOf("alice");
    const log = write("log", `${auditLine({ caller })}\n`);
    const more = write("more", `${auditLine({ caller, target: "/other" })}\nbroken\n`);
    const { code, out, err } = await run(["suggest", "--audit", log, more, "--replay"]);
    assert.equal(code, 0, err);
    assert.match(err, /^2 grants for 2 requests in 3 lines\n/);
    assert.match(err, /left out 1 lines that are none of the log, first .*more:2/);
    assert.match(err, /replay {3}2 of 2 requests of the log are allowed in every matching\n/);
    const suggested = write("s.json", out);
    assert.equal((await run(["check", "--other-machine", suggested])).code, 0);
    const allowed = await run(["explain", "--from-audit", `${log}:1`, "--policy", suggested]);
    assert.equal(allowed.code, 0);
    const json = JSON.parse((await run(["suggest", "--audit", log, "--json"])).out);
    assert.deepEqual([json.verdict, json.grants.length, json.replay], ["ok", 1, null]);
    const item = await run(["suggest", "--audit", log, "--endpoint", "imds", "--mode", "audit"]);
    assert.equal(JSON.parse(item.out).mode, "audit");
    const none = await run(["suggest", "--audit", log, "--endpoint", "hostga"]);
    assert.deepEqual([none.code, none.out], [1, "null\n"]);
    const missing = await run(["suggest", "--audit", "/no"]);
    assert.equal(missing.code, 2);
    assert.match(missing.err, /^`\/no` cannot be read/);
  }));
