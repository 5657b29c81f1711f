import { isRuleDump } from "../../agent/status/mod.ts";

/**
 * The path of the newest rule dump in a folder: what the running agent enforces. `null` when there is none.
 * @throws Deno.errors.* when the folder cannot be read
 */
export async function newestDump(folder: string): Promise<string | null> {
  let newest: string | null = null;
  for await (const { name, isFile } of Deno.readDir(folder)) {
    // The names begin with the time, in one form.
    if (isFile && isRuleDump(name) && (newest === null || name > newest)) newest = name;
  }
  return newest === null ? null : `${folder}/${newest}`;
}
