import assert from "node:assert/strict";
import { longSystemName, readOsRelease } from "../../src/system_name.ts";

Deno.test("longSystemName() takes name and version of os-release, quoted or not", () => {
  const text = 'PRETTY_NAME="x"\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n';
  assert.equal(longSystemName(text), "Linux:Debian GNU/Linux-12");
  assert.equal(longSystemName("NAME=Fedora\nVERSION_ID=41"), "Linux:Fedora-41");
  assert.equal(longSystemName(null), "Linux:unknown-unknown");
});

Deno.test("readOsRelease() takes the first file that is there", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "NAME=a\n");
    assert.equal(readOsRelease(["/nowhere/a", path]), "NAME=a\n");
    assert.equal(readOsRelease(["/nowhere/a"]), null);
  } finally {
    await Deno.remove(path);
  }
});
