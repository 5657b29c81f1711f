import assert from "node:assert/strict";
import { CONFIG_DEFAULTS, decodeConfig, FIXED_STATUS_FOLDER } from "../../src/config.ts";
import { KNOWN_CONFIG_KEYS } from "../../src/config_reader.ts";

const FOLDERS = { logFolder: "/l", eventFolder: "/e", latchKeyFolder: "/k" };

function decode(keys: unknown, context: { namedFile?: boolean; text?: string } = {}) {
  const text = context.text ?? JSON.stringify(keys);
  return decodeConfig(text, {
    namedFile: context.namedFile ?? false,
    environment: (name) => name === "BASE" ? "/base" : undefined,
  });
}

function good(keys: Record<string, unknown>, context: { namedFile?: boolean } = {}) {
  const decoded = decode({ ...FOLDERS, ...keys }, context);
  assert.ok(decoded.ok, JSON.stringify(decoded));
  return decoded.value;
}

function bad(keys: unknown, text?: string): readonly string[] {
  const decoded = decode(keys, text === undefined ? {} : { text });
  assert.ok(!decoded.ok);
  return decoded.error.errors;
}

Deno.test("decodeConfig() fills every default and freezes the result", () => {
  const { config, warnings } = good({});
  assert.deepEqual(config, {
    logFolder: "/l",
    statusFolder: FIXED_STATUS_FOLDER,
    eventFolder: "/e",
    latchKeyFolder: "/k",
    pollKeyStatusIntervalMs: 15_000,
    maxEventFileCount: 30,
    telemetryUpload: true,
    telemetryIntervalMs: 60_000,
    ebpfFileFullPath: null,
    ebpfProgramName: "redirector.o",
    cgroupRoot: "/sys/fs/cgroup",
    bpfFolder: "/sys/fs/bpf/azure-proxy-agent",
    fileLogLevel: "info",
    fileLogLevelForEvents: null,
    fileLogLevelForSystemEvents: "error",
    enableHttpProxyTrace: false,
    matching: "shadow",
    controlSocket: "/run/azure-proxy-agent/control.sock",
    otlpEndpoint: null,
    otlpIntervalMs: 60_000,
    maxConnectionsPerUser: 4096,
    maxConnectionsOfRoot: 16_384,
    requestHeadTimeoutMs: 30_000,
    idleConnectionTimeoutMs: 120_000,
  });
  assert.deepEqual(warnings, []);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(CONFIG_DEFAULTS));
});

Deno.test("decodeConfig() accepts the shipped file of other agents without a warning", () => {
  const { config, warnings } = good({
    monitorIntervalInSeconds: 60,
    pollKeyStatusIntervalInSeconds: 15,
    hostGAPluginSupport: 1,
    wireServerSupport: 2,
    imdsSupport: 2,
    ebpfProgramName: "ebpf_cgroup.o",
    fileLogLevel: "Trace",
    fileLogLevelForEvents: "Info",
    fileLogLevelForSystemEvents: "Info",
    cgroupRoot: "/sys/fs/cgroup",
    canonicalRequestMode: "Shadow",
  });
  assert.deepEqual(warnings, []);
  assert.equal(config.fileLogLevel, "trace");
  assert.equal(config.fileLogLevelForEvents, "info");
  assert.equal(config.fileLogLevelForSystemEvents, "info");
  assert.equal(config.matching, "shadow");
  assert.equal(config.ebpfProgramName, "ebpf_cgroup.o");
});

Deno.test("decodeConfig() takes every key that has an effect", () => {
  const { config } = good({
    statusFolder: "/s",
    pollKeyStatusIntervalInSeconds: 1,
    maxEventFileCount: 0,
    telemetryUpload: false,
    telemetryIntervalInSeconds: 5,
    ebpfFileFullPath: "/x.o",
    bpfFolder: "/sys/fs/bpf/other",
    enableHttpProxyTrace: true,
    maxConnectionsPerUser: 7,
    maxConnectionsOfRoot: 8,
    requestHeadTimeoutInSeconds: 2,
    idleConnectionTimeoutInSeconds: 3,
  });
  assert.equal(config.statusFolder, "/s");
  assert.equal(config.pollKeyStatusIntervalMs, 1000);
  assert.equal(config.maxEventFileCount, 0);
  assert.equal(config.telemetryUpload, false);
  assert.equal(config.telemetryIntervalMs, 5000);
  assert.equal(config.ebpfFileFullPath, "/x.o");
  assert.equal(config.bpfFolder, "/sys/fs/bpf/other");
  assert.equal(config.enableHttpProxyTrace, true);
  assert.equal(config.maxConnectionsPerUser, 7);
  assert.equal(config.maxConnectionsOfRoot, 8);
  assert.equal(config.requestHeadTimeoutMs, 2000);
  assert.equal(config.idleConnectionTimeoutMs, 3000);
});

