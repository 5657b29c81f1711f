import assert from "node:assert/strict";
import { type AgentSnapshot, initialSnapshot } from "../../../../src/agent/key_keeper/mod.ts";
import { isLogFolderEntry, RuleDumps, ruleDumpSteps } from "../../../../src/agent/status/mod.ts";
import {
  compileItem,
  type EffectiveItem,
  type EffectiveRules,
  type PolicySnapshot,
} from "../../../../src/domain/policy/mod.ts";
import { parseAuthorizationItem } from "../../../../src/domain/wire/mod.ts";
import { Cell } from "../../../../src/runtime/cell.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

const NAME = /^AuthorizationRules_\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d{3}-\d{19}\.json$/;

function effective(text: string): EffectiveItem {
  const parsed = parseAuthorizationItem(text);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const { value: item } = parsed;
  return { item, remote: item, origin: "host", closedBecause: null };
}

const IMDS = effective(JSON.stringify({
  defaultAccess: "deny",
  mode: "Enforce",
  id: "im",
  other: { __proto__x: null },
  rules: {
    privileges: [{ name: "p", path: "/X", queryParameters: { A: "B" } }, { name: "q", path: "/y" }],
    roles: [{ name: "r", privileges: ["p"] }],
    identities: [{ name: "i", userName: "u" }],
    roleAssignments: [{ role: "r", identities: ["i"] }],
  },
}));
const WIRESERVER = effective('{"defaultAccess":"deny","mode":"Audit","id":"ws"}');
const RULES: EffectiveRules = { wireserver: WIRESERVER, imds: IMDS, hostga: WIRESERVER };

function policy(epoch: number): PolicySnapshot {
  const closed = { kind: "closed", mode: "audit", reason: "cannot be read" } as const;
  const { compiled } = compileItem(IMDS.item);
  return {
    epoch,
    digest: `${epoch}`,
    matching: "shadow",
    endpoints: {
      imds: { kind: "rules", mode: "enforce", rules: compiled },
      wireserver: closed,
      hostga: closed,
    },
  };
}

function dumpText(rules: EffectiveRules | null, installed: PolicySnapshot): string {
  const steps = ruleDumpSteps(rules, installed);
  for (;;) {
    const step = steps.next();
    if (step.done !== true) continue;
    return step.value.map((chunk) => new TextDecoder().decode(chunk)).join("");
  }
}

Deno.test("ruleDumpSteps() shows the effective items, and what they were compiled to", () => {
  const text = dumpText(RULES, policy(4));
  const dump = JSON.parse(text);
  assert.equal(text, JSON.stringify(dump, null, 2), "pretty, as the others write it");
  assert.deepEqual(Object.keys(dump), ["inputRules", "computedRules", "policyEpoch"]);
  assert.deepEqual(dump.inputRules.imds.other, { __proto__x: null }, "as it came");
  assert.deepEqual(dump.computedRules.imds, {
    id: "im",
    defaultAllowed: false,
    mode: "Enforce",
    privileges: {
      p: { name: "p", path: "/x", queryParameters: { a: "b" } },
      q: { name: "q", path: "/y" },
    },
    identities: { i: { name: "i", userName: "u" } },
    privilegeAssignments: { p: ["i"] },
    kind: "rules",
  });
  assert.equal(dump.computedRules.wireserver.defaultAllowed, false);
  assert.equal(dump.computedRules.wireserver.mode, "Audit");
  assert.equal(dump.computedRules.wireserver.reason, "cannot be read");
  assert.equal(dump.computedRules.hostga.id, "ws");
  assert.equal(dump.policyEpoch, 4);
});

Deno.test("ruleDumpSteps() leaves absent items out", () => {
  const builtIn = { kind: "built-in", mode: "enforce" } as const;
  const endpoints = { imds: builtIn, wireserver: builtIn, hostga: builtIn };
  const dump = JSON.parse(dumpText(null, { ...policy(1), endpoints }));
  assert.deepEqual(dump.inputRules, {});
  assert.equal(dump.computedRules.imds.id, "");
  assert.equal(dump.computedRules.imds.defaultAllowed, true);
});

interface Bench {
  readonly folder: string;
  readonly clock: FakeClock;
  readonly logger: MemoryLogger;
  readonly reports: string[];
  install(epoch: number): void;
  /** Lets a second pass and waits for the files. */
  pass(): Promise<void>;
  dumps(): string[];
  /** Runs the part until `body` is done. */
  run(folder: string, body: () => Promise<void>): Promise<void>;
}

