import { Libc } from "../../ffi/libc.ts";
import type { RedactedText } from "../../src/domain/identity/mod.ts";
import { ProcessInspector } from "../../src/platform/linux/process_inspector.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { startShell } from "../fakes/linux_process.ts";
import { inspectorSuite } from "./inspector.ts";

/** The library stays loaded, so it is loaded outside of the tests. */
const libc = new Libc();

inspectorSuite("ProcessInspector", () => {
  const inspector = new ProcessInspector(
    libc,
    new FakeClock(),
    (text) => text as RedactedText,
  );
  return {
    inspector,
    start: (...args) => startShell(args),
    [Symbol.dispose]: () => inspector[Symbol.dispose](),
  };
});
