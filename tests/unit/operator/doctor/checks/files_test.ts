import {
  configuration,
  disk,
  keyFile,
  permissions,
} from "../../../../../src/operator/doctor/checks/files.ts";
import { checkTests } from "../../../../fakes/doctor_cases.ts";
import {
  type FakeMachine,
  goodKernel,
  KEY_GUID,
  KEY_PATH,
  NOW_MS,
  statusText,
} from "../../../../fakes/fake_machine.ts";
import type { Space } from "../../../../../src/operator/doctor/mod.ts";

const KEY = { text: "k".repeat(250) };
const MS_PER_DAY = 86_400_000;

checkTests("keyFile", keyFile, new RegExp(`^${KEY_PATH}, 0600, 0\\.0 days old; 1 kept$`), {
  "open to others": {
    break: (machine) => machine.files.set(KEY_PATH, { ...KEY, mode: 0o644 }),
    outcome: "FAIL",
    found: /has mode 0644/,
    remedy: new RegExp(`^chmod 0600 ${KEY_PATH}$`),
  },
  "somebody else's": {
    break: (machine) => machine.files.set(KEY_PATH, { ...KEY, uid: 1000 }),
    outcome: "FAIL",
    found: /belongs to user 1000/,
    remedy: /chown root:root/,
  },
  "cut": {
    break: (machine) => machine.files.set(KEY_PATH, { text: "{" }),
    outcome: "FAIL",
    found: /has 1 bytes/,
    remedy: /rm /,
  },
  "a link": {
    break: (machine) => machine.files.set(KEY_PATH, { link: "/elsewhere" }),
    outcome: "FAIL",
    found: /is no plain file/,
  },
  "gone from the disk": {
    break: (machine) => {
      machine.files.delete(KEY_PATH);
      machine.folders.set("/keys", {});
    },
    outcome: "FAIL",
    found: new RegExp(`the key in use, ${KEY_GUID}, is not in /keys`),
  },
  "no folder": {
    break: (machine) => machine.files.delete(KEY_PATH),
    outcome: "FAIL",
    found: /no folder \/keys/,
  },
  "never latched": {
    break: (machine) => {
      machine.files.delete(KEY_PATH);
      machine.folders.set("/keys", {});
      machine.files.set("/log/status.json", { text: statusText({ keyGuid: null }) });
    },
    outcome: "FAIL",
    found: /none was latched yet/,
  },
  "from the future": {
    break: (machine) => machine.files.set(KEY_PATH, { ...KEY, modifiedMs: NOW_MS + MS_PER_DAY }),
    outcome: "WARN",
    found: /from the future/,
  },
  "the channel off": {
    break: (machine) => {
      machine.files.delete(KEY_PATH);
      const text = statusText({ secureChannelState: "disabled", keyGuid: null });
      machine.files.set("/log/status.json", { text });
    },
    outcome: "OK",
    found: /no key is needed/,
  },
});

checkTests("permissions", permissions, /folders and files are root's/, {
  "a log that everybody reads": {
    break: (machine) => machine.files.set("/log/ProxyAgent.log", { text: "", mode: 0o644 }),
    outcome: "FAIL",
    found: /ProxyAgent\.log has mode 0644/,
    remedy: /^chmod 0640/,
  },
  "an open folder": {
    break: (machine) => machine.folders.set("/log", { mode: 0o755 }),
    outcome: "FAIL",
    found: /\/log has mode 0755/,
    remedy: /^chmod 0750 \/log$/,
  },
  "a rule file that others write": {
    break: (machine) => machine.files.set("/rules/IMDS_Rules.json", { text: "{}", mode: 0o664 }),
    outcome: "FAIL",
    found: /IMDS_Rules\.json has mode 0664/,
  },
  "a program that is somebody else's": {
    break: (machine) =>
      machine.files.set("/usr/sbin/azure-proxy-agent", { text: "x", mode: 0o755, uid: 33 }),
    outcome: "FAIL",
    found: /azure-proxy-agent belongs to user 33/,
  },
  "an object file that the group writes": {
    break: (machine) => machine.files.set("/lib/b.o", { text: "x", mode: 0o664 }),
    outcome: "FAIL",
    found: /\/lib\/b\.o has mode 0664/,
  },
});

const space = (change: Partial<Space>) => (machine: FakeMachine) => {
  const kernel = goodKernel();
  machine.kernel = { ...kernel, space: (path) => ({ ...kernel.space(path), ...change }) };
};

checkTests("disk", disk, /^free: \/log 4768 MiB, \/keys 4768 MiB$/, {
  "a file system that is read-only": {
    break: space({ isReadOnly: true }),
    outcome: "FAIL",
    found: /\/log cannot be written to/,
    remedy: /remount,rw/,
  },
  "a folder that is closed": {
    break: (machine) => machine.unwritable.add("/keys"),
    outcome: "FAIL",
    found: /^\/keys cannot be written to$/,
  },
  "no room": { break: space({ freeBytes: 1000 }), outcome: "FAIL", found: /\/log is full/ },
  "little room": {
    break: space({ freeBytes: 50 * 1024 * 1024 }),
    outcome: "WARN",
    found: /only 50 MiB free/,
  },
  "no room for files": {
    break: space({ freeFiles: 3 }),
    outcome: "WARN",
    found: /only 3 more files/,
  },
  "file systems that count no files": {
    break: space({ totalFiles: 0, freeFiles: 0 }),
    outcome: "OK",
    found: /free/,
  },
  "no folder": {
    break: (machine) => machine.files.delete(KEY_PATH),
    outcome: "FAIL",
    found: /no folder \/keys/,
  },
});

checkTests("configuration", configuration, /proxy-agent\.json can be used/, {
  "one that is wrong": {
    settings: { configErrors: ["`logFolder` is missing"] },
    outcome: "FAIL",
    found: /`logFolder` is missing/,
  },
  "one with a strange key": {
    settings: { configWarnings: ["`loggFolder` is no known key"] },
    outcome: "WARN",
    found: /loggFolder/,
    remedy: /correct \/etc\/azure\/proxy-agent\.json/,
  },
});
