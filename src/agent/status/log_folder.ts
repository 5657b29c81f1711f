import { isRuleDump } from "./rule_dumps.ts";
import { STATUS_FILE_NAME } from "./writer.ts";

/** What the agent keeps in its log folder, besides what the log files put aside. */
const FIXED_NAMES: ReadonlySet<string> = new Set([
  "ProxyAgent.log",
  "ProxyAgent.Connection.log",
  "ProxyAgent.Events.ndjson",
  "ProxyAgent.Connection.anchor.json",
  "ProxyAgent.Connection.anchor.tmp",
  STATUS_FILE_NAME,
  "status.tmp",
  "events",
]);

/** Whether a name in the log folder is one that the agent, or an agent before it, gave out. Source: agent 3.1. */
export function isLogFolderEntry(name: string): boolean {
  return FIXED_NAMES.has(name) || isRuleDump(name) ||
    /^ProxyAgent(\.Connection\.log|\.Events\.ndjson|\.log)\..+\.log$/.test(name);
}
