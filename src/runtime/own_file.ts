import { Buffer } from "node:buffer";
import { constants, promises } from "node:fs";

/** Which files are ours alone. */
export interface OwnFileLimits {
  readonly ownerUid: number;
  /** Bits of the mode that nobody may have. */
  readonly forbiddenMode: number;
  readonly maxBytes: number;
}

/** A file that was read, with what the system knows of it. */
export interface OwnFile {
  readonly bytes: Buffer<ArrayBuffer>;
  /** Differs when place, owner, mode or time of change do. */
  readonly stamp: string;
}

/**
 * Reads a file that nobody else could have written. Checked on the open file, so that it cannot be exchanged in between;
 * links are not followed. @throws Error with a `code` where the system refused, without one where we do
 */
export async function readOwnFile(path: string, limits: OwnFileLimits): Promise<OwnFile> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await promises.open(path, flags);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error("is no regular file");
    if (found.uid !== limits.ownerUid) throw new Error(`belongs to user ${found.uid}`);
    if ((found.mode & limits.forbiddenMode) !== 0) {
      throw new Error(`is open to others, mode ${(found.mode & 0o777).toString(8)}`);
    }
    if (found.size > limits.maxBytes) throw new Error(`has ${found.size} bytes`);
    const bytes = Buffer.alloc(found.size);
    let at = 0;
    while (at < bytes.length) {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at, at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    const { dev, ino, size, mtimeMs, uid, mode } = found;
    return { bytes: bytes.subarray(0, at), stamp: [dev, ino, size, mtimeMs, uid, mode].join(":") };
  } finally {
    await file.close();
  }
}

/** Whether the system said that there is no such file. */
export function isMissing(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === "ENOENT";
}
