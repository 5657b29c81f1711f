import assert from "node:assert/strict";
import { measureConnectCost } from "./connect_cost.ts";
import { kernelTest } from "./machine.ts";

/** More than programs that do nothing cost. Wide, since the machine may be busy: the bench holds the budget. */
const MOST_ABOVE_EMPTY_NS = 400;

kernelTest(
  "an unrelated connect() runs two of the programs, and each of them briefly",
  async (machine) => {
    const probe = await machine.probe();
    const cost = await measureConnectCost(
      machine.sandbox,
      () => probe.order({ do: "attach" }),
      () => probe.order({ do: "detach" }),
    );
    console.log(JSON.stringify(cost));
    const names = cost.programs.map(({ name }) => name).sort();
    assert.deepEqual(names, ["follow_socket", "redirect_connect4"]);
    assert.ok(cost.addedNs - cost.emptyNs < MOST_ABOVE_EMPTY_NS, JSON.stringify(cost));
    await probe.stop();
  },
);