Deno.test("decodeConfig() keeps the status file beside the logs when the file was named", () => {
  assert.equal(good({}, { namedFile: true }).config.statusFolder, "/l");
  assert.equal(good({ statusFolder: "/s" }, { namedFile: true }).config.statusFolder, "/s");
  const without = good({ logFolder: "" }, { namedFile: true }).config;
  assert.equal(without.logFolder, null);
  assert.equal(without.statusFolder, FIXED_STATUS_FOLDER);
});

Deno.test("decodeConfig() replaces %NAME% in the folders, and nothing else", () => {
  const { config } = good({
    logFolder: "%BASE%/logs/",
    eventFolder: "/%UNSET%/e",
    latchKeyFolder: "$BASE/~/50%",
    ebpfFileFullPath: "%BASE%/x.o",
  });
  assert.equal(config.logFolder, "/base/logs");
  assert.equal(config.eventFolder, "/UNSET/e");
  assert.equal(config.latchKeyFolder, "$BASE/~/50%");
  assert.equal(config.ebpfFileFullPath, "%BASE%/x.o");
});

Deno.test("decodeConfig() skips a byte-order mark", () => {
  assert.ok(decode(null, { text: `\ufeff${JSON.stringify(FOLDERS)}` }).ok);
});

Deno.test("decodeConfig() warns of an unknown key and names the nearest known one", () => {
  assert.deepEqual(good({ logfolder: "/x", fileLogLevle: "Info", zzz: 1 }).warnings, [
    "`logfolder` is no known key and changes nothing; did you mean `logFolder`?",
    "`fileLogLevle` is no known key and changes nothing; did you mean `fileLogLevel`?",
    "`zzz` is no known key and changes nothing",
  ]);
  assert.deepEqual(good({ canonicalRequest: { mdoe: "enforce" } }).warnings, [
    "`canonicalRequest.mdoe` is no known key and changes nothing; " +
    "did you mean `canonicalRequest.mode`?",
  ]);
});

Deno.test("decodeConfig() bounds what it repeats of an unknown key", () => {
  const [warning = ""] = good({ ["k".repeat(5000)]: 1 }).warnings;
  assert.ok(warning.length < 150, warning);
});

Deno.test("decodeConfig() warns of unknown words and says what is used instead", () => {
  const { config, warnings } = good({
    fileLogLevel: "loud",
    fileLogLevelForEvents: "loud",
    canonicalRequestMode: "maybe",
  });
  assert.equal(config.fileLogLevel, "info");
  assert.equal(config.fileLogLevelForEvents, "info");
  assert.equal(config.matching, "shadow");
  assert.equal(warnings.length, 3);
  assert.equal(
    warnings[0],
    "`fileLogLevel` has the unknown value `loud`, `info` is used; " +
      "use one of error, warn, info, debug, trace",
  );
});

Deno.test("decodeConfig() takes the matching from either spelling of its key, in any case, trimmed", () => {
  const matching = (change: Record<string, unknown>) => good(change).config.matching;
  assert.equal(matching({ canonicalRequestMode: " OFF " }), "compat");
  assert.equal(matching({ canonicalRequestMode: "Enforce" }), "enforce");
  assert.equal(matching({ canonicalRequestMode: "" }), "shadow");
  assert.equal(matching({ canonicalRequest: { mode: "enforce" } }), "enforce");
  assert.equal(matching({ canonicalRequest: {} }), "shadow");
  const both = { canonicalRequestMode: "off", canonicalRequest: { mode: "enforce" } };
  assert.equal(matching(both), "compat", "the key of its own counts");
  assert.deepEqual(good({ canonicalRequest: { mode: "maybe" } }).warnings, [
    "`canonicalRequest.mode` has the unknown value `maybe`, `shadow` is used; " +
    "use one of off, shadow, enforce",
  ]);
  const [error] = bad({ ...FOLDERS, canonicalRequest: 1 });
  assert.equal(error, "`canonicalRequest` is 1, must be an object: keys between { and }");
  const [inner] = bad({ ...FOLDERS, canonicalRequest: { mode: 1 } });
  assert.match(inner ?? "", /^`canonicalRequest`\.mode is 1, must be one of off, shadow, enforce/);
});