async function bench(body: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const umask = Deno.umask(0o077);
  const clock = new FakeClock();
  const logger = new MemoryLogger();
  const reports: string[] = [];
  const snapshot = new Cell<AgentSnapshot>({ ...initialSnapshot(), policy: policy(1) });
  const rest = async () => {
    while (clock.sleeping === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  };
  try {
    await body({
      folder,
      clock,
      logger,
      reports,
      install: (epoch) => snapshot.publish({ ...snapshot.get(), policy: policy(epoch) }),
      pass: async () => {
        await clock.advance(1000);
        await rest();
      },
      dumps: () =>
        [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => NAME.test(name))
          .sort(),
      run: async (target, inside) => {
        const stop = new AbortController();
        const dumps = new RuleDumps({
          clock,
          logger,
          folder: target,
          snapshot,
          rules: () => RULES,
          isOurs: isLogFolderEntry,
        });
        const done = dumps.run(stop.signal, {
          report: (state, code) => reports.push(`${state} ${code}`),
        });
        try {
          await rest();
          await inside();
        } finally {
          stop.abort();
          await done;
        }
      },
    });
  } finally {
    Deno.umask(umask);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("RuleDumps.run() writes one file for each installation, and none for other publications", () =>
  bench(async ({ folder, run, install, pass, dumps, reports }) => {
    await run(folder, async () => {
      install(1);
      await pass();
      assert.deepEqual(dumps(), []);
      install(2);
      install(3);
      await pass();
      assert.equal(dumps().length, 2);
    });
    const epochs = dumps().map((name) =>
      JSON.parse(Deno.readTextFileSync(`${folder}/${name}`)).policyEpoch
    );
    assert.deepEqual(epochs, [2, 3]);
    assert.equal((Deno.statSync(`${folder}/${dumps()[0]}`).mode ?? 0) & 0o777, 0o640);
    assert.equal(reports.at(-1), "RUNNING RULE_DUMPS_WRITTEN");
  }));

Deno.test("RuleDumps.run() keeps the last five, and deletes nothing else", () =>
  bench(async ({ folder, run, install, pass, dumps }) => {
    const foreign = ["AuthorizationRules_x.json", "AuthorizationRules_backup.json", "status.json"];
    for (const name of foreign) await Deno.writeTextFile(`${folder}/${name}`, "");
    await run(folder, async () => {
      for (let epoch = 2; epoch < 10; epoch++) {
        install(epoch);
        await pass();
      }
    });
    assert.equal(dumps().length, 5);
    const last = JSON.parse(Deno.readTextFileSync(`${folder}/${dumps().at(-1)}`));
    assert.equal(last.policyEpoch, 9);
    for (const name of foreign) assert.ok(Deno.statSync(`${folder}/${name}`).isFile);
  }));

Deno.test("RuleDumps.run() tells what it cannot write, and goes on with the next", () =>
  bench(async ({ folder, run, install, pass, logger, reports }) => {
    const target = `${folder}/logs`;
    await Deno.writeTextFile(target, "in the way");
    await run(target, async () => {
      install(2);
      await pass();
      assert.equal(reports.at(-1), "STOPPED RULE_DUMPS_WRITE");
      assert.deepEqual(logger.texts("warn"), ["rule dump cannot be written"]);
      await Deno.remove(target);
      install(3);
      await pass();
      assert.equal(reports.at(-1), "RUNNING RULE_DUMPS_WRITTEN");
    });
    assert.equal([...Deno.readDirSync(target)].length, 1);
  }));

Deno.test("isLogFolderEntry() knows what the agent leaves in its log folder, and nothing more", () => {
  const stamp = "2026-01-06T07.08.09.123-1767683289123000000";
  const ours = [
    "ProxyAgent.log",
    "ProxyAgent.Connection.log",
    "ProxyAgent.Connection.anchor.json",
    "ProxyAgent.Connection.anchor.tmp",
    `ProxyAgent.log.${stamp}.log`,
    `ProxyAgent.Connection.log.${stamp}.log`,
    `AuthorizationRules_${stamp}.json`,
    "status.json",
    "status.tmp",
    "events",
  ];
  for (const name of ours) assert.ok(isLogFolderEntry(name), name);
  for (const name of ["syslog", "ProxyAgent", "status.json.bak", "xProxyAgent.log", "journal"]) {
    assert.equal(isLogFolderEntry(name), false, name);
  }
});
