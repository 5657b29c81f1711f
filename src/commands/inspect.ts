import { ControlClient, ControlError } from "../operator/live_view/mod.ts";
import { controlSocketOf } from "./control_socket.ts";
import { misused, parseOptions } from "./options.ts";
import { SURROUNDINGS, type Surroundings } from "./surroundings.ts";
import type { CommandOutput } from "./output.ts";

const USAGE = `Usage: azure-proxy-agent inspect WHAT [options]

Asks the running agent over its control socket, as root. It changes nothing.

  status        the health of every part, and the aggregate status
  policy        the policy in use: the rules as they came, and what they were compiled to
  attestation   what exactly runs: hashes, kernel programs and their attach points, policy and key by their numbers
  caller        who a caller is: --pid PID for the open connections of a process, or --port PORT [--address A.B.C.D]
                for the caller's end of one connection
  metrics       all metrics, as Prometheus reads them
  decisions     one line of JSON for each request from now on, until it is interrupted

  --socket PATH   the agent's socket
  --config FILE   the configuration that names it
  -h, --help

Exit codes: 0 done, 1 the agent does not answer or refuses, 2 wrong usage.
`;

const PATHS: Readonly<Record<string, string>> = Object.freeze({
  status: "/v1/status",
  policy: "/v1/policy",
  attestation: "/v1/attestation",
  caller: "/v1/caller",
  metrics: "/metrics",
  decisions: "/v1/decisions",
});

/** Runs `inspect`. Returns the exit code. `signal` ends a stream of decisions. */
export async function inspectCommand(
  args: readonly string[],
  output: CommandOutput,
  signal: AbortSignal,
  context: Surroundings = SURROUNDINGS,
): Promise<0 | 1 | 2> {
  const parsed = parseOptions(args, {
    socket: { type: "string" },
    config: { type: "string" },
    pid: { type: "string" },
    port: { type: "string" },
    address: { type: "string" },
  });
  if (!parsed.ok) return misused(parsed.error, USAGE, output);
  const { positionals: [what = "", ...more], flag, text } = parsed.value;
  if (flag("help") || what === "help") {
    output.out(USAGE);
    return 0;
  }
  if (!Object.hasOwn(PATHS, what) || more.length > 0) {
    const names = Object.keys(PATHS).join(", ");
    return misused(`\`inspect\` wants one of ${names}`, USAGE, output);
  }
  const query = new URLSearchParams();
  for (const name of ["pid", "port", "address"]) {
    const value = text(name);
    if (value === null) continue;
    if (what !== "caller") {
      return misused(`\`--${name}\` goes together with \`caller\` only`, USAGE, output);
    }
    query.set(name, value);
  }
  const socket = await controlSocketOf({ socket: text("socket"), config: text("config") }, context);
  if ("error" in socket) {
    output.err(`${socket.error}\n`);
    return 1;
  }
  const path = `${PATHS[what]}${query.size === 0 ? "" : `?${query}`}`;
  return await ask(socket.path, path, output, AbortSignal.any([signal, output.readerGone]));
}

async function ask(
  socket: string,
  path: string,
  output: CommandOutput,
  signal: AbortSignal,
): Promise<0 | 1> {
  using client = new ControlClient(socket);
  try {
    if (path === PATHS["decisions"]) {
      for await (const line of client.lines(path, signal)) output.out(`${JSON.stringify(line)}\n`);
    } else if (path === PATHS["metrics"]) {
      output.out(await client.text(path));
    } else {
      output.out(`${JSON.stringify(await client.json(path), null, 2)}\n`);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    output.err(`${error.message}\n`);
    return 1;
  }
}
