import assert from "node:assert/strict";
import { ownCommand, shellWord } from "../../../../src/operator/doctor/check.ts";

Deno.test("shellWord() leaves plain paths and makes one word of any other, as a shell reads it", async () => {
  assert.equal(
    shellWord("/var/log/azure-proxy-agent/x-1.log"),
    "/var/log/azure-proxy-agent/x-1.log",
  );
  for (const text of ["/a b", "/it's", "$(id)", "`id`", "a;b", "", "new\nline", "*"]) {
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", `printf %s ${shellWord(text)}`],
    }).output();
    assert.equal(new TextDecoder().decode(stdout), text);
  }
});

Deno.test("ownCommand() names the configuration that is looked at, where there is one", () => {
  assert.equal(ownCommand("audit verify", { configFile: null }), "azure-proxy-agent audit verify");
  assert.equal(
    ownCommand("doctor", { configFile: "/etc/my agent.json" }),
    "azure-proxy-agent doctor --config '/etc/my agent.json'",
  );
});
