import assert from "node:assert/strict";
import { serviceCommand } from "../../../src/commands/service.ts";
import { FakeProcess, fired, MemoryOutput, withConfig } from "./fakes.ts";

Deno.test("serviceCommand() runs in the background manner until a signal", () =>
  withConfig({}, async (path) => {
    const control = new FakeProcess(path.replace("proxy-agent.json", "azure-proxy-agent"));
    const output = new MemoryOutput();
    const code = await serviceCommand(
      async (_config, options, signal) => {
        assert.equal(options.foreground, false);
        control.raise("SIGTERM");
        await fired(signal);
        return 0;
      },
      output,
      control,
    );
    assert.equal(code, 0);
    assert.equal(output.stdout, "");
  }));
