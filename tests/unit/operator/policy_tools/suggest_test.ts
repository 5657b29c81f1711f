import assert from "node:assert/strict";
import type { AuditEntry } from "../../../../src/agent/audit/mod.ts";
import { readAuditLine } from "../../../../src/operator/policy_tools/audit_line.ts";
import {
  MOST_VARIANTS_OF_A_PATH,
  Observations,
} from "../../../../src/operator/policy_tools/observations.ts";
import { suggestRules } from "../../../../src/operator/policy_tools/suggest.ts";
import { SuggestReplay } from "../../../../src/operator/policy_tools/suggest_replay.ts";
import {
  isIncomplete,
  suggestJson,
  suggestText,
} from "../../../../src/operator/policy_tools/suggest_text.ts";
import { makeCaller } from "../../agent/audit/entries.ts";
import { auditLine, callerOf, START_MS, summaryLine } from "./samples.ts";

function run(lines: readonly string[], { withDenied = false, most = 20_000 } = {}) {
  const observations = new Observations(withDenied, most);
  for (const line of lines) observations.add(readAuditLine(line));
  const suggestion = suggestRules(observations, "enforce");
  const replay = new SuggestReplay(suggestion, withDenied);
  for (const line of lines) replay.add(readAuditLine(line));
  const read = { lines: lines.length, broken: 0, firstBroken: null };
  return { read, observations, suggestion, replay: replay.finish() };
}

function seen(target: string, overrides: Partial<AuditEntry> = {}, seconds = 0): string {
  const caller = callerOf("alice");
  return auditLine({ caller, target, ...overrides }, START_MS + seconds * 1000);
}

/** Paths and parameters of the grants. */
function grants(lines: readonly string[]): string[] {
  return run(lines).suggestion.grants.map(({ identity, path, parameters }) =>
    `${identity} ${path} ${[...parameters].map(([key, value]) => `${key}=${value}`).join("&")}`
  );
}

Deno.test("suggestRules() grants what was seen, with its parameters, to user and executable", () => {
  const report = run([
    seen("/metadata/instance?api-version=2021-02-01", {}, 5),
    seen("/Metadata/Instance?API-version=2021-02-01", { method: "HEAD" }, 9),
    seen(
      "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F",
    ),
  ]);
  assert.deepEqual(JSON.parse(JSON.stringify(report.suggestion.document)), {
    imds: {
      defaultAccess: "deny",
      mode: "enforce",
      id: "suggested-imds",
      rules: {
        privileges: [
          {
            name: "metadata-identity-oauth2-token",
            path: "/metadata/identity/oauth2/token",
            queryParameters: {
              "api-version": "2018-02-01",
              resource: "https://storage.azure.com/",
            },
          },
          {
            name: "metadata-instance",
            path: "/metadata/instance",
            queryParameters: { "api-version": "2021-02-01" },
          },
        ],
        roles: [{
          name: "role-1",
          privileges: ["metadata-identity-oauth2-token", "metadata-instance"],
        }],
        identities: [{ name: "alice-curl", userName: "alice", exePath: "/usr/bin/curl" }],
        roleAssignments: [{ role: "role-1", identities: ["alice-curl"] }],
      },
    },
  });
  const { uses } = report.suggestion.grants[1]!;
  assert.deepEqual([uses.count, uses.firstUse, uses.lastUse, [...uses.methods]], [
    2,
    "2026-07-22T00:00:05.000Z",
    "2026-07-22T00:00:09.000Z",
    ["GET", "HEAD"],
  ]);
  const { replayed, allowed, refused, wrong, neighbours, neighboursRefused } = report.replay;
  assert.deepEqual([replayed, allowed, refused, wrong], [3, 3, [], []]);
  assert.ok(neighbours > 20);
  assert.equal(neighboursRefused, neighbours);
  assert.equal(isIncomplete(report), false);
});

Deno.test("suggestRules() gives the same document whatever the order of the log", () => {
  const lines = [
    seen("/a?x=1"),
    seen("/b", { caller: callerOf("bob") }),
    seen("/a?x=2", {}, 3),
    seen("/c", { caller: callerOf("bob", "/opt/a-b/tool") }),
    seen("/c", { caller: callerOf("bob", "/opt/b/tool") }),
  ];
  const text = (some: readonly string[]) => JSON.stringify(run(some).suggestion.document);
  assert.equal(text(lines), text([...lines].reverse()));
});

