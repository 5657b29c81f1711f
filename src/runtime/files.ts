/** Mode of folders that others than root and its group may not read. */
const FOLDER_MODE = 0o750;

/**
 * Makes sure that the folder exists and is closed to strangers: missing ones, parents included, are created 0750.
 * An existing one is set to 0750 only if it is wider and nothing in it is foreign (`isOurs` knows every name), because
 * it may as well be a folder of the system that the configuration names by mistake.
 *
 * @throws Deno.errors.* when it can be neither found nor created.
 */
export function openPrivateFolder(
  path: string,
  isOurs: (name: string) => boolean,
): "created" | "tightened" | "kept" {
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    createPrivateFolder(path);
    return "created";
  }
  const mode = info.mode ?? FOLDER_MODE;
  const sticky = (mode & 0o1000) !== 0;
  if (sticky || (mode & 0o777 & ~FOLDER_MODE) === 0) return "kept";
  for (const entry of Deno.readDirSync(path)) {
    if (!isOurs(entry.name)) return "kept";
  }
  Deno.chmodSync(path, FOLDER_MODE);
  return "tightened";
}

/** Creates the folder and its missing parents, each 0750 whatever the umask. An existing folder is left alone. */
export function createPrivateFolder(path: string): void {
  try {
    Deno.mkdirSync(path, { mode: FOLDER_MODE });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    const parent = path.replace(/\/+[^/]*\/*$/, "");
    if (!(error instanceof Deno.errors.NotFound) || parent === "" || parent === path) throw error;
    createPrivateFolder(parent);
    Deno.mkdirSync(path, { mode: FOLDER_MODE });
  }
  Deno.chmodSync(path, FOLDER_MODE);
}

/**
 * Replaces a file as a whole: a temporary sibling is written, synced and renamed over it, so that a reader finds the old
 * or the new content and nothing between. Links are not followed. Large content may come in pieces.
 *
 * @throws Deno.errors.* or Error with a `code` (ENOSPC and the like); the old file is then untouched.
 */
export async function replaceFile(
  path: string,
  temporaryPath: string,
  content: Uint8Array<ArrayBuffer> | readonly Uint8Array<ArrayBuffer>[],
  mode: number,
): Promise<void> {
  await removeIfThere(temporaryPath);
  // Exclusive creation: a link or a file that someone put there meanwhile makes this fail instead of being written through.
  const file = await Deno.open(temporaryPath, { write: true, createNew: true, mode });
  try {
    for (const piece of content instanceof Uint8Array ? [content] : content) {
      for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
    }
    await file.syncData();
  } catch (error) {
    file.close();
    await removeIfThere(temporaryPath);
    throw error;
  }
  file.close();
  // The umask may have narrowed the mode.
  await Deno.chmod(temporaryPath, mode);
  await Deno.rename(temporaryPath, path);
}

/** Removes a file; none is as good. @throws Deno.errors.* when it can be found and not removed */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** What went wrong with a file, in a few words: the system's code where there is one, else the error's name. */
export function describeFileError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { readonly code?: unknown }).code;
  return typeof code === "string" ? `${code}: ${error.message}` : `${error.name}: ${error.message}`;
}
