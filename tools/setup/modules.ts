import { type CommandOutcome, runCommand } from "./command.ts";
import { SetupError } from "./failure.ts";
import { withProgress } from "./progress.ts";

const FETCH_LIMIT_MS = 5 * 60_000;
/** The oldest Deno that the code runs on: the one that `deno compile` bases are proven with. */
const OLDEST_DENO = [2, 7, 14] as const;

/** Options that hold a Deno command to the versions and checksums of the lock file. */
export const LOCKED: readonly string[] = ["--lock=deno.lock", "--frozen"];

/** Keeps the agent's heap near what it holds. As in compile.sh and deno.json; why: docs/adr/0018-bounded-heap.md. */
export const BOUNDED_HEAP =
  "--v8-flags=--max-semi-space-size=4,--heap-growing-percent=20,--no-memory-pool";

/**
 * Environment of every Deno that the tools start: certificates that an administrator added to the system count, as
 * networks that look into TLS need it.
 */
export function denoEnvironment(): Record<string, string> {
  return {
    DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "system,mozilla",
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
  };
}

/** True when `version` is at least `oldest`, compared number by number. */
export function atLeast(version: string, oldest: readonly number[]): boolean {
  const parts = version.split(/[.+-]/).map(Number);
  for (const [index, least] of oldest.entries()) {
    const part = parts[index] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}

/**
 * Fetches the npm packages that `entries` import, so that what runs later needs no network.
 * @throws SetupError when they cannot be had, or when Deno is too old.
 */
export async function fetchModules(entries: readonly string[]): Promise<void> {
  if (!atLeast(Deno.version.deno, OLDEST_DENO)) {
    throw SetupError.of(
      `this is Deno ${Deno.version.deno}, and the code needs ${OLDEST_DENO.join(".")} or newer`,
      "run `deno upgrade`, or put `npx -y deno@2.9.6` in place of `deno`",
    );
  }
  await withProgress("fetching npm packages", async () => {
    const outcome = await runCommand([Deno.execPath(), "cache", ...LOCKED, ...entries], {
      limitMs: FETCH_LIMIT_MS,
      env: denoEnvironment(),
    });
    if (outcome.code !== 0) throw fetchFailure(outcome);
  });
}

/** Tells a network that is in the way from code that names what does not exist. */
export function fetchFailure(outcome: Pick<CommandOutcome, "timedOut" | "tail">): SetupError {
  const reason = outcome.timedOut
    ? "no answer in time"
    : outcome.tail.split("\n").find((line) => line.includes("error"))?.trim() ??
      outcome.tail.trim();
  const remedy = outcome.tail.includes("UnknownIssuer")
    ? "add the certificate of the network's proxy to the system's store (update-ca-certificates)"
    : outcome.tail.includes("lockfile")
    ? "bring deno.lock up to date: deno cache --lock=deno.lock --frozen=false FILE"
    : outcome.timedOut || /sending request|Failed caching|Failed loading/.test(outcome.tail)
    ? "see that the npm registry can be reached (HTTPS_PROXY, NPM_CONFIG_REGISTRY and .npmrc are honoured)"
    : "mend the import";
  return SetupError.of(`the modules could not be loaded: ${reason}`, remedy);
}
