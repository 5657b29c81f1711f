import { runCommand, SetupError } from "../setup/mod.ts";

/** The small programs of `clients/`, compiled: paths that every user may execute. */
export interface Clients {
  /** Starts the agent and watches it come up. */
  readonly starter: string;
  /** Opens connections and keeps them. */
  readonly holder: string;
  /** Times connect() in two cgroups. */
  readonly connectCost: string;
}

const COMPILE_LIMIT_MS = 60_000;
const FLAGS = ["-O2", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"];

/** Compiles the clients into `folder`. @throws SetupError with what the compiler said */
export async function buildClients(folder: string): Promise<Clients> {
  const build = async (name: string) => {
    const source = new URL(`./clients/${name}.c`, import.meta.url).pathname;
    const output = `${folder}/${name}`;
    const { code, tail } = await runCommand(["clang", ...FLAGS, "-o", output, source], {
      limitMs: COMPILE_LIMIT_MS,
    });
    if (code !== 0) throw SetupError.of(`${name}.c did not compile: ${tail}`, "mend the source");
    await Deno.chmod(output, 0o755);
    return output;
  };
  return {
    starter: await build("starter"),
    holder: await build("holder"),
    connectCost: await build("connect_cost"),
  };
}
