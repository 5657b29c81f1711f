import assert from "node:assert/strict";
import { parseCommandLine } from "../../../src/commands/command_line.ts";

const STATUS = { waitSeconds: 0, json: false, detailedExitCodes: false };
const parse = (line: string) => parseCommandLine(line === "" ? [] : line.split(" "));

Deno.test("parseCommandLine() runs the service when nothing is said", () => {
  assert.deepEqual(parse(""), { kind: "service" });
});

Deno.test("parseCommandLine() knows each command in its long and its short form", () => {
  for (const line of ["-v", "--version"]) assert.deepEqual(parse(line), { kind: "version" });
  for (const line of ["-h", "--help", "help"]) assert.deepEqual(parse(line), { kind: "help" });
  for (const line of ["-s", "--status"]) {
    assert.deepEqual(parse(line), { kind: "status", options: STATUS });
  }
  assert.deepEqual(parse("console"), { kind: "console", configFile: null });
});

Deno.test("parseCommandLine() reads the seconds of --wait on either side of --status", () => {
  for (
    const line of ["--status --wait 120", "--wait 120 --status", "-s -w 120", "--status --wait=120"]
  ) {
    assert.deepEqual(
      parse(line),
      { kind: "status", options: { ...STATUS, waitSeconds: 120 } },
      line,
    );
  }
});

Deno.test("parseCommandLine() reads how --status is to answer", () => {
  assert.deepEqual(parse("--status --json --detailed-exit-codes -w 5"), {
    kind: "status",
    options: { waitSeconds: 5, json: true, detailedExitCodes: true },
  });
});

Deno.test("parseCommandLine() gives wrong usage the code of others, or one of its own on demand", () => {
  const code = (line: string) => {
    const parsed = parse(line);
    return parsed.kind === "usage" ? parsed.exitCode : null;
  };
  assert.equal(code("--status --nonsense"), 2);
  assert.equal(code("--status --detailed-exit-codes --nonsense"), 64);
  assert.equal(code("--nonsense --status --detailed-exit-codes"), 64);
});

Deno.test("parseCommandLine() reads the file of console in both forms", () => {
  for (
    const line of [
      "console --config /a.json",
      "--config /a.json console",
      "console --config=/a.json",
    ]
  ) {
    assert.deepEqual(parse(line), { kind: "console", configFile: "/a.json" }, line);
  }
  assert.deepEqual(parse("console --config=/a=b"), { kind: "console", configFile: "/a=b" });
});

Deno.test("parseCommandLine() lets help win over version, version over status, status over console", () => {
  assert.equal(parse("console --status --version --help").kind, "help");
  assert.equal(parse("console --status --version").kind, "version");
  assert.equal(parse("console --status").kind, "status");
});

Deno.test("parseCommandLine() leaves the simulator's arguments alone", () => {
  assert.deepEqual(parse("simulator --version x"), {
    kind: "simulator",
    args: ["--version", "x"],
  });
});

Deno.test("parseCommandLine() leaves the arguments of audit alone", () => {
  assert.deepEqual(parse("audit verify --json x"), {
    kind: "audit",
    args: ["verify", "--json", "x"],
  });
});

Deno.test("parseCommandLine() leaves the arguments of policy alone", () => {
  assert.deepEqual(parse("policy check --json x"), {
    kind: "policy",
    args: ["check", "--json", "x"],
  });
});

Deno.test("parseCommandLine() calls everything else a usage error that names the argument", () => {
  const wrong: [string, RegExp][] = [
    ["--wait 5", /`--wait` goes together with `--status`/],
    ["--version --wait 5", /`--wait` goes together with `--status`/],
    ["console --json", /`--json` goes together with `--status`/],
    ["--detailed-exit-codes", /`--detailed-exit-codes` goes together with `--status`/],
    ["--status --json=1", /`--json` takes no value/],
    ["--config /a", /`--config` goes together with `console`/],
    ["--status --wait", /`--wait` wants a whole number/],
    ["--status --wait -1", /`--wait` wants a whole number/],
    ["--status --wait 1.5", /`--wait` wants a whole number/],
    ["--status --wait 9999999999", /`--wait` wants a whole number/],
    ["console --config", /`--config` wants the path/],
    ["console --config=", /`--config` wants the path/],
    ["--nonsense", /`--nonsense` is no known argument/],
    ["console extra", /`extra` is no known argument/],
    ["--version=1", /`--version` takes no value/],
    ["console simulator", /`simulator` is no known argument/],
  ];
  for (const [line, error] of wrong) {
    const parsed = parse(line);
    assert.equal(parsed.kind, "usage", line);
    assert.match(parsed.kind === "usage" ? parsed.error : "", error);
  }
});

Deno.test("parseCommandLine() hands doctor its own arguments", () => {
  assert.deepEqual(parse("doctor bundle --output /x"), {
    kind: "doctor",
    args: ["bundle", "--output", "/x"],
  });
});

Deno.test("parseCommandLine() hands top and inspect their own arguments", () => {
  assert.deepEqual(parse("top --once"), { kind: "top", args: ["--once"] });
  assert.deepEqual(parse("inspect caller --pid 1"), {
    kind: "inspect",
    args: ["caller", "--pid", "1"],
  });
});