Deno.test("suggestRules() leaves out grants that a broader one of the same caller covers", () => {
  assert.deepEqual(grants([seen("/a/b?k=1"), seen("/a"), seen("/a/b"), seen("/ab")]), [
    "alice-curl /a ",
    "alice-curl /ab ",
  ]);
  const { suggestion } = run([seen("/a"), seen("/a/b?k=1", {}, 7), seen("/a/b?k=1", {}, 8)]);
  assert.deepEqual([suggestion.grants[0]?.uses.count, suggestion.grants[0]?.uses.lastUse], [
    3,
    "2026-07-22T00:00:08.000Z",
  ]);
  assert.deepEqual(grants([seen("/a"), seen("/a/b", { caller: callerOf("bob") })]), [
    "alice-curl /a ",
    "bob-curl /a/b ",
  ]);
});

Deno.test("suggestRules() shares privileges and roles where they are the same", () => {
  const { document } = run([
    seen("/a"),
    seen("/a", { caller: callerOf("bob") }),
    seen("/b", { caller: callerOf("carl") }),
  ]).suggestion;
  const { privileges, roles, roleAssignments } = document.imds!.rules;
  assert.deepEqual(privileges.map(({ name }) => name), ["a", "b"]);
  assert.equal(roles.length, 2);
  assert.deepEqual(roleAssignments[0]?.identities, ["alice-curl", "bob-curl"]);
});

Deno.test("suggestRules() puts HostGAPlugin's requests among WireServer's rules, and only root's", () => {
  const root = callerOf("root", "/usr/bin/agent", true);
  const { suggestion, observations } = run([
    auditLine({ caller: root, endpoint: "hostga", target: "/vmSettings" }),
    auditLine({ caller: root, endpoint: "wireserver", target: "/machine/?comp=goalstate" }),
    auditLine({ caller: root, endpoint: "wireserver", method: "PUT", target: "/vmAgentLog" }),
    auditLine({ caller: callerOf("alice"), endpoint: "wireserver", target: "/", decision: "flag" }),
  ]);
  assert.deepEqual(suggestion.grants.map(({ item, path }) => `${item} ${path}`), [
    "wireserver /machine/",
    "wireserver /vmsettings",
  ]);
  assert.deepEqual([observations.skipped.exempt, observations.skipped.notElevated], [1, 1]);
});

Deno.test("suggestRules() leaves a parameter open that has too many values, is repeated or was not written", () => {
  const many = Array.from(
    { length: MOST_VARIANTS_OF_A_PATH + 1 },
    (_, index) => seen(`/a?fixed=1&n=${index}`),
  );
  const { suggestion, replay } = run(many);
  const [grant] = suggestion.grants;
  assert.equal(suggestion.grants.length, 1);
  assert.deepEqual([[...grant!.parameters], grant!.open, grant!.uses.count], [
    [["fixed", "1"]],
    ["n"],
    MOST_VARIANTS_OF_A_PATH + 1,
  ]);
  assert.deepEqual([replay.allowed, replay.wrong], [MOST_VARIANTS_OF_A_PATH + 1, []]);
  assert.deepEqual(grants([seen("/a?k=1&k=2&m=3")]), ["alice-curl /a m=3"]);
  assert.deepEqual(grants([seen("/a?sig=[REDACTED]&m=3")]), ["alice-curl /a m=3"]);
});

Deno.test("suggestRules() leaves a parameter open whose value no rule can name for both matchers", () => {
  const { suggestion, replay } = run([seen("/a?k=a%2Bb&m=3")]);
  assert.deepEqual([...suggestion.grants[0]!.parameters], [["m", "3"]]);
  assert.deepEqual(suggestion.grants[0]!.open, ["k"]);
  assert.deepEqual([replay.allowed, replay.wrong], [1, []]);
});

Deno.test("suggestRules() makes no rule for the root alone, nor for targets that enforce refuses", () => {
  const report = run([seen("/"), seen("/?comp=versions"), seen("/a;v=1/b"), seen("/%E2%84%AA")]);
  const { suggestion, observations, replay } = report;
  assert.deepEqual(suggestion.grants.map(({ path, parameters }) => [path, [...parameters]]), [
    ["/", [["comp", "versions"]]],
  ]);
  assert.deepEqual(suggestion.ungranted.map(({ path, why }) => `${path} ${why}`), [
    "/ path-too-broad",
    "/a;v=1/b not-plain",
  ]);
  assert.equal(observations.skipped.notCanonical, 1);
  assert.deepEqual([replay.replayed, replay.allowed, replay.ungranted, replay.refused], [
    3,
    1,
    2,
    [],
  ]);
  assert.equal(isIncomplete(report), true);
  const text = suggestText(report);
  assert.match(
    text,
    /no rule {2}imds \/, once, by alice with \/usr\/bin\/curl\n.*one for every path/,
  );
  assert.match(text, /left out 1 requests: their targets have no canonical form/);
});

