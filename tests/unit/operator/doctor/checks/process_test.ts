import {
  controlSocket,
  listenerOwner,
  otherAgents,
  runningVersion,
  serviceUnit,
} from "../../../../../src/operator/doctor/checks/process.ts";
import { checkTests } from "../../../../fakes/doctor_cases.ts";
import { AGENT_PID, type FakeMachine, goodRedirection } from "../../../../fakes/fake_machine.ts";

const good = goodRedirection();

function portOf(machine: FakeMachine, pid: number, name: string): void {
  machine.files.delete(`/proc/${AGENT_PID}/fd/4`);
  machine.files.set(`/proc/${pid}/fd/7`, { link: "socket:[5555]" });
  machine.files.set(`/proc/${pid}/comm`, { text: `${name}\n` });
}

checkTests("listenerOwner", listenerOwner, /agent \(process 4711\) listens on 127\.0\.0\.1:3080/, {
  nobody: {
    break: (machine) => machine.files.set(`/proc/${AGENT_PID}/net/tcp`, { text: "" }),
    outcome: "FAIL",
    found: /nobody listens on 127\.0\.0\.1:3080/,
    remedy: /systemctl start/,
  },
  "somebody else": {
    break: (machine) => portOf(machine, 88, "python3"),
    outcome: "FAIL",
    found: /belongs to process 88 `python3`, not to the agent \(process 4711\)/,
    remedy: /stop process 88/,
  },
  "an agent in another network namespace": {
    break: (machine) => machine.files.delete("/proc/self/net/tcp"),
    outcome: "OK",
    found: /process 4711\) listens/,
  },
  "somebody while there is no agent": {
    break: (machine) => portOf(machine, 88, "python3"),
    redirection: { agent: null },
    outcome: "FAIL",
    found: /not to a running agent that redirects/,
  },
  "an owner that cannot be seen": {
    break: (machine) => machine.files.delete(`/proc/${AGENT_PID}/fd/4`),
    outcome: "WARN",
    found: /cannot be seen/,
    remedy: /ss -ltnp/,
  },
});

checkTests("controlSocket", controlSocket, /^\/run\/control\.sock is answered/, {
  "none": {
    break: (machine) => machine.files.delete("/run/control.sock"),
    outcome: "WARN",
    found: /no socket at \/run\/control\.sock/,
  },
  "one that others can use": {
    break: (machine) => machine.files.set("/run/control.sock", { kind: "other", mode: 0o666 }),
    outcome: "FAIL",
    found: /mode 0666/,
    remedy: /chmod 0600/,
  },
  "one that is somebody else's": {
    break: (machine) => machine.files.set("/run/control.sock", { kind: "other", uid: 5 }),
    outcome: "FAIL",
    found: /belongs to user 5/,
  },
  "one that nobody serves": {
    break: (machine) => machine.answers.clear(),
    outcome: "WARN",
    found: /^No agent answers at \/run\/control\.sock/,
    remedy: /systemctl restart/,
  },
  "none wanted": { settings: { controlSocket: null }, outcome: "OK", found: /wants none/ },
});

const unit = (text: string, code = 0) => (machine: FakeMachine) => {
  machine.folders.set("/run/systemd/system", {});
  machine.told.set("systemctl", { code, stdout: text });
};
const ACTIVE = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n";

checkTests("serviceUnit", serviceUnit, /systemd does not run here/, {
  "an active one": {
    break: unit(`${ACTIVE}NRestarts=3\n`),
    outcome: "OK",
    found: /active and enabled/,
  },
  "one that failed": {
    break: unit(`${ACTIVE}ActiveState=failed\nSubState=failed\nResult=exit-code\n`),
    outcome: "FAIL",
    found: /is failed \(failed, exit-code\)/,
    remedy: /journalctl/,
  },
  "one that is not enabled": {
    break: unit(`${ACTIVE}UnitFileState=disabled\n`),
    outcome: "WARN",
    found: /is disabled/,
    remedy: /systemctl enable/,
  },
  "one that restarts again and again": {
    break: unit(`${ACTIVE}NRestarts=4\n`),
    outcome: "WARN",
    found: /restarted 4 times/,
  },
  "none installed": {
    break: unit("LoadState=not-found\nActiveState=inactive\n"),
    outcome: "WARN",
    found: /no unit.*not-found/,
  },
  "a manager that does not answer": {
    break: unit("", 1),
    outcome: "WARN",
    found: /did not answer/,
  },
});

checkTests("runningVersion", runningVersion, /^1\.2\.3; process 4711 runs \/usr\/sbin/, {
  "another version than ours": {
    settings: { version: "9.9.9" },
    outcome: "WARN",
    found: /agent says 1\.2\.3, this program is 9\.9\.9/,
    remedy: /systemctl restart/,
  },
  "a file that was replaced": {
    break: (machine) =>
      machine.files.set(`/proc/${AGENT_PID}/exe`, {
        link: "/usr/sbin/azure-proxy-agent (deleted)",
      }),
    outcome: "WARN",
    found: /was replaced/,
  },
  "no agent": { redirection: { agent: null }, outcome: "OK", found: /no agent runs/ },
});

function another(machine: FakeMachine, commandLine = "azure-proxy-agent\0"): void {
  machine.files.set("/proc/99/comm", { text: "azure-proxy-age\n" });
  machine.files.set("/proc/99/cmdline", { text: commandLine });
}

checkTests("otherAgents", otherAgents, /^none$/, {
  "a second process": {
    break: (machine) => another(machine),
    outcome: "WARN",
    found: /process 99 `azure-proxy-age` looks like another agent/,
    remedy: /\/proc\/99\/exe/,
  },
  "a command of this program": {
    break: (machine) => another(machine, "azure-proxy-agent\0doctor\0"),
    outcome: "OK",
    found: /none/,
  },
  "a process while ours does not redirect": {
    redirection: { agent: null },
    outcome: "OK",
    found: /none/,
  },
  "a program of another agent": {
    redirection: {
      attachPoints: [...good.attachPoints, {
        name: "connect4",
        programs: [{ id: 7, name: "connect4", uid: 0 }],
      }],
    },
    outcome: "FAIL",
    found: /program 7 `connect4` of another agent/,
  },
  "a kernel that cannot be asked": {
    break: (machine) => machine.kernel = { missing: "no libbpf" },
    outcome: "OK",
    found: /none/,
  },
});
