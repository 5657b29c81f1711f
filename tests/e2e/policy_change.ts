import type { AuditLine } from "../../tools/sandbox/world.ts";
import type { RunOptions } from "../../tools/sandbox/mod.ts";
import { IMDS, type Scene, until } from "./scene.ts";

/** A JSON object of a rule document. */
export type Json = Readonly<Record<string, unknown>>;

/** The host's items; an endpoint without one is not redirected. */
export interface HostItems {
  readonly imds?: Json;
  readonly wireserver?: Json;
}

/** What a rule needs in these tests: one path, and who may use it. */
export interface Grant {
  readonly path: string;
  readonly queryParameters?: Json;
  /** The selectors of one identity. */
  readonly to: Json;
}

/** Rules that give each path to its caller and nothing else. */
export function grants(...list: readonly Grant[]): Json {
  return {
    privileges: list.map(({ path, queryParameters }, index) => ({
      name: `p${index}`,
      path,
      ...(queryParameters !== undefined && { queryParameters }),
    })),
    roles: list.map((_, index) => ({ name: `r${index}`, privileges: [`p${index}`] })),
    identities: list.map(({ to }, index) => ({ name: `i${index}`, ...to })),
    roleAssignments: list.map((_, index) => ({ role: `r${index}`, identities: [`i${index}`] })),
  };
}

/** The id of an item whose endpoint wants local rules. */
export function optIn(id: string): string {
  return btoa(JSON.stringify({ id, useLocalFileRules: true }));
}

/** Sets what the host wants, without waiting for the agent. */
export async function tellHost(scene: Scene, items: HostItems): Promise<void> {
  await scene.world.simulator.call("PUT", "/policy", {
    version: "2.0",
    secureChannelEnabled: true,
    authorizationRules: items,
  });
}

/** The number of the policy in use, from the agent itself. */
export async function activeEpoch(scene: Scene): Promise<number> {
  const { answer } = await scene.curl(
    ["-H", "Metadata: true", "http://127.0.0.1:3080/gpa-aggregated-status"],
  );
  const status = JSON.parse(answer?.body ?? "{}");
  return Number(status.proxyAgentStatus?.keyLatchStatus?.states?.activePolicyEpoch);
}

/** Does something that changes the policy, and waits until the agent has installed the new one. */
export async function installed(scene: Scene, change: () => Promise<void>): Promise<void> {
  const before = await activeEpoch(scene);
  await change();
  await until("a new policy is installed", async () => await activeEpoch(scene) > before);
}

/** Writes a local rule file as root; `null` removes it. */
export async function putLocalFile(
  scene: Scene,
  name: string,
  content: Json | string | null,
): Promise<void> {
  const path = `${scene.world.sandbox.folder}/rules/${name}`;
  if (content === null) return await Deno.remove(path);
  const text = typeof content === "string" ? content : JSON.stringify(content);
  await Deno.writeTextFile(`${path}.new`, text, { mode: 0o600 });
  await Deno.rename(`${path}.new`, path);
}

/** One GET of IMDS: its status, and its record. */
export async function askImds(
  scene: Scene,
  target: string,
  options: RunOptions = {},
  program: readonly string[] = ["curl"],
): Promise<{ readonly status: number; readonly record: AuditLine | null }> {
  const { value, audit } = await scene.observe(() =>
    scene.world.sandbox.run([
      ...[...program, "-s", "-m", "10", "--path-as-is", "-g", "-o", "/dev/null"],
      ...["-w", "%{http_code}", "-H", "Metadata: true", `http://${IMDS}${target}`],
    ], options)
  );
  return { status: Number(value.stdout), record: audit.at(-1) ?? null };
}
