import {
  agentProcess,
  attachPoints,
  bypassProbes,
  foreignPrograms,
  occupancy,
  pins,
} from "../../../../../src/operator/doctor/checks/redirection.ts";
import type { LinkFacts, PlacedPrograms } from "../../../../../src/operator/doctor/mod.ts";
import assert from "node:assert/strict";
import { checkTests } from "../../../../fakes/doctor_cases.ts";
import {
  AGENT_PID,
  type FakeMachine,
  goodKernel,
  goodMachine,
  goodRedirection,
  situationOf,
} from "../../../../fakes/fake_machine.ts";

const good = goodRedirection();
const links = (change: (link: LinkFacts) => LinkFacts) => good.links.map(change);
const unpinned = (link: LinkFacts): LinkFacts => ({
  ...link,
  state: "not-pinned",
  programId: null,
});
const only = (program: string, state: LinkFacts["state"]) =>
  links((link) => link.program === program ? { ...link, state } : link);

checkTests("pins", pins, /all 7 links are pinned in \/bpf\/1/, {
  "no file system for them": {
    redirection: { pinFolder: null },
    outcome: "FAIL",
    found: /no BPF file system/,
    remedy: /systemctl start/,
  },
  "nothing pinned": {
    redirection: { links: links(unpinned) },
    outcome: "FAIL",
    found: /^nothing is pinned in \/bpf\/1/,
    remedy: /systemctl start/,
  },
  "a map and a link missing": {
    redirection: {
      missingMaps: ["records"],
      links: links((link) => link.program === "show_peer4" ? unpinned(link) : link),
    },
    outcome: "FAIL",
    found: /missing in \/bpf\/1: show_peer4, records/,
    remedy: /systemctl restart/,
  },
  "pins of another agent": {
    redirection: { otherPinFolders: ["/bpf/9"] },
    outcome: "WARN",
    found: /another cgroup: \/bpf\/9/,
    remedy: /rm -r \/bpf\/9/,
  },
});

checkTests("attachPoints", attachPoints, /all 7 programs run/, {
  "a detached program": {
    redirection: { links: only("redirect_connect4", "detached") },
    outcome: "FAIL",
    found: /^redirect_connect4 was detached/,
  },
  "one on another cgroup": {
    redirection: { links: only("guard_bind4", "elsewhere") },
    outcome: "FAIL",
    found: /^guard_bind4 is attached to another cgroup/,
  },
  "one that is not attached": {
    redirection: { links: only("guard_bind6", "not-pinned") },
    outcome: "FAIL",
    found: /^guard_bind6 is not attached/,
  },
  "one that its attach point does not run": {
    redirection: { attachPoints: good.attachPoints.filter(({ name }) => name !== "sockops") },
    outcome: "FAIL",
    found: /^follow_socket is linked, but/,
  },
});

const VENDOR = { id: 900, name: "vendor", uid: 12 };
const withForeign = (point: string) =>
  good.attachPoints.map((each) =>
    each.name === point ? { ...each, programs: [...each.programs, VENDOR] } : each
  );

const placing = (change: Partial<PlacedPrograms>) => (machine: FakeMachine) => {
  const kernel = goodKernel();
  machine.kernel = { ...kernel, placedPrograms: () => ({ ...kernel.placedPrograms(), ...change }) };
};

checkTests(
  "foreignPrograms",
  foreignPrograms,
  /^none at sockops.*connect6 of \/sys\/fs\/cgroup, and none on the 12 cgroups below$/,
  {
    "one that may change where connections go": {
      redirection: { attachPoints: withForeign("connect4") },
      outcome: "WARN",
      found:
        /^connect4 of \/sys\/fs\/cgroup also runs program 900 `vendor`, loaded by user 12, which can change/,
      remedy: /bpftool prog show id 900/,
    },
    "one elsewhere": {
      redirection: { attachPoints: withForeign("bind4") },
      outcome: "WARN",
      found: /bind4 of \/sys\/fs\/cgroup also runs program 900 `vendor`, loaded by user 12$/,
    },
    "one on a cgroup below": {
      break: placing({
        programs: [{ ...VENDOR, point: "connect6", place: "/sys/fs/cgroup/pod" }],
      }),
      outcome: "WARN",
      found:
        /^connect6 of \/sys\/fs\/cgroup\/pod runs program 900 `vendor`, loaded by user 12, which/,
    },
    "one above what can be seen": {
      break: (machine) => {
        const kernel = goodKernel({ ...good, attachPoints: withForeign("connect4") });
        machine.kernel = { ...kernel, placedPrograms: () => goodKernel().placedPrograms() };
      },
      outcome: "WARN",
      found: /^connect4 of a cgroup above runs program 900 `vendor`/,
    },
    "more cgroups than are looked at": {
      break: placing({ below: 2_000, isWhole: false }),
      outcome: "WARN",
      found: /^there are more than 2000 cgroups below \/sys\/fs\/cgroup/,
      remedy: /bpftool cgroup tree \/sys\/fs\/cgroup/,
    },
  },
);

