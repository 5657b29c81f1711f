import assert from "node:assert/strict";
import { failingSelector, pathKey } from "../../../../src/domain/policy/identity_matcher.ts";
import { sampleClaims, sampleIdentity } from "./rule_samples.ts";

const CALLER = sampleClaims({
  userName: "svc",
  userGroups: ["svc", "ops"],
  processName: "tool",
  processFullPath: "/opt/tool",
});

Deno.test("failingSelector() is satisfied by an identity without selectors", () => {
  assert.equal(failingSelector(sampleIdentity("any"), CALLER, "unix"), null);
  assert.equal(failingSelector(sampleIdentity("any"), sampleClaims(), "unix"), null);
});

Deno.test("failingSelector() compares each selector with its claim, case counts", () => {
  const cases = [
    [{ userName: "svc" }, null],
    [{ userName: "Svc" }, "userName"],
    [{ processName: "tool" }, null],
    [{ processName: "Tool" }, "processName"],
    [{ exePath: "/opt//tool" }, null],
    [{ exePath: "/opt/Tool" }, "exePath"],
    [{ groupName: "ops" }, null],
    [{ groupName: "OPS" }, "groupName"],
    [{ groupName: "op" }, "groupName"],
  ] as const;
  for (const [selectors, expected] of cases) {
    const identity = sampleIdentity("i", selectors);
    assert.equal(failingSelector(identity, CALLER, "unix"), expected, JSON.stringify(selectors));
  }
});

Deno.test("failingSelector() names the first mismatch in the order user, process, path, group", () => {
  const wrong = { userName: "x", processName: "x", exePath: "/x", groupName: "x" };
  const order: (string | null)[] = [];
  const right = { userName: "svc", processName: "tool", exePath: "/opt/tool", groupName: "ops" };
  let selectors: Record<string, string> = wrong;
  for (let failed = ""; failed !== null;) {
    const found = failingSelector(sampleIdentity("i", selectors), CALLER, "unix");
    order.push(found);
    if (found === null) break;
    selectors = { ...selectors, [found]: right[found] };
    failed = found;
  }
  assert.deepEqual(order, ["userName", "processName", "exePath", "groupName", null]);
});

Deno.test("failingSelector() lets an unknown claim satisfy no selector, not even an empty one", () => {
  const unknown = sampleClaims();
  assert.equal(failingSelector(sampleIdentity("i", { userName: "" }), unknown, "unix"), "userName");
  const process = sampleIdentity("i", { processName: "" });
  assert.equal(failingSelector(process, unknown, "unix"), "processName");
  assert.equal(failingSelector(sampleIdentity("i", { exePath: "" }), unknown, "unix"), "exePath");
  const empty = sampleClaims({ userName: "", processName: "", processFullPath: "" });
  const all = sampleIdentity("i", { userName: "", processName: "", exePath: "" });
  assert.equal(failingSelector(all, empty, "unix"), null);
});

Deno.test("pathKey() is equal for paths with equal components", () => {
  const same = [
    "/usr/bin/foo",
    "/usr//bin/foo",
    "/usr/./bin/foo",
    "/usr/bin/foo/",
    "//usr/bin/foo",
  ];
  assert.deepEqual(
    new Set([...same, "/./usr/bin/foo/."].map((path) => pathKey(path, "unix"))).size,
    1,
  );
  for (const other of ["/usr/bin/../bin/foo", "/USR/bin/foo", "usr/bin/foo", "/usr/bin/foo2", ""]) {
    assert.notEqual(pathKey(other, "unix"), pathKey(same[0]!, "unix"), other);
  }
  assert.notEqual(pathKey("usr", "unix"), pathKey("./usr", "unix"));
  assert.equal(pathKey("./usr", "unix"), pathKey(".//./usr/", "unix"));
  assert.equal(pathKey("/", "unix"), pathKey("//.", "unix"));
  assert.notEqual(pathKey("/", "unix"), pathKey("", "unix"));
  assert.notEqual(pathKey(".", "unix"), pathKey("", "unix"));
  assert.notEqual(pathKey("a\\b", "unix"), pathKey("a/b", "unix"));
});

Deno.test("pathKey() reads Windows paths by their own rules", () => {
  const key = (path: string) => pathKey(path, "windows");
  for (
    const path of [
      "c:\\Tools\\x.exe",
      "C:/Tools/x.exe",
      "C:\\Tools\\.\\x.exe",
      "C:\\\\Tools\\x.exe\\",
    ]
  ) assert.equal(key(path), key("C:\\Tools\\x.exe"), path);
  for (
    const path of [
      "C:\\tools\\x.exe",
      "D:\\Tools\\x.exe",
      "C:Tools\\x.exe",
      "\\Tools\\x.exe",
      "\\\\?\\C:\\Tools\\x.exe",
      "\\\\srv\\Tools\\x.exe",
      "C:\\Tools\\..\\Tools\\x.exe",
    ]
  ) assert.notEqual(key(path), key("C:\\Tools\\x.exe"), path);
  assert.equal(key("\\\\?\\c:\\x"), key("\\\\?\\C:\\x"));
  assert.notEqual(key("\\\\?\\C:\\.\\x"), key("\\\\?\\C:\\x"));
  assert.notEqual(key("\\\\?\\C:/x"), key("\\\\?\\C:\\x"));
  assert.equal(key("\\\\srv\\share\\x"), key("//srv/share/x/"));
  assert.notEqual(key("\\\\srv\\share\\x"), key("\\\\SRV\\share\\x"));
  assert.equal(key("\\\\.\\pipe\\x"), key("//./pipe/x"));
  assert.notEqual(key("\\\\.\\pipe\\x"), key("\\\\srv\\pipe\\x"));
  assert.notEqual(key("C:.\\x"), key("C:x"));
  assert.equal(key("\\\\srv"), key("/srv"), "a server without a share is no prefix");
  assert.equal(key("\\\\.\\"), key("\\\\./"));
});
