import type { BpfObjectPaths } from "../platform.ts";
import { AgentError } from "../../runtime/errors.ts";

/** Where a package installs the BPF objects. Source: agent.md 3.1 and 7.1. */
const INSTALLED_FOLDER = "/usr/lib/azure-proxy-agent";
/** The name that the build gives, looked for behind a configured name that is another agent's. */
const BUILT_NAME = "redirector.o";
/** Suffix of the object without task reads, before the ending. */
const NO_TASK_SUFFIX = "_no_task";

/** Paths under which a variant is looked for, in this order. */
export function candidatePaths(
  paths: BpfObjectPaths,
  variant: "full" | "no-task-reads",
): readonly string[] {
  const named = (path: string) => variant === "full" ? path : withoutTaskReads(path);
  const folders = [INSTALLED_FOLDER, ...paths.folders];
  return [
    ...(paths.fullPath === null ? [] : [named(paths.fullPath)]),
    ...new Set(
      [paths.fileName, BUILT_NAME].flatMap((fileName) =>
        folders.map((folder) => named(`${folder}/${fileName}`))
      ),
    ),
  ];
}

function withoutTaskReads(path: string): string {
  const dot = path.lastIndexOf(".");
  const end = dot > path.lastIndexOf("/") ? dot : path.length;
  return path.slice(0, end) + NO_TASK_SUFFIX + path.slice(end);
}

/** Reads the first object that is there. @throws AgentError BPF_OBJECT_MISSING naming all paths */
export function readBpfObject(
  paths: BpfObjectPaths,
  variant: "full" | "no-task-reads",
): Uint8Array<ArrayBuffer> {
  const tried = candidatePaths(paths, variant);
  for (const path of tried) {
    try {
      return Deno.readFileSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  throw new AgentError(
    "BPF_OBJECT_MISSING",
    `no BPF object was found; build it with \`deno task build:bpf\` or set ebpfFileFullPath; looked for \`${
      tried.join("`, `")
    }\``,
  );
}
