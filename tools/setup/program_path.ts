/** Folders with system programs that an ordinary user's PATH lacks on some distributions. */
const SYSTEM_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** Where `program` lies, looked up on PATH and in the folders of system programs; null when it is in none of them. */
export function onPath(program: string, path = Deno.env.get("PATH") ?? ""): string | null {
  for (const folder of [...path.split(":").filter((each) => each !== ""), ...SYSTEM_FOLDERS]) {
    const file = `${folder}/${program}`;
    try {
      const { isFile, mode } = Deno.statSync(file);
      if (isFile && ((mode ?? 0) & 0o111) !== 0) return file;
    } catch {
      continue;
    }
  }
  return null;
}
