import assert from "node:assert/strict";
import {
  ProvisionEndpoint,
  Readiness,
  type ReadinessFlag,
  TagFiles,
} from "../../../../src/agent/provision/mod.ts";
import { type HeaderField, provisionAnswerText } from "../../../../src/domain/wire/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";
import { readVectorFile, readVectors } from "../../../vectors/read.ts";

interface Golden {
  readonly ready: readonly ReadinessFlag[];
  readonly waitedMs: number;
  readonly isLatched: boolean;
  /** As the question carries it; `null`: it carries none. */
  readonly tick: string | null;
  /** The body of the answer. */
  readonly answer: string;
  /** Content of the two files; `null`: they are not there. */
  readonly provisionedTag: string | null;
  readonly statusTag: string | null;
}

const FILE = "provision/provision.json";
const FIELDS = [
  ...["ready", "waitedMs", "isLatched", "tick", "answer", "provisionedTag", "statusTag"] as const,
];
const MESSAGES = readVectorFile(FILE)["messages"] as Record<ReadinessFlag, string>;

async function contentOf(path: string): Promise<string | null> {
  return await Deno.readTextFile(path).catch(() => null);
}

for (const vector of readVectors<Golden>(FILE, FIELDS)) {
  Deno.test(`provisioning answers and writes byte for byte: ${vector.id}`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const clock = new FakeClock();
      const readiness = new Readiness({
        clock,
        logger: new MemoryLogger(),
        tags: new TagFiles(folder, clock),
        messageOf: (flag) => MESSAGES[flag],
      });
      const stop = new AbortController();
      const running = readiness.run(stop.signal, { report: () => {} });
      for (const flag of vector.ready) readiness.set(flag);
      await clock.advance(vector.waitedMs);
      const endpoint = new ProvisionEndpoint(readiness, {
        isLatchedState: () => vector.isLatched,
        notify: () => {},
      });
      const fields: HeaderField[] = [["metadata", "true"]];
      if (vector.tick !== null) fields.push(["x-ms-azure-time-tick", vector.tick]);
      assert.equal(provisionAnswerText(endpoint.answer(fields, 0)), vector.answer);
      stop.abort();
      await running;
      assert.equal(await contentOf(`${folder}/provisioned.tag`), vector.provisionedTag);
      assert.equal(await contentOf(`${folder}/status.tag`), vector.statusTag);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
