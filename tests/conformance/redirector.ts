import assert from "node:assert/strict";
import type { Redirector } from "../../src/agent/redirector/mod.ts";
import { ENDPOINTS, type SocketAddress } from "../../src/domain/wire/endpoints.ts";

/** A connection that a process of some user dialled and holds. */
export interface Dialled {
  /** Its peer as the listener sees it; `null` when it did not come to the listener. */
  readonly peer: SocketAddress | null;
  /** Closes it, and waits until its record had the time to go. */
  close(): Promise<void>;
}

/** A redirector under test, not attached yet, and callers on the machine that it guards. */
export interface RedirectorStand extends AsyncDisposable {
  readonly redirector: Redirector;
  dial(to: SocketAddress, uid: number): Promise<Dialled>;
}

const NOBODY: SocketAddress = { address: "127.0.0.1", port: 1 };
const UNRELATED: SocketAddress = { address: "192.0.2.1", port: 80 };
const { imds, wireserver, hostga, listener } = ENDPOINTS;

/** What every redirector must do. `name` is the implementation's. */
export function redirectorSuite(name: string, open: () => Promise<RedirectorStand>): void {
  const test = (criterion: string, play: (stand: RedirectorStand) => Promise<void> | void) =>
    Deno.test(`${name} ${criterion}`, async () => {
      await using stand = await open();
      await play(stand);
    });
  const attached = (criterion: string, play: (stand: RedirectorStand) => Promise<void>) =>
    test(criterion, async (stand) => {
      await stand.redirector.attach(new AbortController().signal);
      stand.redirector.beat();
      await play(stand);
    });
  const arrives = async ({ dial }: RedirectorStand, to: SocketAddress): Promise<boolean> => {
    const dialled = await dial(to, 1000);
    await dialled.close();
    return dialled.peer !== null;
  };

  test("does nothing before it is attached", async (stand) => {
    const { redirector } = stand;
    redirector.beat();
    assert.equal(redirector.intact(), false);
    assert.deepEqual(redirector.attribute(NOBODY), { kind: "unattributed" });
    const { attached, variant, records } = redirector.inspect();
    assert.deepEqual([attached, variant, records.live], [false, null, 0]);
    assert.ok(records.capacity >= 65_536);
    redirector.setTargets({ imds: "enforce" });
    assert.equal(await arrives(stand, imds), false);
  });

  attached("is intact once it is attached, and says which variant runs", async ({ redirector }) => {
    assert.equal(redirector.intact(), true);
    assert.equal(redirector.inspect().attached, true);
    assert.match(String(redirector.inspect().variant), /^(full|no-task-reads)$/);
    await redirector.attach(new AbortController().signal);
    assert.equal(redirector.intact(), true);
  });

  attached("redirects nothing before it has targets", async (stand) => {
    for (const endpoint of [imds, wireserver, hostga]) {
      assert.equal(await arrives(stand, endpoint), false);
    }
  });

  test("keeps targets that were set before it was attached", async (stand) => {
    stand.redirector.setTargets({ imds: "enforce" });
    await stand.redirector.attach(new AbortController().signal);
    assert.equal(await arrives(stand, imds), true);
  });

  attached("redirects the targets, each by address and port, and nothing else", async (stand) => {
    stand.redirector.setTargets({ wireserver: "enforce" });
    assert.equal(await arrives(stand, wireserver), true);
    assert.equal(await arrives(stand, hostga), false);
    assert.equal(await arrives(stand, imds), false);
    assert.equal(await arrives(stand, UNRELATED), false);
  });

  attached("takes the targets as a whole", async (stand) => {
    stand.redirector.setTargets({ wireserver: "enforce", hostga: "enforce" });
    stand.redirector.setTargets({ imds: "enforce", hostga: "enforce" });
    assert.equal(await arrives(stand, wireserver), false);
    assert.equal(await arrives(stand, hostga), true);
    assert.equal(await arrives(stand, imds), true);
    stand.redirector.setTargets({});
    assert.equal(await arrives(stand, imds), false);
  });

  attached("redirects audited targets while it beats", async (stand) => {
    stand.redirector.setTargets({ imds: "audit" });
    stand.redirector.beat();
    assert.equal(await arrives(stand, imds), true);
  });

  attached("knows who dialled what", async ({ redirector, dial }) => {
    redirector.setTargets({ imds: "enforce", hostga: "enforce" });
    for (const [to, uid] of [[imds, 1000], [hostga, 0]] as const) {
      const { peer, close } = await dial(to, uid);
      assert.ok(peer);
      const attribution = redirector.attribute(peer);
      assert.ok(attribution.kind === "redirected");
      assert.deepEqual(attribution.record.source, peer);
      assert.deepEqual(attribution.record.destination, to);
      assert.equal(attribution.record.uid, uid);
      await close();
    }
  });

  attached(
    "tells connections apart, and gives each the same answer each time",
    async ({ redirector, dial }) => {
      redirector.setTargets({ imds: "enforce" });
      const dialled = [await dial(imds, 1000), await dial(imds, 1001), await dial(imds, 1000)];
      const look = () =>
        dialled.map(({ peer }) => {
          const attribution = redirector.attribute(peer ?? NOBODY);
          return attribution.kind === "redirected" ? attribution.record : null;
        });
      const records = look();
      assert.deepEqual(records.map((record) => record?.uid), [1000, 1001, 1000]);
      assert.equal(new Set(records.map((record) => record?.cookie)).size, 3);
      assert.deepEqual(look(), records);
      for (const { close } of dialled) await close();
    },
  );

  attached("does not take what was known of a peer for what is", async ({ redirector, dial }) => {
    redirector.setTargets({ imds: "enforce" });
    const [one, other] = [await dial(imds, 1000), await dial(imds, 1001)];
    assert.ok(one.peer && other.peer);
    const known = redirector.attribute(one.peer);
    assert.deepEqual(redirector.attribute(one.peer, known), known);
    const others = redirector.attribute(other.peer, known);
    assert.equal(others.kind === "redirected" && others.record.uid, 1001);
    await one.close();
    assert.deepEqual(redirector.attribute(one.peer, known), { kind: "unattributed" });
    await other.close();
  });

  attached(
    "calls a connection direct that dialled the listener, with its user",
    async ({ redirector, dial }) => {
      const { peer, close } = await dial(listener, 1000);
      assert.ok(peer);
      assert.deepEqual(redirector.attribute(peer), { kind: "direct", uid: 1000 });
      await close();
    },
  );

  attached("forgets a connection when it is closed", async ({ redirector, dial }) => {
    redirector.setTargets({ imds: "enforce" });
    for (const to of [imds, listener]) {
      const { peer, close } = await dial(to, 1000);
      assert.ok(peer);
      assert.equal(redirector.inspect().records.live, 1);
      await close();
      assert.deepEqual(redirector.attribute(peer), { kind: "unattributed" });
      assert.equal(redirector.inspect().records.live, 0);
    }
  });

  attached(
    "attributes nobody to an address without a connection, or to what is none",
    async ({ redirector, dial }) => {
      redirector.setTargets({ imds: "enforce" });
      const { peer, close } = await dial(imds, 1000);
      assert.ok(peer);
      for (
        const other of [
          NOBODY,
          { ...peer, port: peer.port ^ 1 },
          { ...peer, address: "127.0.0.9" },
          { ...peer, address: "::1" },
          { ...peer, address: "" },
        ]
      ) {
        assert.deepEqual(redirector.attribute(other), { kind: "unattributed" });
      }
      await close();
    },
  );

  attached(
    "redirects nothing and knows nobody after detach(), which may be called twice",
    async (stand) => {
      const { redirector } = stand;
      redirector.setTargets({ imds: "enforce" });
      const { peer, close } = await stand.dial(imds, 1000);
      assert.ok(peer);
      await redirector.detach();
      await redirector.detach();
      assert.equal(redirector.intact(), false);
      assert.equal(await arrives(stand, imds), false);
      await close();
    },
  );

  attached("can be attached again after detach()", async (stand) => {
    await stand.redirector.detach();
    await stand.redirector.attach(new AbortController().signal);
    stand.redirector.setTargets({ imds: "enforce" });
    assert.equal(stand.redirector.intact(), true);
    assert.equal(await arrives(stand, imds), true);
  });
}
