import type { CommandOutput } from "./output.ts";

const USAGE =
  `Usage: azure-proxy-agent [--status [--wait SECONDS] [--json] [--detailed-exit-codes]] | --version | COMMAND

Guards the metadata endpoints of a virtual machine: every request is attributed to its process, authorised, signed and recorded.

  (nothing)                run as a service, configured by /etc/azure/proxy-agent.json
  console [--config FILE]  run in the foreground until Enter, SIGINT or SIGTERM
  -s, --status             ask the running agent whether provisioning has finished
  -w, --wait SECONDS       with --status: keep asking for so long
  --json                   with --status: one JSON object instead of text
  --detailed-exit-codes    with --status: 3 no agent answers, 4 its answer is of no use, 64 wrong usage
  -v, --version            print the version
  config check|show ...    is a configuration right, and what counts in the end; see config --help
  top [options]            show live who calls what, how fast, with what verdict; see top --help
  inspect WHAT             ask the running agent for status, policy, callers, metrics; see inspect --help
  audit verify [FILE...]   find what was changed, deleted or cut in the audit log; see audit --help
  policy TOOL [options]    check, explain, compare and suggest rules; see policy --help
  doctor [bundle]          find what is wrong with agent or machine, and pack what support needs; see doctor --help
  simulator [options]      play the platform's host; see simulator --help
  -h, --help               print this

Exit codes: 0 done, 1 failed or not finished, 2 wrong usage or configuration, or provisioning ended with an error.
`;

/** Prints how the program is used. Returns the exit code. */
export function helpCommand(output: CommandOutput): number {
  output.out(USAGE);
  return 0;
}

/** Says what is wrong with the command line and prints how the program is used. Returns the exit code. Source: agent 5.1. */
export function usageError(
  { error, exitCode }: { readonly error: string; readonly exitCode: number },
  output: CommandOutput,
): number {
  output.err(`${error}\n\n${USAGE}`);
  return exitCode;
}