checkTests("agentProcess", agentProcess, /process 4711, last heartbeat 900 ms ago/, {
  "no agent": { redirection: { agent: null }, outcome: "FAIL", found: /know no agent/ },
  "one that is gone": {
    redirection: { agent: { ...good.agent!, isAlive: false } },
    outcome: "FAIL",
    found: /process 4711\) is gone and has left/,
    remedy: /systemctl start/,
  },
  "a heartbeat that is too old": {
    redirection: { heartbeatAgeMs: 5_001 },
    outcome: "FAIL",
    found: /5001 ms old/,
  },
  "no heartbeat": {
    redirection: { heartbeatAgeMs: null },
    outcome: "FAIL",
    found: /none yet/,
  },
});

const dialling = (error: string | null, localAddress: string) => ({
  ...goodKernel(),
  dial: () => ({ error, localAddress }),
});

checkTests(
  "bypassProbes",
  bypassProbes,
  /^redirected: 168\.63\.129\.16 port 80, ::ffff:168\.63\.129\.16 port 80, 169\.254\.169\.254 port 80, ::ffff:169\.254\.169\.254 port 80; each was dialled and closed, nothing was sent$/,
  {
    "a connection that gets by": {
      break: (machine) => machine.kernel = dialling(null, "10.0.0.4"),
      outcome: "FAIL",
      found: /168\.63\.129\.16 port 80 \(wireserver\) left from 10\.0\.0\.4 and was not redirected/,
      remedy: /attach-points/,
    },
    "a loopback source that is not the agent's doing": {
      break: (machine) => machine.kernel = dialling(null, "127.0.0.1"),
      outcome: "FAIL",
      found: /left from 127\.0\.0\.1/,
    },
    "a connection that is refused": {
      break: (machine) => machine.kernel = dialling("EPERM", "0.0.0.0"),
      outcome: "FAIL",
      found: /failed at once: EPERM/,
      remedy: /occupancy/,
    },
    "one that cannot be made": {
      break: (machine) => machine.kernel = dialling("ECONNREFUSED", "0.0.0.0"),
      outcome: "FAIL",
      found: /failed at once: ECONNREFUSED/,
      remedy: /listener/,
    },
    "no agent": { redirection: { agent: null }, outcome: "FAIL", found: /nothing is redirected/ },
    "another network namespace": {
      redirection: { ownNetns: 99n },
      outcome: "WARN",
      found: /another network namespace/,
      remedy: /nsenter --net=\/proc\/4711\/ns\/net/,
    },
    "doctor outside of the cgroup": {
      break: (machine) => {
        machine.kernel = { ...goodKernel(), cgroup: () => "/sys/fs/cgroup/guarded" };
      },
      outcome: "WARN",
      found: /does not run below \/sys\/fs\/cgroup\/guarded/,
    },
    "a cgroup whose name only begins alike": {
      break: (machine) => {
        machine.files.set("/proc/self/cgroup", { text: "0::/guarded-not\n" });
        machine.kernel = { ...goodKernel(), cgroup: () => "/sys/fs/cgroup/guarded" };
      },
      outcome: "WARN",
      found: /does not run below/,
    },
    "nothing to be redirected": {
      redirection: { targets: [] },
      outcome: "OK",
      found: /nothing was dialled/,
    },
  },
);

Deno.test("bypassProbes dials nothing that is no target", async () => {
  const dialled: string[] = [];
  const kernel = {
    ...goodKernel(),
    dial: ({ address, port }: { address: string; port: number }) => {
      dialled.push(`${address}:${port}`);
      return { error: null, localAddress: "127.200.1.1" };
    },
  };
  await bypassProbes.run(situationOf(goodMachine(kernel)));
  assert.deepEqual([...new Set(dialled)], ["168.63.129.16:80", "169.254.169.254:80"]);
});

checkTests("occupancy", occupancy, /^8 of 1000 connections, 2 of 1024 descriptors$/, {
  "a user near the limit": {
    redirection: { liveByUser: [{ uid: 1000, live: 90 }] },
    outcome: "WARN",
    found: /user 1000 has 90 of 100/,
    remedy: /maxConnectionsPerUser/,
  },
  "root near the limit of root": {
    redirection: { liveByUser: [{ uid: 0, live: 190 }] },
    outcome: "WARN",
    found: /user 0 has 190 of 200/,
  },
  "a full table": {
    redirection: { liveByUser: [{ uid: 7, live: 70 }, { uid: 8, live: 75 }], recordCapacity: 150 },
    outcome: "WARN",
    found: /145 of 150 connections are on record/,
  },
  "connections that were turned away": {
    redirection: { counters: { over_limit: 4, redirected: 9 } },
    outcome: "WARN",
    found: /^over_limit was counted 4 times/,
  },
  "descriptors that run out": {
    break: (machine) =>
      machine.files.set(`/proc/${AGENT_PID}/limits`, { text: "Max open files   2   2   files\n" }),
    outcome: "WARN",
    found: /2 of 2 descriptors/,
    remedy: /LimitNOFILE/,
  },
});