Deno.test("decodeConfig() names key, value and remedy, all errors at once", () => {
  const errors = bad({
    logFolder: 5,
    eventFolder: null,
    pollKeyStatusIntervalInSeconds: "15",
    enableHttpProxyTrace: "yes",
    fileLogLevel: 3,
    ebpfFileFullPath: ["x"],
    cgroupRoot: {},
  });
  assert.deepEqual(
    new Set(errors),
    new Set([
      "`logFolder` is 5, must be the path of a folder, a text between quotes",
      "`eventFolder` is null, must be the path of a folder, a text between quotes",
      "`latchKeyFolder` is missing; add it with the path of a folder",
      '`pollKeyStatusIntervalInSeconds` is "15", must be a whole number from 1 to 86400, ' +
      "without quotes",
      '`enableHttpProxyTrace` is "yes", must be true or false, without quotes',
      "`fileLogLevel` is 3, must be one of error, warn, info, debug, trace, between quotes",
      "`ebpfFileFullPath` is an array, must be a text between quotes",
      "`cgroupRoot` is an object, must be the path of a folder, a text between quotes",
    ]),
  );
  assert.equal(errors.length, 8);
});

Deno.test("decodeConfig() refuses numbers that are not whole or out of range", () => {
  const wrong = [
    { pollKeyStatusIntervalInSeconds: 0 },
    { pollKeyStatusIntervalInSeconds: 1.5 },
    { pollKeyStatusIntervalInSeconds: 86_401 },
    { maxEventFileCount: -1 },
    { maxConnectionsPerUser: 0 },
    { maxConnectionsOfRoot: 65_537 },
    { requestHeadTimeoutInSeconds: 0 },
    { idleConnectionTimeoutInSeconds: true },
    { monitorIntervalInSeconds: "60" },
  ];
  for (const keys of wrong) {
    const errors = bad({ ...FOLDERS, ...keys });
    assert.equal(errors.length, 1);
    assert.match(errors[0] ?? "", /must be a whole number from/);
  }
});

Deno.test("decodeConfig() says where the text is no JSON, or repeats a key", () => {
  assert.match(bad(null, '{\n  "logFolder": x\n}')[0] ?? "", /no valid JSON at line 2, column 16/);
  assert.match(bad(null, '{"a":1,"a":2}')[0] ?? "", /a key stands twice at line 1, column 8/);
  assert.match(bad(null, "")[0] ?? "", /no valid JSON at line 1/);
});

Deno.test("decodeConfig() wants an object", () => {
  for (const value of [[], "x", 1, null, true]) {
    assert.match(bad(value)[0] ?? "", /^it must be an object; /);
  }
});

Deno.test("decodeConfig() tells of every value where it comes from", () => {
  const { values } = good({
    eventFolder: "%BASE%/e",
    fileLogLevel: "TRACE",
    enableHttpProxyTrace: true,
    canonicalRequest: { mode: "enforce" },
    pollKeyStatusIntervalInSeconds: 3,
  }, { namedFile: true });
  const told = Object.fromEntries(values.map(({ key, value, origin }) => [key, [value, origin]]));
  assert.equal(Object.keys(told).length, values.length, "each once");
  assert.deepEqual(told["logFolder"], ["/l", "file"]);
  assert.deepEqual(told["eventFolder"], ["/base/e", "environment"]);
  assert.deepEqual(told["statusFolder"], ["/l", "default"]);
  assert.deepEqual(told["fileLogLevel"], ["trace", "file"]);
  assert.deepEqual(told["enableHttpProxyTrace"], [true, "file"]);
  assert.deepEqual(told["canonicalRequestMode"], ["enforce", "file"]);
  assert.deepEqual(told["pollKeyStatusIntervalInSeconds"], [3, "file"]);
  assert.deepEqual(told["ebpfFileFullPath"], [null, "default"]);
  assert.deepEqual(told["maxConnectionsOfRoot"], [16_384, "default"]);
});

Deno.test("decodeConfig() tells of every key that has an effect", () => {
  const told = new Set(good({}).values.map(({ key }) => key));
  const without = KNOWN_CONFIG_KEYS.filter((key) => !told.has(key));
  assert.deepEqual(without, [
    "canonicalRequest",
    "monitorIntervalInSeconds",
    "hostGAPluginSupport",
    "wireServerSupport",
    "imdsSupport",
  ]);
});

