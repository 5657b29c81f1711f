/** The host fails on the way to a new key: callers are served with the old one until the new one is attested. */
import type { Fault, FaultGroup } from "./fault.ts";

const ACQUIRE = "/secure-channel/key";
const ATTEST = "/secure-channel/key/";

/** The host changes its key while it does this to what the agent asks under `path`. */
function onTheWay(
  name: string,
  path: string,
  fault: Readonly<Record<string, unknown>>,
  words: RegExp,
): Fault {
  return {
    name,
    async bring(scene) {
      await scene.faults({ ...fault, endpoint: "wireserver", method: "POST", path });
      await scene.world.simulator.rotateKey();
      return () => scene.faults();
    },
    callers: [200],
    recorded: null,
    status: { module: "keyLatchStatus", state: "STOPPED", words },
    doctor: ["key-latch", "status"],
    log: "key is not to be had",
    newKey: true,
  };
}

const ACQUIRE_FAILS = "^Failed to acquire key details: ";
const ATTEST_FAILS = "^Failed to attest the key: ";

/** Faults between a new key and its use. */
export const KEY_EXCHANGE: FaultGroup = {
  name: "key exchange",
  // A host whose answer to an attestation is lost has changed its key: the old one serves for this long.
  options: { label: "fkeyx", limitMs: 120_000, simulatorArgs: ["--key-grace", "60000"] },
  faults: [
    onTheWay(
      "host refuses a key",
      ACQUIRE,
      { kind: "status", status: 403 },
      new RegExp(`${ACQUIRE_FAILS}.*answered with \`403\``),
    ),
    onTheWay(
      "host cuts the key off",
      ACQUIRE,
      { kind: "half-body" },
      new RegExp(`${ACQUIRE_FAILS}.*not an answer`),
    ),
    onTheWay(
      "host sends a key that is no document",
      ACQUIRE,
      { kind: "garbage-body" },
      new RegExp(ACQUIRE_FAILS),
    ),
    onTheWay(
      "host refuses the attestation",
      ATTEST,
      { kind: "status", status: 401 },
      new RegExp(`${ATTEST_FAILS}.*answered with \`401\``),
    ),
    onTheWay(
      "host resets the attestation",
      ATTEST,
      { kind: "reset" },
      new RegExp(`${ATTEST_FAILS}.*connection broke`),
    ),
  ],
};
