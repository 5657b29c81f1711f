import { KEPT_KEYS } from "../../src/agent/key_keeper/mod.ts";
import { LinuxKeyStore } from "../../src/platform/linux/key_store.ts";
import { MemoryKeyStore } from "../fakes/memory_key_store.ts";
import { keyStoreSuite } from "./key_store.ts";

keyStoreSuite("MemoryKeyStore", () => {
  const store = new MemoryKeyStore(KEPT_KEYS);
  return Promise.resolve({
    store,
    reopen: () => store,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});

keyStoreSuite("LinuxKeyStore", async () => {
  const parent = await Deno.makeTempDir();
  const open = () => new LinuxKeyStore(`${parent}/keys`, { kept: KEPT_KEYS });
  return {
    store: open(),
    reopen: open,
    [Symbol.asyncDispose]: () => Deno.remove(parent, { recursive: true }),
  };
});