Deno.test("docs/configuration.md lists every key with its default", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/configuration.md", import.meta.url));
  const rows = new Map<string, readonly string[]>();
  for (const line of text.split("\n")) {
    const cells = line.split("|").map((cell) => cell.trim());
    const key = /^`(\w+)`$/.exec(cells[1] ?? "")?.[1];
    if (key !== undefined) rows.set(key, cells);
  }
  assert.deepEqual([...rows.keys()].sort(), [...KNOWN_CONFIG_KEYS].sort());
  for (const [key, value] of Object.entries(CONFIG_DEFAULTS)) {
    assert.equal(rows.get(key)?.[3], `\`${value}\``, key);
  }
});

Deno.test("decodeConfig() takes an empty text for no control socket, and a collector only by its whole address", () => {
  const decode = (more: object) =>
    decodeConfig(
      JSON.stringify({ logFolder: "/l", eventFolder: "/e", latchKeyFolder: "/k", ...more }),
      { environment: () => undefined, namedFile: false },
    );
  const none = decode({ controlSocket: "", otlpEndpoint: "" });
  assert.ok(none.ok);
  assert.equal(none.value.config.controlSocket, null);
  assert.equal(none.value.config.otlpEndpoint, null);
  const set = decode({
    otlpEndpoint: "http://127.0.0.1:4318/v1/metrics",
    otlpIntervalInSeconds: 5,
  });
  assert.ok(set.ok);
  assert.equal(set.value.config.otlpEndpoint, "http://127.0.0.1:4318/v1/metrics");
  assert.equal(set.value.config.otlpIntervalMs, 5_000);
  for (const otlpEndpoint of ["127.0.0.1:4318", "file:///etc/passwd", "collector"]) {
    const wrong = decode({ otlpEndpoint });
    assert.ok(!wrong.ok);
    assert.equal(
      wrong.error.errors.join(),
      `\`otlpEndpoint\` is \`${otlpEndpoint}\`, must be a whole address such as ` +
        "http://127.0.0.1:4318/v1/metrics",
    );
  }
  const secret = decode({ otlpEndpoint: "http://me:hush@127.0.0.1:4318/v1/metrics" });
  assert.ok(!secret.ok);
  assert.match(secret.error.errors.join(), /`otlpEndpoint` holds a user name or password/);
  assert.ok(!JSON.stringify(secret.error).includes("hush"));
});

Deno.test("decodeConfig() tells with the errors what is odd, so that a misspelt folder is named", () => {
  const { logFolder, eventFolder } = FOLDERS;
  const decoded = decode({ logFolder, eventFolder, latchKeyFoler: "/k", fileLogLevel: 3 });
  assert.ok(!decoded.ok);
  assert.deepEqual(decoded.error, {
    errors: [
      "`latchKeyFolder` is missing; add it with the path of a folder",
      "`fileLogLevel` is 3, must be one of error, warn, info, debug, trace, between quotes",
    ],
    warnings: [
      "`latchKeyFoler` is no known key and changes nothing; did you mean `latchKeyFolder`?",
    ],
  });
});

Deno.test("decodeConfig() wants something in every path but those that may be empty", () => {
  const empty = ["eventFolder", "latchKeyFolder", "statusFolder", "cgroupRoot", "bpfFolder"];
  for (const key of empty) {
    assert.deepEqual(bad({ ...FOLDERS, [key]: "" }), [
      `\`${key}\` is "", must be the path of a folder, a text between quotes`,
    ]);
  }
  assert.match(bad({ ...FOLDERS, ebpfProgramName: "" })[0] ?? "", /must be the name of a file/);
  const { config } = good({ logFolder: "", controlSocket: "", ebpfFileFullPath: "" });
  assert.equal(config.logFolder, null);
  assert.equal(config.controlSocket, null);
  assert.equal(config.ebpfFileFullPath, null);
});

Deno.test("decodeConfig() warns of paths that depend on where the agent is started, and of unset variables", () => {
  const { warnings } = good({
    logFolder: "logs",
    eventFolder: "%UNSET%/e",
    controlSocket: "run/control.sock",
    ebpfFileFullPath: "%BASE%/x.o",
    statusFolder: "/s",
  });
  const relative = (key: string, path: string) =>
    `\`${key}\` is \`${path}\`, which depends on the folder that the agent is started in; ` +
    "begin it with /";
  assert.deepEqual(warnings, [
    relative("logFolder", "logs"),
    "`eventFolder` names the variable `UNSET`, which is not set: its bare name is used; " +
    "set it for the service or write the path out",
    relative("eventFolder", "UNSET/e"),
    relative("ebpfFileFullPath", "%BASE%/x.o"),
    relative("controlSocket", "run/control.sock"),
  ]);
  assert.deepEqual(good({}).warnings, []);
});
