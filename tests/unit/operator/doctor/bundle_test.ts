import assert from "node:assert/strict";
import { parseTarGzip } from "nanotar";
import {
  collectBundle,
  type DoctorReport,
  packArchive,
} from "../../../../src/operator/doctor/mod.ts";
import { goodMachine, KEY_PATH, NOW_MS, situationOf } from "../../../fakes/fake_machine.ts";

const REPORT: DoctorReport = {
  outcome: "OK",
  version: "1.2.3",
  wallMs: NOW_MS,
  durationMs: 1,
  results: [],
};
const SECRET = "k".repeat(250);

Deno.test("collectBundle() takes documents, rules, ends of logs and facts, says what is missing, and reads no key", async () => {
  const machine = goodMachine();
  machine.files.set("/rules/IMDS_Rules.json", { text: '{"defaultAccess":"deny"}' });
  for (let day = 1; day <= 7; day++) {
    const name = `AuthorizationRules_2026-01-0${day}T07.08.09.123-1767683289123000000.json`;
    machine.files.set(`/log/${name}`, { text: "{}" });
  }
  machine.files.set("/log/ProxyAgent.log", { text: "an old line\ncut here\nlast pwd=hunter2\n" });
  machine.answers.set("/metrics", "requests_total 7\n");
  machine.told.set("systemctl", { code: 0, stdout: "unit text" });
  const { entries, leftOut } = await collectBundle(situationOf(machine), REPORT, 24);
  const texts = new Map(entries.map(({ name, text }) => [name, text]));
  const names = [...texts.keys()];
  for (const name of ["doctor.txt", "doctor.json", "config.json", "status.json"]) {
    assert.ok(names.includes(name), name);
  }
  assert.equal(names.filter((name) => name.startsWith("rules/AuthorizationRules_")).length, 5);
  assert.ok(
    !names.includes("rules/AuthorizationRules_2026-01-01T07.08.09.123-1767683289123000000.json"),
  );
  assert.match(texts.get("rules/IMDS_Rules.json") ?? "", /deny/);
  assert.equal(texts.get("logs/ProxyAgent.log"), "last [REDACTED]\n");
  assert.equal(texts.get("system/unit.txt"), "unit text");
  assert.equal(texts.get("agent/metrics.txt"), "requests_total 7\n");
  assert.ok(leftOut.includes("/v1/attestation of the control socket: no answer"));
  assert.equal(JSON.parse(texts.get("redirection.json") ?? "").links.length, 7);
  assert.match(texts.get("system/folders.txt") ?? "", /0600 0 file 250 .*\.key/);
  assert.ok(leftOut.some((line) => line.includes("bpftool")));
  assert.match(
    texts.get("contents.txt") ?? "",
    /No key file was read[^]*status\.json[^]*Not in here/,
  );
  assert.ok(machine.files.get(KEY_PATH)?.text === SECRET);
  assert.ok(![...texts.values()].some((text) => text.includes(SECRET)));
});

Deno.test("collectBundle() follows no link in the agent's folders, but one to the configuration", async () => {
  const machine = goodMachine();
  const linked = { link: "/etc/shadow", text: "root:secret-hash" };
  const dump = "AuthorizationRules_2026-01-06T07.08.09.123-1767683289123000000.json";
  const paths = [
    "/log/ProxyAgent.log",
    "/log/status.json",
    "/rules/IMDS_Rules.json",
    `/log/${dump}`,
  ];
  for (const path of paths) machine.files.set(path, linked);
  machine.files.set("/etc/azure/proxy-agent.json", { link: "/srv/agent.json", text: '{"a":1}' });
  const { entries, leftOut } = await collectBundle(situationOf(machine), REPORT, 100);
  assert.ok(!entries.some(({ text }) => text.includes("secret-hash")));
  for (const path of paths) {
    assert.ok(leftOut.includes(`${path}: it is a link, and was not followed`));
  }
  assert.match(entries.find(({ name }) => name === "config.json")?.text ?? "", /"a": 1/);
});

Deno.test("collectBundle() goes on where something cannot be read", async () => {
  const machine = goodMachine();
  machine.kernel = { missing: "no libbpf" };
  const read = machine.readText.bind(machine);
  machine.readText = (path, most, from) =>
    path === "/log/ProxyAgent.log" ? Promise.reject(new Error("EACCES")) : read(path, most, from);
  const settings = { configFile: null, statusFolder: "/nowhere" };
  const { entries, leftOut } = await collectBundle(situationOf(machine, settings), REPORT, 100);
  assert.ok(leftOut.includes("/log/ProxyAgent.log: EACCES"));
  const names = entries.map(({ name }) => name);
  assert.ok(!names.includes("config.json") && !names.includes("status.json"));
  assert.match(entries.find(({ name }) => name === "redirection.json")?.text ?? "", /no libbpf/);
});

Deno.test("packArchive() makes a gzipped tar that others can read, its files root's and closed", async () => {
  const entries = [{ name: "a.txt", text: "für\n" }, {
    name: "logs/b.log",
    text: "x".repeat(5000),
  }];
  const files = await parseTarGzip(await packArchive(entries, NOW_MS));
  assert.deepEqual(files.map(({ name, text }) => ({ name, text })), entries);
  assert.equal(parseInt(files[0]?.attrs?.mode ?? "", 8), 0o600);
  assert.equal(files[0]?.attrs?.uid, 0);
});
