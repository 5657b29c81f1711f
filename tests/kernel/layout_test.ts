import assert from "node:assert/strict";
import {
  COMM_BYTES,
  COUNTERS,
  FOREIGN,
  RECORD,
  RECORD_KEY,
  RECORD_KIND,
  REDIRECTOR_ABI,
  SETTINGS,
  TARGET,
  TARGET_ACTION,
  TARGET_KEY,
} from "../../src/platform/linux/record_layout.ts";
import { buildBpf } from "../../tools/build_bpf.ts";
import { compileBpf } from "./compile.ts";
import { bpftool } from "./kernel_objects.ts";

interface BtfType {
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly members?: readonly { readonly name: string; readonly bits_offset: number }[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

const ROOT = new URL("../..", import.meta.url).pathname;
const STRUCTS = {
  target_key: TARGET_KEY,
  target: TARGET,
  settings: SETTINGS,
  record_key: RECORD_KEY,
  record: RECORD,
  foreign: FOREIGN,
};

async function typesOf(object: string): Promise<readonly BtfType[]> {
  return (await bpftool<{ types: readonly BtfType[] }>("btf", "dump", "file", object)).types;
}

/** A structure as the compiler laid it out: size and byte offsets, padding left out. */
function layoutOf(types: readonly BtfType[], name: string): Record<string, number> {
  const type = types.find((each) => each.kind === "STRUCT" && each.name === name);
  assert.ok(type, `the object knows no struct ${name}`);
  const fields = (type.members ?? []).filter((member) => !/^pad\d*$/.test(member.name));
  return Object.fromEntries([
    ["bytes", type.size ?? 0],
    ...fields.map((member) => [member.name, member.bits_offset / 8]),
  ]);
}

/** The constants of an enum without their prefix, in lower case. */
function valuesOf(types: readonly BtfType[], name: string, prefix: string): [string, number][] {
  const type = types.find((each) => each.kind === "ENUM" && each.name === name);
  assert.ok(type, `the object knows no enum ${name}`);
  return (type.values ?? []).map((value) => [
    value.name.replace(prefix, "").toLowerCase(),
    value.val,
  ]);
}

for (const object of ["redirector.o", "redirector_no_task.o"]) {
  Deno.test(`record_layout agrees with every structure of ${object}`, async () => {
    const types = await typesOf(`${await buildBpf(ROOT)}/${object}`);
    for (const [name, layout] of Object.entries(STRUCTS)) {
      assert.deepEqual({ ...layout }, layoutOf(types, name), name);
    }
  });
}

Deno.test("record_layout agrees with every enum and number of record.h", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const types = await typesOf(await compileBpf("layout.bpf.c", `${folder}/layout.o`));
    assert.deepEqual(
      valuesOf(types, "target_action", "TARGET_"),
      Object.entries(TARGET_ACTION),
    );
    assert.deepEqual(valuesOf(types, "record_kind", "RECORD_"), Object.entries(RECORD_KIND));
    assert.deepEqual(valuesOf(types, "counter", "COUNT_"), [
      ...COUNTERS.map((name, index) => [name, index]),
      ["max", COUNTERS.length],
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const header = await Deno.readTextFile(`${ROOT}bpf/record.h`);
  const number = (name: string) => Number(new RegExp(`#define ${name} (\\d+)`).exec(header)?.[1]);
  assert.equal(number("REDIRECTOR_ABI"), REDIRECTOR_ABI);
  assert.equal(number("COMM_BYTES"), COMM_BYTES);
});
