import { type CommandOutcome, runCommand } from "./command.ts";
import { SetupError } from "./failure.ts";
import { type Manager, missingTools, packagesFor, type Tool } from "./packages.ts";
import { onPath } from "./program_path.ts";
import { withProgress } from "./progress.ts";

const SETUP_LOG = "build/setup.log";
const UPDATE_LIMIT_MS = 5 * 60_000;
const INSTALL_LIMIT_MS = 20 * 60_000;
/** How long another package manager that holds the lock is waited for. */
const LOCK_SECONDS = 120;
const PROGRAMS: Readonly<Record<Manager, string>> = {
  apt: "apt-get",
  dnf: "dnf",
  zypper: "zypper",
};
const ENVIRONMENT = { DEBIAN_FRONTEND: "noninteractive", NEEDRESTART_SUSPEND: "1", LC_ALL: "C" };

/**
 * Sees to it that `tools` are on this machine, installing what is missing with the machine's package manager, and says
 * so. Does nothing, silently, when everything is there.
 * @throws SetupError when something is missing and cannot be installed.
 */
export async function ensureTools(tools: readonly Tool[]): Promise<void> {
  const missing = missingTools(tools);
  if (missing.length === 0) return;
  const list = missing.join(", ");
  const manager = findManager();
  if (manager === null) {
    throw SetupError.of(
      `missing: ${list}; and this machine has neither apt-get, dnf nor zypper`,
      "install them by hand and run the same command again",
    );
  }
  if (Deno.uid() !== 0) {
    throw SetupError.of(
      `missing: ${list}; installing them needs root`,
      `run the same command as root, or run: sudo ${
        installCommand(manager, packagesFor(missing, manager).map((names) => names[0] ?? "")).join(
          " ",
        )
      }`,
    );
  }
  console.log(`missing on this machine: ${list}`);
  Deno.mkdirSync("build", { recursive: true });
  await (manager === "apt" ? installWithApt(missing) : installWith(manager, missing));
  const still = missingTools(missing);
  if (still.length > 0) {
    throw SetupError.of(
      `${still.join(", ")} still missing after ${
        PROGRAMS[manager]
      } had installed the packages for it`,
      `install it by hand; what was tried is in ${SETUP_LOG}`,
    );
  }
}

/** The machine's package manager; null when it has none that the tools know. */
function findManager(): Manager | null {
  const managers: readonly Manager[] = ["apt", "dnf", "zypper"];
  return managers.find((manager) => onPath(PROGRAMS[manager]) !== null) ?? null;
}

/** The command that installs `packages` without asking. */
function installCommand(
  manager: Manager,
  packages: readonly string[],
): [string, ...string[]] {
  switch (manager) {
    case "apt":
      return [
        "apt-get",
        "install",
        "--yes",
        "--no-install-recommends",
        "-o",
        `DPkg::Lock::Timeout=${LOCK_SECONDS}`,
        "-o",
        "Acquire::Retries=3",
        ...packages,
      ];
    case "dnf":
      return ["dnf", "install", "--assumeyes", "--setopt=install_weak_deps=False", ...packages];
    case "zypper":
      return ["zypper", "--non-interactive", "install", "--no-recommends", ...packages];
  }
}

async function installWith(manager: Manager, missing: readonly Tool[]): Promise<void> {
  const names = packagesFor(missing, manager).map((alternatives) => alternatives[0] ?? "");
  const outcome = await say(
    `installing ${names.join(" ")}`,
    installCommand(manager, names),
    INSTALL_LIMIT_MS,
  );
  if (outcome.code !== 0) throw installFailure(manager, names, outcome);
}

async function installWithApt(missing: readonly Tool[]): Promise<void> {
  const wanted = packagesFor(missing, "apt");
  let updated: CommandOutcome | null = null;
  const update = async () => {
    updated = await say(
      "fetching the package lists (apt-get update)",
      [
        "apt-get",
        "update",
        "-o",
        `DPkg::Lock::Timeout=${LOCK_SECONDS}`,
        "-o",
        "Acquire::Retries=3",
      ],
      UPDATE_LIMIT_MS,
    );
    return updated;
  };
  let chosen = choosePackages(wanted, await aptCandidates(wanted.flat()));
  if (chosen.unknown.length > 0) {
    // One source of several that cannot be reached is not our business, as long as the others have what is missing.
    const outcome = await update();
    chosen = choosePackages(wanted, await aptCandidates(wanted.flat()));
    if (chosen.unknown.length > 0) throw nothingOnOffer(chosen.unknown, outcome);
  }
  const install = () =>
    say(
      `installing ${chosen.packages.join(" ")}`,
      installCommand("apt", chosen.packages),
      INSTALL_LIMIT_MS,
    );
  let outcome = await install();
  // Lists older than the mirror name files that are gone; one fresh look mends that.
  if (outcome.code !== 0 && updated === null && !outcome.timedOut) {
    await update();
    outcome = await install();
  }
  if (outcome.code !== 0) throw installFailure("apt", chosen.packages, outcome);
  if (missing.includes("nginx")) await stopFreshNginx();
}

