import {
  clock,
  keyLatch,
  logErrors,
  statusDocument,
} from "../../../../../src/operator/doctor/checks/health.ts";
import { checkTests } from "../../../../fakes/doctor_cases.ts";
import {
  type FakeMachine,
  goodKernel,
  logLine,
  NOW_MS,
  statusText,
} from "../../../../fakes/fake_machine.ts";

const status = (text: string, modifiedMs = NOW_MS - 1000) => (machine: FakeMachine) =>
  machine.files.set("/log/status.json", { text, modifiedMs });
const missing = (machine: FakeMachine) => machine.files.delete("/log/status.json");
const STOPPED = { status: "STOPPED", message: "address in use" };

checkTests("statusDocument", statusDocument, /^1 s old, all modules run$/, {
  missing: { break: missing, outcome: "FAIL", found: /no status document/ },
  "no JSON": { break: status("{"), outcome: "FAIL", found: /no status document/ },
  old: {
    break: status(statusText(), NOW_MS - 151_000),
    outcome: "FAIL",
    found: /151 s old/,
    remedy: /systemctl start/,
  },
  "a listener that does not listen": {
    break: status(statusText({}, { proxyListenerStatus: STOPPED })),
    outcome: "FAIL",
    found: /proxyListenerStatus is STOPPED: address in use/,
  },
  "telemetry that stands still": {
    break: status(statusText({}, { telemetryLoggerStatus: STOPPED })),
    outcome: "WARN",
    found: /telemetryLoggerStatus is STOPPED/,
  },
  "a document without modules": {
    break: status("{}"),
    outcome: "FAIL",
    found: /keyLatchStatus is missing/,
  },
});

checkTests("keyLatch", keyLatch, /^channel WireServer Enforce.*key 9cf81e97.*answered 2026-01-06/, {
  "no status": { break: missing, outcome: "WARN", found: /no status document/ },
  "a latch that does not run": {
    break: status(statusText({}, { keyLatchStatus: { status: "STOPPED", message: "host: 500" } })),
    outcome: "FAIL",
    found: /the key latch is STOPPED: host: 500/,
    remedy: /168\.63\.129\.16:80/,
  },
  "a host that never answered": {
    break: status(statusText({ lastPollTime: null })),
    outcome: "FAIL",
    found: /has not answered yet/,
  },
  "a host that fell silent": {
    break: status(statusText({ lastPollTime: new Date(NOW_MS - 67_000).toISOString() })),
    outcome: "FAIL",
    found: /last answered 66 s before/,
  },
  "a channel that is on without a key": {
    break: status(statusText({ keyGuid: null })),
    outcome: "FAIL",
    found: /no key is held/,
  },
  "a channel that is off": {
    break: status(statusText({ keyGuid: null, secureChannelState: "disabled" })),
    outcome: "OK",
    found: /channel disabled, key none/,
  },
  "a policy that was refused": {
    break: status(
      statusText({ lastFailedInstallReason: "no such role", lastFailedInstallAt: "2026-01-06" }),
    ),
    outcome: "WARN",
    found: /refused at 2026-01-06: no such role/,
  },
});

const device = (name: string, aheadMs: number) => (machine: FakeMachine) => {
  machine.files.set("/sys/class/ptp/ptp0/clock_name", { text: `${name}\n` });
  machine.kernel = { ...goodKernel(), deviceClockAheadMs: () => aheadMs };
};

const hostAhead = (seconds: string) => status(statusText({ hostClockAheadInSeconds: seconds }));

checkTests("clock", clock, /^nothing of the host's to compare with, kept right to 3 ms$/, {
  "right by the host": {
    break: hostAhead("-1"),
    outcome: "OK",
    found: /^1 s ahead of the host's, kept right to 3 ms$/,
  },
  "wrong by the host": {
    break: hostAhead("6"),
    outcome: "WARN",
    found: /^the clock is 6 s behind the host's$/,
    remedy: /timedatectl set-ntp true/,
  },
  "far off by the host": {
    break: hostAhead("-301"),
    outcome: "FAIL",
    found: /^the clock is 301 s ahead of the host's$/,
  },
  "a state that is no number": {
    break: hostAhead("later"),
    outcome: "OK",
    found: /^nothing of the host's/,
  },
  "right by the hypervisor": {
    break: device("hyperv", 12),
    outcome: "OK",
    found: /^12 ms behind the hypervisor's/,
  },
  "a little wrong": {
    break: device("hyperv", -6_000),
    outcome: "WARN",
    found: /6000 ms ahead of/,
    remedy: /timedatectl/,
  },
  "wrong": { break: device("hyperv", 400_000), outcome: "FAIL", found: /400000 ms behind/ },
  "a clock of a network card says nothing": {
    break: device("mlx5_ptp", 400_000),
    outcome: "OK",
    found: /nothing of the host's/,
  },
  "kept right by nobody": {
    break: (machine) => {
      const clockDiscipline = () => ({ isSynchronised: false, maxErrorMs: 16_000 });
      machine.kernel = { ...goodKernel(), clockDiscipline };
    },
    outcome: "WARN",
    found: /unsynchronised/,
  },
  "set back": {
    break: status(statusText(), NOW_MS + 120_000),
    outcome: "WARN",
    found: /from the future/,
  },
});

const log = (...lines: string[]) => (machine: FakeMachine) =>
  machine.files.set("/log/ProxyAgent.log", { text: `${lines.join("\n")}\n` });

checkTests("logErrors", logErrors, /no error and no warning since the last start/, {
  "errors and warnings": {
    break: log(
      logLine(NOW_MS - 3_000, "WARN", "slow"),
      logLine(NOW_MS - 2_000, "ERROR", "cannot bind"),
    ),
    outcome: "WARN",
    found: /1 errors and 1 warnings since the last start: .*Z cannot bind \| .*Z slow/,
    remedy: /grep/,
  },
  "old ones": {
    break: log(logLine(NOW_MS - 25 * 3_600_000, "ERROR", "yesterday")),
    outcome: "OK",
    found: /no error/,
  },
  "no log": {
    break: (machine) => machine.files.delete("/log/ProxyAgent.log"),
    outcome: "WARN",
    found: /no log at/,
  },
  "no log wanted": { settings: { logFolder: null }, outcome: "OK", found: /keeps no log/ },
});
