import { runCommand } from "./command.ts";
import { SetupError } from "./failure.ts";
import { onPath } from "./program_path.ts";

const SETUP_LOG = "build/setup.log";
const LIMIT_MS = 5 * 60_000;

/**
 * Fetches a Debian package and unpacks it below `folder` without installing it: nothing of it runs, no service starts, and
 * nothing outside the folder changes. Of several names for the same thing, the first one on offer is taken.
 * @throws SetupError when the machine has no apt-get, or when none of the names can be had.
 */
export async function unpackPackage(names: readonly string[], folder: string): Promise<void> {
  if (onPath("apt-get") === null) {
    throw SetupError.of(
      `${names[0]} is a Debian package, and this machine has no apt-get`,
      "run this on Debian or Ubuntu",
    );
  }
  Deno.mkdirSync(folder, { recursive: true });
  Deno.mkdirSync("build", { recursive: true });
  const run = (...command: [string, ...string[]]) =>
    runCommand(command, {
      limitMs: LIMIT_MS,
      logPath: SETUP_LOG,
      cwd: folder,
      env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
    });
  const fetchFirst = async () => {
    for (const name of names) {
      if ((await run("apt-get", "download", name)).code === 0) return true;
    }
    return false;
  };
  // The lists may be missing, or name a file that is gone.
  if (!await fetchFirst()) {
    await run("apt-get", "update");
    if (!await fetchFirst()) {
      throw SetupError.of(
        `apt-get could not download ${names.join(" or ")}`,
        `see that the package mirror can be reached; everything apt-get said is in ${SETUP_LOG}`,
      );
    }
  }
  for (const { name } of [...Deno.readDirSync(folder)]) {
    if (!name.endsWith(".deb")) continue;
    const { code, tail } = await run("dpkg-deb", "--extract", name, ".");
    if (code !== 0) {
      throw SetupError.of(`dpkg-deb could not unpack ${name}: ${tail.trim()}`, "try again");
    }
  }
}