/** Under systemd Debian starts a server as soon as it is installed; the bench wants the program only, on ports of its own. */
async function stopFreshNginx(): Promise<void> {
  if (!isFolder("/run/systemd/system")) return;
  await say(
    "stopping the nginx service that the package started",
    ["systemctl", "disable", "--now", "nginx"],
    60_000,
  );
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Of each list of names the first with a candidate version; `unknown` holds the first names of the lists with none. */
export function choosePackages(
  wanted: readonly (readonly string[])[],
  candidates: ReadonlySet<string>,
): { packages: string[]; unknown: string[] } {
  const packages = new Set<string>();
  const unknown = new Set<string>();
  for (const alternatives of wanted) {
    const found = alternatives.find((name) => candidates.has(name));
    if (found !== undefined) packages.add(found);
    else unknown.add(alternatives[0] ?? "");
  }
  return { packages: [...packages], unknown: [...unknown] };
}

async function aptCandidates(names: readonly string[]): Promise<Set<string>> {
  const outcome = await runCommand(["apt-cache", "policy", ...names], {
    limitMs: 60_000,
    env: ENVIRONMENT,
  });
  return parseCandidates(outcome.tail);
}

/** The packages that `apt-cache policy` printed with a candidate version. */
export function parseCandidates(text: string): Set<string> {
  const found = new Set<string>();
  let name = "";
  for (const line of text.split("\n")) {
    if (/^\S+:$/.test(line)) name = line.slice(0, -1);
    else if (/^ {2}Candidate: (?!\(none\))/.test(line)) found.add(name);
  }
  return found;
}

function say(
  label: string,
  command: readonly [string, ...string[]],
  limitMs: number,
): Promise<CommandOutcome> {
  let newest = "";
  return withProgress(label, () =>
    runCommand(command, {
      limitMs,
      logPath: SETUP_LOG,
      env: ENVIRONMENT,
      onLine: (line) => newest = line,
    }), {
    detail: () => newest,
    verdict: ({ code }) => code === 0 ? "done" : "failed",
  });
}

/** Tells sources that could not be asked from sources that have no such package. */
export function nothingOnOffer(
  unknown: readonly string[],
  updated: Pick<CommandOutcome, "code" | "timedOut" | "tail">,
): SetupError {
  const unreachable =
    /^(?:E|W|Err)[:\s].*(?:Failed to fetch|Could not|Unable to|Temporary failure).*$/m
      .exec(updated.tail)?.[0];
  if (unreachable !== undefined || updated.timedOut) {
    const { remedy } = diagnose({ timedOut: updated.timedOut, tail: "Failed to fetch" });
    return SetupError.of(
      `the package lists could not be fetched: ${unreachable ?? "no end in time"}`,
      `${remedy}; everything apt-get said is in ${SETUP_LOG}`,
    );
  }
  return SetupError.of(
    `the machine's package sources offer no ${unknown.join(", ")}`,
    "see that /etc/apt names a mirror with the distribution's main section, on Ubuntu also universe; " +
      `everything apt-get said is in ${SETUP_LOG}`,
  );
}

function installFailure(
  manager: Manager,
  packages: readonly string[],
  outcome: CommandOutcome,
): SetupError {
  const { reason, remedy } = diagnose(outcome);
  return SetupError.of(
    `${PROGRAMS[manager]} could not install ${packages.join(" ")}: ${reason}`,
    `${remedy}; everything it said is in ${SETUP_LOG}`,
  );
}

/** What an installer's last words mean for the person in front of it. */
export function diagnose(
  outcome: Pick<CommandOutcome, "timedOut" | "tail">,
): { reason: string; remedy: string } {
  const complaints = outcome.tail.split("\n").filter((line) => /^(E|Err|Error)[:\s]/.test(line));
  const reason = (complaints.at(-1) ?? outcome.tail.trim().split("\n").at(-1) ?? "").trim();
  const said = (pattern: RegExp) => pattern.test(outcome.tail);
  if (outcome.timedOut) {
    return {
      reason: "it did not finish in time",
      remedy: "see that the mirror can be reached, then run the same command again",
    };
  }
  if (said(/Could not get lock|is another process using it/)) {
    return {
      reason: "another package manager is at work",
      remedy: "wait until it has finished, then run the same command again",
    };
  }
  if (said(/dpkg was interrupted/)) {
    return { reason, remedy: "run `dpkg --configure -a`, then the same command again" };
  }
  if (said(/No space left on device|not enough free space/i)) {
    return { reason: "the disk is full", remedy: "make room, then run the same command again" };
  }
  if (said(/Could not resolve|Failed to fetch|Unable to fetch|Unable to connect|Cannot download/)) {
    return {
      reason,
      remedy:
        "see that the network and the package mirror can be reached (and that a proxy is set, " +
        "if the network needs one), then run the same command again",
    };
  }
  return { reason, remedy: "mend what the package manager complains about" };
}
