import { type Check, fail, fine, judge, type Problem, shellWord, warn } from "../check.ts";
import type { FileFacts, Machine } from "../machine.ts";
import type { Situation } from "../situation.ts";

const ROOT_UID = 0;
const KEY_NAME = /^([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})\.key$/;
const RULE_FILES = ["WireServer_Rules.json", "IMDS_Rules.json", "HostGA_Rules.json"] as const;
/** What the agent writes into its log and status folder. */
const KEPT_FILES = [
  "ProxyAgent.log",
  "ProxyAgent.Connection.log",
  "ProxyAgent.Events.ndjson",
  "status.json",
] as const;
const GROUP_AND_OTHERS = 0o077;
const OTHERS = 0o007;
const WRITABLE_BY_OTHERS = 0o022;
/** Smaller than the shortest key file. */
const LEAST_KEY_BYTES = 64;
/** Less room than this is told, bytes; less than the second stops the agent from keeping records. */
const LOW_BYTES = 100 * 1024 * 1024;
const FULL_BYTES = 1024 * 1024;
const LOW_FILES = 1000;
const FUTURE_TOLERANCE_MS = 60_000;
const MS_PER_DAY = 86_400_000;

/** The key file by its owner, mode, size and age. Its content is not read. Source: agent 3.4, 3.5. */
export const keyFile: Check = {
  name: "key-file",
  title: "key file",
  async run(situation) {
    const { machine, settings: { keyFolder } } = situation;
    const status = await situation.status();
    if (status?.states.get("secureChannelState") === "disabled") {
      return fine("the host has not enabled the secure channel: no key is needed");
    }
    const names = await machine.names(keyFolder);
    if (names === null) {
      return fail(
        `there is no folder ${keyFolder}`,
        "start the agent, which makes it; if it runs, see its log",
      );
    }
    const keys = await keysIn(machine, keyFolder, names);
    const guid = status?.states.get("keyGuid");
    const current = guid === undefined ? keys[0] : keys.find((key) => key.guid === guid);
    if (current === undefined) {
      return fail(
        guid === undefined
          ? `there is no key in ${keyFolder}: none was latched yet`
          : `the key in use, ${guid}, is not in ${keyFolder}: it would be lost at a restart`,
        "see key-latch and the agent's log; a running agent asks the host again by itself",
      );
    }
    const { path, facts } = current;
    const problems = ownProblems(path, facts, GROUP_AND_OTHERS, "0600");
    if (facts.kind !== "file") {
      problems.push(fail(`${path} is no plain file`, `remove it: rm ${shellWord(path)}`));
    } else if (facts.sizeBytes < LEAST_KEY_BYTES) {
      problems.push(fail(
        `${path} has ${facts.sizeBytes} bytes: it was cut`,
        `remove it: rm ${shellWord(path)}; the agent asks the host for a key again`,
      ));
    }
    const ageMs = machine.wallMs() - facts.modifiedMs;
    if (ageMs < -FUTURE_TOLERANCE_MS) {
      problems.push(warn(`${path} is from the future: the clock went back`, "see clock"));
    }
    const days = (Math.max(0, ageMs) / MS_PER_DAY).toFixed(1);
    return judge(problems, `${path}, 0600, ${days} days old; ${keys.length} kept`);
  },
};

interface KeyEntry {
  readonly path: string;
  readonly guid: string;
  readonly facts: FileFacts;
}

/** The newest first. */
async function keysIn(
  machine: Machine,
  folder: string,
  names: readonly string[],
): Promise<KeyEntry[]> {
  const keys: KeyEntry[] = [];
  for (const name of names) {
    const guid = KEY_NAME.exec(name)?.[1];
    if (guid === undefined) continue;
    const path = `${folder}/${name}`;
    const facts = await machine.facts(path);
    if (facts !== null) keys.push({ path, guid, facts });
  }
  return keys.sort((left, right) => right.facts.modifiedMs - left.facts.modifiedMs);
}

/** What is wrong with owner and mode. */
function ownProblems(path: string, facts: FileFacts, forbidden: number, mode: string): Problem[] {
  const problems: Problem[] = [];
  if (facts.uid !== ROOT_UID) {
    problems.push(
      fail(`${path} belongs to user ${facts.uid}`, `chown root:root ${shellWord(path)}`),
    );
  }
  if (facts.kind !== "link" && (facts.mode & forbidden) !== 0) {
    problems.push(fail(
      `${path} has mode ${facts.mode.toString(8).padStart(4, "0")}`,
      `chmod ${mode} ${shellWord(path)}`,
    ));
  }
  return problems;
}

