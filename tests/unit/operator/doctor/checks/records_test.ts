import assert from "node:assert/strict";
import { AUDIT_FILE_NAME } from "../../../../../src/agent/audit/mod.ts";
import { auditChain, ruleDocuments } from "../../../../../src/operator/doctor/checks/records.ts";
import { LocalMachine } from "../../../../../src/operator/doctor/mod.ts";
import { situationOf } from "../../../../fakes/fake_machine.ts";
import { ChainStand } from "../../../agent/audit/chain_stand.ts";
import { makeDenial } from "../../../agent/audit/entries.ts";

const machine = new LocalMachine({ missing: "not asked" });
const DUMP_NAME = "AuthorizationRules_2026-01-06T07.08.09.123-1767683289123000000.json";
const RULES = {
  id: "mine",
  defaultAccess: "deny",
  rules: {
    privileges: [{ name: "instance", path: "/metadata/instance" }],
    roles: [{ name: "reader", privileges: ["instance"] }],
    identities: [{ name: "root", userName: "root" }],
    roleAssignments: [{ role: "reader", identities: ["root"] }],
  },
};

function inLog(folder: string, logFolder: string | null = folder) {
  return situationOf(machine, { logFolder, statusFolder: folder, rulesFolder: folder });
}

function withLog(body: (stand: ChainStand) => Promise<void>): Promise<void> {
  return ChainStand.with(async (stand) => {
    const trail = stand.start();
    for (let i = 0; i < 8; i++) trail.record(makeDenial({ requestId: i }));
    await trail.close();
    await body(stand);
  });
}

Deno.test("auditChain is content with a log as it was written", () =>
  withLog(async (stand) => {
    assert.deepEqual(await auditChain.run(inLog(stand.folder)), {
      outcome: "OK",
      found: "9 records are intact",
      remedy: null,
    });
  }));

Deno.test("auditChain: a record that was taken out", () =>
  withLog(async (stand) => {
    stand.writeLines(stand.lines().toSpliced(4, 1));
    const { outcome, found, remedy } = await auditChain.run(inLog(stand.folder));
    assert.equal(outcome, "FAIL");
    assert.match(found, /^the chain is broken: missing in .* line 5, expected seq 5, found seq 6$/);
    assert.match(remedy ?? "", /audit verify/);
  }));

Deno.test("auditChain: no log, and none wanted", () =>
  ChainStand.with(async (stand) => {
    assert.equal((await auditChain.run(inLog(stand.folder))).outcome, "WARN");
    assert.equal((await auditChain.run(inLog(stand.folder, null))).outcome, "OK");
  }));

Deno.test("auditChain looks at the current file alone where there is too much", () =>
  withLog(async (stand) => {
    const aside =
      `${stand.folder}/${AUDIT_FILE_NAME}.2026-01-06T07.08.09.123-1767683289123000000.log`;
    using file = await Deno.open(aside, { write: true, createNew: true });
    await file.truncate(25 * 1024 * 1024);
    const { outcome, found } = await auditChain.run(inLog(stand.folder));
    assert.equal(outcome, "OK");
    assert.match(found, /of the current file; the older ones were left out$/);
  }));

Deno.test("ruleDocuments is content without rules and with good ones", () =>
  ChainStand.with(async (stand) => {
    assert.match((await ruleDocuments.run(inLog(stand.folder))).found, /built-in ones hold/);
    await Deno.writeTextFile(`${stand.folder}/IMDS_Rules.json`, JSON.stringify(RULES));
    const { outcome, found } = await ruleDocuments.run(inLog(stand.folder));
    assert.equal(outcome, "OK", found);
    assert.match(found, /nothing wrong in .*IMDS_Rules\.json$/);
  }));

Deno.test("ruleDocuments: a local file and a dump that cannot be used", () =>
  ChainStand.with(async (stand) => {
    await Deno.writeTextFile(`${stand.folder}/WireServer_Rules.json`, '{"defaultAccess":"maybe"}');
    await Deno.writeTextFile(`${stand.folder}/${DUMP_NAME}`, "{");
    const { outcome, found, remedy } = await ruleDocuments.run(inLog(stand.folder));
    assert.equal(outcome, "FAIL");
    assert.match(found, /WireServer_Rules\.json \$\.defaultAccess.*AuthorizationRules_/);
    assert.match(remedy ?? "", /policy check .*WireServer_Rules\.json/);
  }));

Deno.test("ruleDocuments: rules that are likely to be a mistake", () =>
  ChainStand.with(async (stand) => {
    const rules = { ...RULES.rules, roleAssignments: [] };
    const text = JSON.stringify({ ...RULES, rules });
    await Deno.writeTextFile(`${stand.folder}/IMDS_Rules.json`, text);
    assert.equal((await ruleDocuments.run(inLog(stand.folder))).outcome, "WARN");
  }));

Deno.test("ruleDocuments leaves a document that is too large to the command", () =>
  ChainStand.with(async (stand) => {
    await Deno.writeTextFile(`${stand.folder}/HostGA_Rules.json`, " ".repeat(200_000));
    const { outcome, found } = await ruleDocuments.run(inLog(stand.folder));
    assert.equal(outcome, "WARN");
    assert.match(found, /too large to be tried here/);
  }));
