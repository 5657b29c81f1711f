import assert from "node:assert/strict";
import { IdentityIndex } from "../../../../src/domain/policy/identity_index.ts";
import { failingSelector } from "../../../../src/domain/policy/identity_matcher.ts";
import type { Identity } from "../../../../src/domain/wire/mod.ts";
import { sampleClaims, sampleIdentity } from "./rule_samples.ts";

const VALUES = [null, "a", "b"] as const;

/** All identities of three values for each selector. */
function everyIdentity(): Identity[] {
  const identities: Identity[] = [];
  for (const userName of VALUES) {
    for (const groupName of VALUES) {
      for (const exePath of VALUES) {
        for (const processName of VALUES) {
          const name = `${userName}-${groupName}-${exePath}-${processName}`;
          identities.push({ name, userName, groupName, exePath, processName });
        }
      }
    }
  }
  return identities;
}

Deno.test("IdentityIndex finds exactly the identities whose selectors all hold", () => {
  const identities = everyIdentity();
  const index = new IdentityIndex("unix");
  const classes = identities.map((identity) => index.add(identity));
  assert.equal(new Set(classes).size, identities.length);
  for (const userName of [null, "a", "z"]) {
    for (const userGroups of [[], ["a"], ["z", "b", "a"]]) {
      for (const processFullPath of [null, "a/", "b"]) {
        const claims = sampleClaims({ userName, userGroups, processFullPath, processName: "b" });
        const expected = classes.filter((_, position) =>
          failingSelector(identities[position]!, claims, "unix") === null
        );
        const found = [...index.classesOf(claims)].sort((left, right) => left - right);
        assert.deepEqual(found, expected);
      }
    }
  }
});

Deno.test("IdentityIndex puts identities with the same selectors into one class", () => {
  const index = new IdentityIndex("unix");
  const first = index.add(sampleIdentity("first", { userName: "u", exePath: "/x/y" }));
  assert.equal(index.add(sampleIdentity("second", { userName: "u", exePath: "/x//y" })), first);
  assert.notEqual(index.add(sampleIdentity("third", { userName: "u" })), first);
});

Deno.test("IdentityIndex looks at few classes, however many identities there are", () => {
  const index = new IdentityIndex("unix");
  for (let each = 0; each < 5_000; each++) {
    index.add(sampleIdentity(`i${each}`, { userName: "one", exePath: `/bin/${each}` }));
    index.add(sampleIdentity(`g${each}`, { groupName: `group${each}` }));
  }
  const claims = sampleClaims({
    userName: "one",
    processFullPath: "/bin/17",
    userGroups: ["group3", "other"],
  });
  assert.equal(index.classesOf(claims).length, 2);
});
