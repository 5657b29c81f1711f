/** Events of telemetry as the host got them and as the local file has them. */
import assert from "node:assert/strict";
import type { TelemetryUpload } from "../../src/simulator/telemetry.ts";
import { type Scene, until } from "./scene.ts";

const ARRIVED_WITHIN_MS = 20_000;
/** What another program calls itself in its events. */
export const OTHER = "other";

/** An event as the host reads it, by the names of its parameters. */
export type Read = Readonly<Record<string, string>>;

/** All uploads that the host took. */
export async function uploads(scene: Scene): Promise<readonly TelemetryUpload[]> {
  const { entries, unread } = await scene.world.simulator.call("GET", "/telemetry") as {
    entries: TelemetryUpload[];
    unread: number;
  };
  assert.equal(unread, 0);
  return entries;
}

/** Every event that the host accepted, in order. */
export async function received(scene: Scene): Promise<Read[]> {
  return (await uploads(scene)).flatMap(({ xml }) =>
    [...xml.matchAll(/<Event id="\d"><!\[CDATA\[(.*?)\]\]><\/Event>/gs)].map(([, body = ""]) =>
      Object.fromEntries(
        [...body.matchAll(/<Param Name="(\w+)" Value="([^"]*)" T="mt:\w+" \/>/g)]
          .map(([, name = "", value = ""]) => [name, unescaped(value)]),
      )
    )
  );
}

function unescaped(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'").replaceAll("&amp;", "&");
}

/** Every generic event of the local file; none before there is one. */
export async function local(scene: Scene): Promise<Read[]> {
  const path = `${scene.world.logFolder}/ProxyAgent.Events.ndjson`;
  const text = await Deno.readTextFile(path).catch(() => "");
  // A line that met the end of a full disk is not whole, and a count of lost lines is no event.
  return text.split("\n").filter((line) => line.endsWith("}")).map((line) => JSON.parse(line))
    .filter((event) => "Message" in event);
}

/** What is said once telemetry itself has stopped stays on the machine. */
const LAST_WORDS = /^Telemetry is stopped\.|GuestProxyAgent has stopped/;

/** Waits until no event of the local file is unknown to the host, which may have got some of them twice. */
export async function noneLost(scene: Scene): Promise<void> {
  let missing: string[] = [];
  await until("the host has all events", async () => {
    const theirs = new Set((await received(scene)).map((event) => event["Context1"]));
    const ours = (await local(scene)).map((event) => event["Message"] ?? "");
    missing = ours.filter((message) => !theirs.has(message) && !LAST_WORDS.test(message));
    return ours.length > 0 && missing.length === 0;
  }, ARRIVED_WITHIN_MS).catch((error) => {
    throw new Error(`${error.message}; it lacks ${missing.slice(0, 5).join(" | ")}`);
  });
}

/** Waits until the host has every event of the agent, each once and in order, but those that came a moment ago. */
export async function allArrived(scene: Scene, least: number): Promise<void> {
  const theirs = async () =>
    (await received(scene)).filter((event) => event["Context3"] !== OTHER)
      .map((event) => event["Context1"]);
  const ours = async () => (await local(scene)).map((event) => event["Message"]);
  await until("the host has all events", async () => {
    const arrived = (await theirs()).length;
    return arrived >= least && arrived === (await ours()).length;
  }, ARRIVED_WITHIN_MS);
  assert.deepEqual(await theirs(), await ours());
}