/** Who else could read or change what the agent keeps or obeys. Source: agent 3.1, authorization W-12. */
export const permissions: Check = {
  name: "permissions",
  title: "owners and modes of folders and files",
  async run(situation) {
    const { machine, settings } = situation;
    const problems: Problem[] = [];
    let looked = 0;
    const look = async (path: string, forbidden: number, mode: string) => {
      const facts = await machine.facts(path);
      if (facts === null) return;
      looked++;
      problems.push(...ownProblems(path, facts, forbidden, mode));
    };
    const { logFolder, statusFolder, eventFolder, keyFolder, rulesFolder } = settings;
    const { configFile, executable } = settings;
    await look(eventFolder, OTHERS | WRITABLE_BY_OTHERS, "0750");
    for (const folder of new Set([logFolder, statusFolder])) {
      if (folder === null) continue;
      await look(folder, OTHERS | WRITABLE_BY_OTHERS, "0750");
      for (const name of KEPT_FILES) {
        await look(`${folder}/${name}`, OTHERS | WRITABLE_BY_OTHERS, "0640");
      }
    }
    await look(keyFolder, GROUP_AND_OTHERS, "0700");
    for (const name of await machine.names(keyFolder) ?? []) {
      if (/\.(key|issued|tag|epoch|kept)$/.test(name)) {
        await look(`${keyFolder}/${name}`, GROUP_AND_OTHERS, "0600");
      }
    }
    await look(rulesFolder, GROUP_AND_OTHERS, "0700");
    for (const name of RULE_FILES) await look(`${rulesFolder}/${name}`, WRITABLE_BY_OTHERS, "0644");
    if (configFile !== null) await look(configFile, WRITABLE_BY_OTHERS, "0644");
    await look(executable, WRITABLE_BY_OTHERS, "0755");
    for (const path of settings.bpfObjects.full) await look(path, WRITABLE_BY_OTHERS, "0644");
    return judge(problems, `${looked} folders and files are root's and closed to others`);
  },
};

/** Room in the file systems and whether the folders can be written to. Nothing is written. */
export const disk: Check = {
  name: "disk",
  title: "disk space and writability",
  async run(situation) {
    const { machine, kernel, settings } = situation;
    const { logFolder, statusFolder, eventFolder, keyFolder } = settings;
    const problems: Problem[] = [];
    const seen: string[] = [];
    for (const folder of new Set([logFolder, statusFolder, eventFolder, keyFolder])) {
      if (folder === null) continue;
      if (await machine.facts(folder) === null) {
        // The event folder is made when there is something to keep.
        if (folder === eventFolder) continue;
        problems.push(fail(`there is no folder ${folder}`, `start the agent, which makes it`));
        continue;
      }
      const space = kernel.space(folder);
      const free = `${Math.floor(space.freeBytes / 1024 / 1024)} MiB`;
      seen.push(`${folder} ${free}`);
      if (space.isReadOnly || !machine.mayWrite(folder)) {
        problems.push(fail(
          `${folder} cannot be written to`,
          `mount it writable: mount -o remount,rw "$(findmnt -nT ${shellWord(folder)} -o TARGET)"`,
        ));
      } else if (space.freeBytes < FULL_BYTES) {
        problems.push(
          fail(`${folder} is full: ${free} free`, `make room: du -xh ${shellWord(folder)}`),
        );
      } else if (space.freeBytes < LOW_BYTES) {
        problems.push(
          warn(`${folder} has only ${free} free`, `make room: du -xh ${shellWord(folder)}`),
        );
      }
      if (space.totalFiles > 0 && space.freeFiles < LOW_FILES) {
        problems.push(warn(
          `the file system of ${folder} has room for only ${space.freeFiles} more files`,
          `remove some: df -i ${shellWord(folder)}`,
        ));
      }
    }
    return judge(problems, `free: ${seen.join(", ")}`);
  },
};

/** What the command that loaded the configuration found out. Source: agent 2. */
export const configuration: Check = {
  name: "config",
  title: "configuration",
  run({ settings: { configErrors, configWarnings, configFile } }) {
    const where = configFile ?? "the configuration";
    return judge([
      ...configErrors.map((error) => fail(error, "correct it; the usual values are used below")),
      ...configWarnings.map((text) => warn(text, `correct ${where}`)),
    ], `${where} can be used`);
  },
};

/** The local rule files that there are. */
export async function ruleFilesOf(
  { machine, settings: { rulesFolder } }: Situation,
): Promise<{ readonly path: string; readonly facts: FileFacts }[]> {
  const found = [];
  for (const name of RULE_FILES) {
    const path = `${rulesFolder}/${name}`;
    const facts = await machine.facts(path);
    if (facts !== null) found.push({ path, facts });
  }
  return found;
}