Deno.test("suggestRules() uses what is known of the caller, and needs something", () => {
  const unproven = makeCaller({
    exe: { kind: "unverified", shownPath: "/usr/bin/curl", doubt: "process-gone" },
  });
  const nobody = makeCaller({
    account: null,
    exe: { kind: "unverified", shownPath: "/usr/bin/curl", doubt: "process-gone" },
  });
  const report = run([
    seen("/a", { caller: unproven }),
    seen("/a", { caller: makeCaller({ account: null }) }),
    seen("/a", { caller: nobody }),
  ]);
  assert.deepEqual(
    JSON.parse(JSON.stringify(report.suggestion.document.imds?.rules.identities)),
    [
      { name: "azureuser-any-program", userName: "azureuser" },
      { name: "curl", exePath: "/usr/bin/curl" },
    ],
  );
  assert.equal(report.observations.skipped.unknownCaller, 1);
  assert.match(suggestText(report), /the executable was not proven: any program of this user/);
});

Deno.test("Observations leave refused requests out unless they are asked for", () => {
  const lines = [
    seen("/a"),
    seen("/b", { decision: "deny", reason: "default-denied", status: 403 }),
    seen("/c", { decision: "flag", reason: "default-denied" }),
    seen(`/${"d".repeat(3000)}`),
  ];
  const without = run(lines);
  assert.deepEqual(without.suggestion.grants.map(({ path }) => path), ["/a", "/c"]);
  assert.deepEqual([without.observations.skipped.denied, without.observations.skipped.damaged], [
    1,
    1,
  ]);
  assert.match(suggestText(without), /1 of them only flagged so far/);
  assert.deepEqual(
    run(lines, { withDenied: true }).suggestion.grants.map(({ path }) => path),
    ["/a", "/b", "/c"],
  );
});

Deno.test("Observations count summaries to the request that they began with", () => {
  const caller = callerOf("alice");
  const summary = (firstId: number, path = "/m") =>
    summaryLine({ caller, path, firstId, count: 10 });
  const { suggestion, observations } = run([
    seen("/m?a=1", { requestId: 1 }),
    seen("/m?a=2", { requestId: 2 }),
    seen("/single?a=1", { requestId: 3 }),
    summary(2),
    summary(99),
    summary(98, "/single"),
    summary(97, "/never-seen"),
  ]);
  assert.deepEqual(
    suggestion.grants.map(({ path, parameters, uses }) => [path, parameters.get("a"), uses.count]),
    [["/m", "1", 1], ["/m", "2", 11], ["/single", "1", 11]],
  );
  assert.deepEqual([observations.requests, observations.skipped.unknownQuery], [43, 20]);
});

Deno.test("Observations stop at their bound, and say how much is left out", () => {
  const lines = Array.from({ length: 10 }, (_, index) => seen(`/p${index}`));
  const report = run(lines, { most: 4 });
  assert.deepEqual([report.suggestion.grants.length, report.observations.skipped.overflow], [4, 6]);
  assert.equal(isIncomplete(report), true);
  assert.equal(report.replay.refused.length, 6);
  assert.match(suggestText(report), /\nrefused {2}imds GET \/p4 by user "alice"/);
});

Deno.test("suggestJson() tells each grant with count and last use", () => {
  const json = JSON.parse(JSON.stringify(suggestJson(run([seen("/a?b=c", {}, 1)]))));
  assert.equal(json.verdict, "ok");
  assert.deepEqual(json.grants, [{
    item: "imds",
    privilege: "a",
    identity: "alice-curl",
    userName: "alice",
    exePath: "/usr/bin/curl",
    path: "/a",
    queryParameters: { b: "c" },
    anyValue: [],
    methods: ["GET"],
    count: 1,
    flagged: 0,
    firstUse: "2026-07-22T00:00:01.000Z",
    lastUse: "2026-07-22T00:00:01.000Z",
  }]);
  assert.equal(json.replay.allowed, 1);
  assert.equal(JSON.parse(JSON.stringify(suggestJson(run([])))).verdict, "incomplete");
});

Deno.test("SuggestReplay notices rules that refuse what was seen, or allow what was not", () => {
  const lines = [seen("/a/b?k=1")];
  const { suggestion } = run(lines);
  const spoiled = (privilege: Record<string, unknown>) => {
    const { imds } = suggestion.document;
    const rules = { ...imds!.rules, privileges: [{ ...imds!.rules.privileges[0]!, ...privilege }] };
    const replay = new SuggestReplay(
      { ...suggestion, document: { imds: { ...imds!, rules } } },
      false,
    );
    for (const line of lines) replay.add(readAuditLine(line));
    return replay.finish();
  };
  assert.equal(spoiled({ queryParameters: { k: "2" } }).refused.length, 1);
  const wide = spoiled({ path: "/a", queryParameters: {} });
  assert.equal(wide.refused.length, 0);
  assert.ok(wide.wrong.length > 0);
  assert.ok(wide.neighboursRefused < wide.neighbours);
});
