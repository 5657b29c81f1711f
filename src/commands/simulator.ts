import { parseArgs } from "node:util";
import type { SocketAddress } from "../domain/wire/endpoints.ts";
import { AgentError } from "../runtime/errors.ts";
import {
  type ControlAddress,
  DEFAULT_ADDRESSES,
  DEFAULT_HOST_OPTIONS,
  type HostOptions,
  parsePolicy,
  type SimulatorAddresses,
  startSimulator,
} from "../simulator/mod.ts";
import type { CommandOutput } from "./output.ts";

/** What the command line asked for. */
export type SimulatorRequest =
  | {
    readonly kind: "run";
    readonly addresses: SimulatorAddresses;
    readonly options: Partial<HostOptions>;
    readonly policyFile: string | null;
  }
  | { readonly kind: "help" }
  | { readonly kind: "usage"; readonly error: string };

const USAGE = `Usage: azure-proxy-agent simulator [options]

Plays the platform's host: WireServer, HostGAPlugin and IMDS, with a control interface.

  --bind-wireserver ADDR[:PORT]  default 168.63.129.16:80
  --bind-hostga ADDR[:PORT]      default 168.63.129.16:32526
  --bind-imds ADDR[:PORT]        default 169.254.169.254:80
  --control ADDR:PORT|PATH|off   default 127.0.0.1:3081; a path makes a Unix socket
  --policy FILE                  policy to start with, JSON; default: everything enforced
  --journal N                    requests the journal keeps, default ${DEFAULT_HOST_OPTIONS.journalEntries}
  --key-grace MS                 how long a replaced key still verifies, default ${DEFAULT_HOST_OPTIONS.previousKeyGraceMs}
  --max-skew MS                  how far a signed date may be off, default ${DEFAULT_HOST_OPTIONS.maxSkewMs}
  -h, --help

The metadata addresses must exist on this machine: ip addr add 169.254.169.254/32 dev lo, and so on.
`;

/**
 * Runs the simulated host until `signal` fires. Returns the exit code: 0, 1 when it could not start, 2 for a usage error.
 */
export async function simulatorCommand(
  args: readonly string[],
  output: CommandOutput,
  signal: AbortSignal,
): Promise<number> {
  const request = parseSimulatorArgs(args);
  if (request.kind === "help") {
    output.out(USAGE);
    return 0;
  }
  if (request.kind === "usage") {
    output.err(`${request.error}\n${USAGE}`);
    return 2;
  }
  const options = await withPolicyFile(request.options, request.policyFile);
  if (typeof options === "string") {
    output.err(`${options}\n`);
    return 1;
  }
  try {
    await using simulator = await startSimulator(request.addresses, options);
    output.out(announcement(simulator.addresses));
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    return 0;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
    output.err(`${error.message}${cause}\n`);
    return 1;
  }
}

/** Reads the command line of `simulator`. */
export function parseSimulatorArgs(args: readonly string[]): SimulatorRequest {
  let values: Record<string, string | boolean | undefined>;
  try {
    values = parseArgs({
      args: [...args],
      strict: true,
      options: {
        "bind-wireserver": { type: "string" },
        "bind-hostga": { type: "string" },
        "bind-imds": { type: "string" },
        control: { type: "string" },
        policy: { type: "string" },
        journal: { type: "string" },
        "key-grace": { type: "string" },
        "max-skew": { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    return { kind: "usage", error: (error as Error).message };
  }
  if (values["help"] === true) return { kind: "help" };
  const text = (name: string) => values[name] as string | undefined;
  const addresses = {
    wireserver: socketAddress(text("bind-wireserver"), DEFAULT_ADDRESSES.wireserver),
    hostga: socketAddress(text("bind-hostga"), DEFAULT_ADDRESSES.hostga),
    imds: socketAddress(text("bind-imds"), DEFAULT_ADDRESSES.imds),
    control: controlAddress(text("control")),
  };
  for (const [name, address] of Object.entries(addresses)) {
    if (address === undefined) return { kind: "usage", error: `bad address for ${name}` };
  }
  const options: Record<string, number> = {};
  for (
    const [flag, option, least] of [
      ["journal", "journalEntries", 1],
      ["key-grace", "previousKeyGraceMs", 0],
      ["max-skew", "maxSkewMs", 0],
    ] as const
  ) {
    const given = text(flag);
    if (given === undefined) continue;
    if (!/^\d{1,9}$/.test(given) || Number(given) < least) {
      return { kind: "usage", error: `--${flag} wants a whole number from ${least}` };
    }
    options[option] = Number(given);
  }
  return {
    kind: "run",
    addresses: addresses as SimulatorAddresses,
    options,
    policyFile: text("policy") ?? null,
  };
}

async function withPolicyFile(
  options: Partial<HostOptions>,
  path: string | null,
): Promise<Partial<HostOptions> | string> {
  if (path === null) return options;
  let document: unknown;
  try {
    document = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    return `read the policy \`${path}\`: ${(error as Error).message}`;
  }
  const policy = parsePolicy(document);
  return policy.ok
    ? { ...options, policy: policy.value }
    : `read the policy \`${path}\`: ${policy.error}`;
}

/** `undefined` when the text is no address. */
function socketAddress(
  text: string | undefined,
  fallback: SocketAddress,
): SocketAddress | undefined {
  if (text === undefined) return fallback;
  const match = /^(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const port = match[2] === undefined ? fallback.port : Number(match[2]);
  if (port > 65_535 || match[1]!.split(".").some((part) => Number(part) > 255)) return undefined;
  return { address: match[1]!, port };
}

function controlAddress(text: string | undefined): ControlAddress | null | undefined {
  if (text === "off") return null;
  if (text?.includes("/") === true) return { unixPath: text };
  return socketAddress(text, DEFAULT_ADDRESSES.control as SocketAddress);
}

function announcement(addresses: SimulatorAddresses): string {
  const shown = ({ address, port }: SocketAddress) => `${address}:${port}`;
  const { control } = addresses;
  const lines = [
    `WireServer    ${shown(addresses.wireserver)}`,
    `HostGAPlugin  ${shown(addresses.hostga)}`,
    `IMDS          ${shown(addresses.imds)}`,
    `control       ${
      control === null ? "off" : "unixPath" in control ? control.unixPath : shown(control)
    }`,
  ];
  return lines.join("\n") + "\n";
}
