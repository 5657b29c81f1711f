import assert from "node:assert/strict";
import { measureConnectCost } from "./connect_cost.ts";
import { kernelTest } from "./machine.ts";

/**
 * More than programs that do nothing cost. Wide, since the machine may be busy: the bench holds the budget. On a machine
 * so busy that connect() itself takes several times as long, a tenth of that.
 */
const MOST_ABOVE_EMPTY_NS = 400;
const MOST_OF_CONNECT = 0.1;

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
    const mostNs = Math.max(MOST_ABOVE_EMPTY_NS, cost.plainNs * MOST_OF_CONNECT);
    assert.ok(cost.addedNs - cost.emptyNs < mostNs, JSON.stringify(cost));
    await probe.stop();
  },
);
