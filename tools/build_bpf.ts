/**
 * Builds the kernel programs: `bpf/redirector.bpf.c` into two objects under `build/bpf`, one that reads the caller's
 * task and one that does not, for kernels that refuse such reads. Neither depends on the processor's architecture: no
 * program is attached to a kernel function, so no register is named. Does nothing when the inputs are unchanged.
 *
 * @module
 */
import { createHash } from "node:crypto";
import {
  BUILD_TOOLS,
  type CommandOutcome,
  ensureTools,
  runCommand,
  runTool,
  SetupError,
  withProgress,
} from "./setup/mod.ts";

/** One object to build. */
interface BpfObject {
  readonly name: string;
  readonly defines: readonly string[];
}

const SOURCE = "bpf/redirector.bpf.c";
const OBJECTS: readonly BpfObject[] = [
  { name: "redirector.o", defines: [] },
  { name: "redirector_no_task.o", defines: ["-DNO_TASK_READS"] },
];
/** v3 instructions (32-bit jumps) are understood by every kernel since 5.1; folders are named relative to the root. */
const FLAGS = [
  "-target",
  "bpf",
  "-mcpu=v3",
  "-O2",
  "-g",
  "-fdebug-compilation-dir=.",
  "-Wall",
  "-Werror",
];
const COMPILE_LIMIT_MS = 60_000;
/** Where Debian and its kin keep the kernel's `asm` headers; elsewhere the compiler finds them by itself. */
const ASM_HEADERS = ["/usr/include/x86_64-linux-gnu", "/usr/include/aarch64-linux-gnu"];

/**
 * Builds the objects that are missing or older than their inputs.
 * @param root Folder of the repository; `build/bpf` is made below it.
 * @returns The folder with the objects.
 * @throws SetupError with the compiler's message when the source does not compile.
 */
export async function buildBpf(root = "."): Promise<string> {
  const folder = `${root}/build/bpf`;
  const stampPath = `${folder}/inputs.sha256`;
  const stamp = await inputsDigest(root);
  if (readText(stampPath) === stamp && OBJECTS.every(({ name }) => exists(`${folder}/${name}`))) {
    return folder;
  }
  Deno.mkdirSync(folder, { recursive: true });
  await withProgress("building the kernel programs", async () => {
    for (const object of OBJECTS) await build(root, folder, object);
  });
  Deno.writeTextFileSync(stampPath, stamp);
  return folder;
}

async function build(root: string, folder: string, { name, defines }: BpfObject): Promise<void> {
  // Written beside its place and renamed, so that a build that runs at the same time never shows half a file.
  const fresh = `${folder}/.${name}.${Deno.pid}`;
  try {
    const compiled = await runCommand(
      ["clang", ...FLAGS, ...asmInclude(), ...defines, "-c", SOURCE, "-o", absolute(fresh)],
      { cwd: root, limitMs: COMPILE_LIMIT_MS },
    );
    expectSuccess(compiled, `clang could not compile ${SOURCE} into ${name}`);
    // The type information (BTF) stays: loading needs it. The debug information would name this machine's folders.
    const stripped = await runCommand(["llvm-strip", "-g", fresh], { limitMs: COMPILE_LIMIT_MS });
    expectSuccess(stripped, `llvm-strip could not strip ${name}`);
    expectSections(Deno.readFileSync(fresh), name);
    Deno.renameSync(fresh, `${folder}/${name}`);
  } finally {
    if (exists(fresh)) Deno.removeSync(fresh);
  }
}

function expectSuccess(outcome: CommandOutcome, attempt: string): void {
  if (outcome.code === 0) return;
  const said = outcome.timedOut ? "it did not finish in time" : outcome.tail.trim();
  throw SetupError.of(`${attempt}:\n${said}`, "mend the source, or install a newer clang");
}

/** The names of the sections stand as plain text in the object. */
function expectSections(bytes: Uint8Array, name: string): void {
  const text = new TextDecoder("latin1").decode(bytes);
  if (text.includes(".BTF\0") && text.includes(".BTF.ext\0") && !text.includes(".debug_info")) {
    return;
  }
  throw SetupError.of(
    `${name} came out without type information (BTF), or with debug information`,
    "install a newer clang and llvm (14 is enough)",
  );
}

/** Digest of everything that decides what comes out: sources, library headers, flags and the compiler's version. */
async function inputsDigest(root: string): Promise<string> {
  const digest = createHash("sha256");
  const version = await runCommand(["clang", "--version"], { limitMs: COMPILE_LIMIT_MS });
  digest.update(JSON.stringify([FLAGS, OBJECTS, asmInclude(), version.tail]));
  for (const folder of [`${root}/bpf`, "/usr/include/bpf"]) {
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name);
    for (const name of names.filter((each) => /\.[ch]$/.test(each)).sort()) {
      digest.update(name).update(Deno.readFileSync(`${folder}/${name}`));
    }
  }
  return digest.digest("hex");
}

function asmInclude(): string[] {
  const folder = ASM_HEADERS.find((each) => exists(`${each}/asm/types.h`));
  return folder === undefined ? [] : ["-I", folder];
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}

function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) {
  await runTool(async () => {
    await ensureTools(BUILD_TOOLS);
    console.log(`kernel programs: ${await buildBpf()}`);
    return 0;
  });
}
