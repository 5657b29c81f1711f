import { runCommand } from "./command.ts";
import { SetupError } from "./failure.ts";
import { onPath } from "./program_path.ts";

const SETUP_LOG = "build/setup.log";
const LIMIT_MS = 5 * 60_000;

/** Where Debian's own packages come from, and what says that they are Debian's. */
const DEBIAN = "http://deb.debian.org/debian";
const DEBIAN_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * Fetches a Debian package and unpacks it below `folder` without installing it: nothing of it runs, no service starts, and
 * nothing outside the folder changes. Of several names for the same thing, the first one on offer is taken.
 * @param folder its absolute path
 * @param release a release of Debian to take it from, with lists of its own below `folder`; default: what the machine takes
 * @throws SetupError when the machine has no apt-get, or when none of the names can be had.
 */
export async function unpackPackage(
  names: readonly string[],
  folder: string,
  release: string | null = null,
): Promise<void> {
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
  const options = release === null ? [] : listsOfTheirOwn(release, folder);
  const fetchFirst = async () => {
    for (const name of names) {
      if ((await run("apt-get", ...options, "download", name)).code === 0) return true;
    }
    return false;
  };
  // The lists may be missing, or name a file that is gone.
  if (!await fetchFirst()) {
    await run("apt-get", ...options, "update");
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

/** What makes apt-get look at one release alone, and keep all it knows of it below `folder`. */
function listsOfTheirOwn(release: string, folder: string): string[] {
  const place = `${folder}/apt-${release}`;
  for (const name of ["lists/partial", "cache/archives/partial"]) {
    Deno.mkdirSync(`${place}/${name}`, { recursive: true });
  }
  const line = `deb [signed-by=${DEBIAN_KEYRING}] ${DEBIAN} ${release} main\n`;
  Deno.writeTextFileSync(`${place}/sources.list`, line);
  return [
    `Dir::Etc::sourcelist=${place}/sources.list`,
    "Dir::Etc::sourceparts=-",
    `Dir::State::lists=${place}/lists`,
    `Dir::Cache=${place}/cache`,
    "Acquire::Languages=none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
    // The folder may be one that apt's own user cannot enter.
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
}
