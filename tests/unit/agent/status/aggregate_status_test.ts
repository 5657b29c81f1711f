import assert from "node:assert/strict";
import { AggregateStatus, HealthBoard } from "../../../../src/agent/status/mod.ts";
import type { KeyLatchFacts, SummaryEntry } from "../../../../src/domain/wire/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";

const ENTRY: SummaryEntry = {
  userName: "root",
  ip: "169.254.169.254",
  port: 80,
  processCmdLine: "curl -s",
  responseStatus: "200 OK",
  count: 3,
  userGroups: ["root"],
  processFullPath: "/usr/bin/curl",
};

const MODULES = ["key_keeper", "redirector", "proxy"];

function bench() {
  const clock = new FakeClock();
  const health = new HealthBoard(clock);
  let facts: KeyLatchFacts = {
    secureChannelState: "Unknown",
    keyGuid: null,
    keyIncarnationId: null,
    wireServerRuleId: "",
    imdsRuleId: "",
  };
  const status = new AggregateStatus({
    clock,
    version: "1.2.3",
    health,
    parts: {
      monitor: ["status", "audit"],
      keyLatch: "key_keeper",
      redirector: "redirector",
      listener: "proxy",
      telemetry: "telemetry",
    },
    counts: {
      requestCount: 12,
      connectionSummary: () => [ENTRY],
      failedAuthenticationSummary: () => [{ ...ENTRY, responseStatus: "403 Forbidden" }],
    },
    keyLatchFacts: () => facts,
  });
  return {
    health,
    status,
    setFacts: (changed: Partial<KeyLatchFacts>) => facts = { ...facts, ...changed },
    up: (part: string) => health.reporter(part).report("RUNNING", "UP", `${part} is up`),
  };
}

Deno.test("AggregateStatus.document() has the documented shape", () => {
  const { health, status, up } = bench();
  MODULES.forEach(up);
  health.reporter("status").report("RUNNING", "S", "written");
  assert.deepEqual(JSON.parse(status.document("compact")), {
    timestamp: "2026-01-06T07:08:09.123",
    proxyAgentStatus: {
      version: "1.2.3",
      status: "SUCCESS",
      monitorStatus: { status: "RUNNING", message: "written" },
      keyLatchStatus: {
        status: "RUNNING",
        message: "key_keeper is up",
        states: {
          secureChannelState: "Unknown",
          wireServerRuleId: "",
          imdsRuleId: "",
          hostGARuleId: "",
        },
      },
      ebpfProgramStatus: { status: "RUNNING", message: "redirector is up" },
      proxyListenerStatus: { status: "RUNNING", message: "proxy is up" },
      telemetryLoggerStatus: { status: "UNKNOWN", message: "Status unknown." },
      proxyConnectionsCount: 12,
    },
    proxyConnectionSummary: [ENTRY],
    failedAuthenticateSummary: [{ ...ENTRY, responseStatus: "403 Forbidden" }],
  });
});

Deno.test("AggregateStatus.document() is the same content in both forms", () => {
  const { status } = bench();
  assert.ok(status.document("pretty").includes("\n"));
  assert.ok(!status.document("compact").includes("\n"));
  assert.deepEqual(JSON.parse(status.document("pretty")), JSON.parse(status.document("compact")));
});

Deno.test("AggregateStatus.agentStatus() is the document's part about the agent", () => {
  const { status, up } = bench();
  MODULES.forEach(up);
  const { proxyAgentStatus } = JSON.parse(status.document("compact"));
  assert.equal(status.agentStatus(), JSON.stringify(proxyAgentStatus));
});

Deno.test("AggregateStatus.overall() is SUCCESS only while all three modules run", () => {
  for (const down of MODULES) {
    const { status, up } = bench();
    for (const part of MODULES) if (part !== down) up(part);
    assert.equal(status.overall(), "ERROR", down);
    up(down);
    assert.equal(status.overall(), "SUCCESS");
  }
});

Deno.test("AggregateStatus.document() says from the start that nothing is known yet", () => {
  const { status } = bench();
  const unknown = { status: "UNKNOWN", message: "Status unknown." };
  const { proxyAgentStatus } = JSON.parse(status.document("compact"));
  assert.equal(proxyAgentStatus.status, "ERROR");
  for (const module of ["monitor", "ebpfProgram", "proxyListener", "telemetryLogger"]) {
    assert.deepEqual(proxyAgentStatus[`${module}Status`], unknown);
  }
});

Deno.test("AggregateStatus.document() says of the monitor what stops any part of it", () => {
  const { health, status, up } = bench();
  const shown = () => JSON.parse(status.document("compact")).proxyAgentStatus.monitorStatus;
  up("status");
  assert.deepEqual(shown(), { status: "RUNNING", message: "status is up" });
  health.reporter("audit").report("STOPPED", "AUDIT_LOG_WRITE", "Audit log cannot be written");
  assert.deepEqual(shown(), { status: "STOPPED", message: "Audit log cannot be written" });
  health.reporter("status").report("STOPPED", "STATUS_WRITE", "no status file either");
  assert.deepEqual(shown(), { status: "STOPPED", message: "no status file either" });
  up("status");
  up("audit");
  assert.deepEqual(shown(), { status: "RUNNING", message: "status is up" });
});

Deno.test("AggregateStatus.signature() changes with states and words, channel and key, not with the monitor's words", () => {
  const { health, status, up, setFacts } = bench();
  const seen = new Set<string>();
  const distinct = () => {
    const before = seen.size;
    seen.add(status.signature());
    return seen.size > before;
  };
  assert.ok(distinct());
  for (const part of [...MODULES, "telemetry"]) {
    up(part);
    assert.ok(distinct(), part);
  }
  health.reporter("key_keeper").report("RUNNING", "HOST_TIMEOUT", "no answer");
  assert.ok(distinct(), "a host that fails shows before the state turns");
  assert.ok(!distinct());
  up("status");
  assert.ok(distinct());
  health.reporter("status").report("RUNNING", "STATUS_WRITTEN", "written");
  assert.ok(!distinct());
  health.reporter("audit").report("STOPPED", "AUDIT_LOG_WRITE", "full");
  assert.ok(distinct());
  setFacts({ secureChannelState: "disabled" });
  assert.ok(distinct());
  setFacts({ keyGuid: "x" });
  assert.ok(distinct());
});

Deno.test("AggregateStatus.signature() changes with what is said of the configuration", () => {
  const clock = new FakeClock();
  const health = new HealthBoard(clock);
  const status = new AggregateStatus({
    clock,
    version: "1.2.3",
    health,
    parts: {
      monitor: ["status", "audit"],
      keyLatch: "key_keeper",
      redirector: "redirector",
      listener: "proxy",
      telemetry: "telemetry",
      configuration: "configuration",
    },
    counts: {
      requestCount: 0,
      connectionSummary: () => [],
      failedAuthenticationSummary: () => [],
    },
    keyLatchFacts: () => ({
      secureChannelState: "Unknown",
      keyGuid: null,
      keyIncarnationId: null,
      wireServerRuleId: "",
      imdsRuleId: "",
    }),
  });
  const before = status.signature();
  health.reporter("configuration").report("STOPPED", "CONFIG_REFUSED", "kept");
  assert.notEqual(status.signature(), before);
  assert.deepEqual(JSON.parse(status.document("compact")).proxyAgentStatus.configurationStatus, {
    status: "STOPPED",
    message: "kept",
  });
});
