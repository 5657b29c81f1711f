/**
 * The operating system in the words of the start banner and of telemetry, such as `Linux:Debian GNU/Linux-12`.
 * Source: agent 1.3.
 * @param osRelease text of os-release(5); `null` where there is none
 */
export function longSystemName(osRelease: string | null): string {
  const value = (name: string) =>
    new RegExp(`^${name}=(["']?)(.*)\\1$`, "m").exec(osRelease ?? "")?.[2] ?? "unknown";
  return `Linux:${value("NAME")}-${value("VERSION_ID")}`;
}

/** Text of os-release(5); `null` where there is none. */
export function readOsRelease(
  paths: readonly string[] = ["/etc/os-release", "/usr/lib/os-release"],
): string | null {
  for (const path of paths) {
    try {
      return Deno.readTextFileSync(path);
    } catch {
      // The second place counts where the first is missing.
    }
  }
  return null;
}
