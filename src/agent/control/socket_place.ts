import { createPrivateFolder } from "../../runtime/files.ts";
import { AgentError } from "../../runtime/errors.ts";

const ROOT_UID = 0;
/** Bits with which somebody else could put a socket of his own in the place of ours. */
const WRITABLE_BY_OTHERS = 0o022;
/** The address of a Unix socket holds 107 bytes and a zero. Source: unix(7). */
const LONGEST_PATH_BYTES = 107;

/**
 * Makes the place of a socket ready: the folder is there and nobody but its owner, root unless a test says otherwise, can
 * write in it, and no file stands in the way.
 * A socket that nobody listens on any more is removed. Anything else, a link above all, is left alone.
 * @throws AgentError CONTROL_SOCKET saying what stands there and what to do
 */
export async function prepareSocketPlace(path: string, ownerUid = ROOT_UID): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf("/"));
  if (!path.startsWith("/") || folder === "" || path.endsWith("/")) {
    throw refused(`\`${path}\` is no absolute path below a folder; correct \`controlSocket\``);
  }
  if (new TextEncoder().encode(path).length > LONGEST_PATH_BYTES) {
    throw refused(`\`${path}\` is longer than a socket's path may be; choose a shorter one`);
  }
  openFolder(folder, ownerUid);
  const found = lookAt(path);
  if (found === null) return;
  if (found.isSocket !== true) {
    throw refused(`\`${path}\` is there and is no socket; remove it`);
  }
  if (await isServed(path)) {
    throw refused(`another process serves \`${path}\`; stop it, or choose another path`);
  }
  Deno.removeSync(path);
}

function openFolder(folder: string, ownerUid: number): void {
  try {
    createPrivateFolder(folder);
    const { isDirectory, isSymlink, mode, uid } = Deno.lstatSync(folder);
    if (isSymlink || !isDirectory) throw refused(`\`${folder}\` is no folder; remove it`);
    if (uid !== ownerUid || ((mode ?? 0) & WRITABLE_BY_OTHERS) !== 0) {
      throw refused(
        `others may write in \`${folder}\`; run: chown root '${folder}' && chmod 0750 '${folder}'`,
      );
    }
  } catch (cause) {
    if (cause instanceof AgentError) throw cause;
    throw refused(`\`${folder}\` cannot be made: ${(cause as Error).message}`, cause);
  }
}

function lookAt(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Whether somebody holds the socket; one who is too busy for another connection does. */
async function isServed(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    const isLeft = error instanceof Deno.errors.ConnectionRefused ||
      error instanceof Deno.errors.NotFound;
    return !isLeft;
  }
}

function refused(message: string, cause?: unknown): AgentError {
  return new AgentError("CONTROL_SOCKET", message, { cause });
}
