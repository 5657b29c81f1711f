import assert from "node:assert/strict";

const PYTHON = "python3";

async function hasPython(): Promise<boolean> {
  try {
    return (await new Deno.Command(PYTHON, { args: ["--version"] }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const available = await hasPython();
if (!available) console.log(`the signing vectors are not recomputed: there is no ${PYTHON} here`);

Deno.test({
  name: "an independent program computes the same signing vectors",
  ignore: !available,
  async fn() {
    const script = new URL("../../../vectors/signing/recompute.py", import.meta.url).pathname;
    const { success, stdout, stderr } = await new Deno.Command(PYTHON, { args: [script] }).output();
    const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.ok(success, text);
    const checked = /^checked (\d+) values, 0 differences$/m.exec(text)?.[1];
    assert.ok(Number(checked) >= 60, text);
  },
});
