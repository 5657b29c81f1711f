import assert from "node:assert/strict";
import { Libc } from "../../../../ffi/libc.ts";
import {
  releaseExecutablePages,
  untouchedMappings,
} from "../../../../src/platform/linux/executable_pages.ts";

/** The library stays loaded, so it is loaded outside of the tests. */
const libc = new Libc();

/** A mapping as the kernel writes it, as far as it is read. */
function mapping(first: string, residentKb: number, anonymousKb: number | null): string {
  return `${first}
Size:              32000 kB
Rss:               ${residentKb} kB
Pss:                   1 kB
${anonymousKb === null ? "" : `Anonymous:         ${anonymousKb} kB\n`}VmFlags: rd ex mr mw me sd
`;
}

const AT = "fe:00 763156                     ";

function residentFileKb(): number {
  return Number(/^RssFile:\s+(\d+)/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1]);
}

Deno.test("untouchedMappings() finds the read-only pages of one file that are nothing but the file's", () => {
  const smaps = mapping(`5574-6574 r--p 00000000 ${AT}/opt/a b/agent`, 12, 0) +
    mapping(`ffff55747edab000-ffff557482a9f000 r-xp 01b8e000 ${AT}/opt/a b/agent`, 24_408, 0);
  assert.deepEqual(untouchedMappings(smaps, "/opt/a b/agent"), [
    { address: 0x5574n, length: 0x1000n, residentBytes: 12_288 },
    { address: 0xffff55747edab000n, length: 0x3cf4000n, residentBytes: 24_993_792 },
  ]);
});

Deno.test("untouchedMappings() leaves alone what would not come back as it was", () => {
  const smaps = [
    mapping(`1000-2000 rw-p 05b00000 ${AT}/opt/agent`, 12, 0),
    mapping(`2000-3000 r--p 05b02000 ${AT}/opt/agent`, 8, 4),
    mapping(`3000-4000 r--s 00000000 ${AT}/opt/agent`, 8, 0),
    mapping(`4000-5000 r--p 05b02000 ${AT}/opt/agent`, 8, null),
    mapping(`5000-6000 r-xp 00000000 ${AT}/opt/agent2`, 8, 0),
    mapping(`6000-7000 r-xp 00000000 ${AT}/opt/agent (deleted)`, 8, 0),
    mapping("7000-8000 rw-p 00000000 00:00 0 ", 8, 0),
    mapping(`8000-9000 rw-p 00000000 00:00 0                          [heap]`, 8, 0),
  ].join("");
  assert.deepEqual(untouchedMappings(smaps, "/opt/agent"), []);
});

Deno.test("releaseExecutablePages() takes pages of the running program out of memory, and it runs on", async () => {
  const beforeKb = residentFileKb();
  const bytes = await releaseExecutablePages(libc);
  const afterKb = residentFileKb();
  assert.ok(bytes > 8 * 1024 ** 2, `${bytes} bytes released`);
  assert.ok(beforeKb - afterKb > 1024, `${beforeKb} kB before, ${afterKb} kB after`);
});
