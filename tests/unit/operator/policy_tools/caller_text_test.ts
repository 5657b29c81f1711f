import assert from "node:assert/strict";
import { callerOfText, callerText } from "../../../../src/operator/policy_tools/caller_text.ts";

const UNKNOWN = {
  userName: null,
  userGroups: [],
  processName: null,
  processFullPath: null,
  elevated: false,
};

function read(text: string) {
  const claims = callerOfText(text);
  if (!claims.ok) throw new Error(claims.error);
  return claims.value;
}

Deno.test("callerOfText() reads each part, in any order", () => {
  assert.deepEqual(read(""), UNKNOWN);
  assert.deepEqual(read("user=alice"), { ...UNKNOWN, userName: "alice" });
  assert.deepEqual(read("elevated,groups=a;b;;c,process=p,exe=/x/y=z,user="), {
    userName: "",
    userGroups: ["a", "b", "c"],
    processName: "p",
    processFullPath: "/x/y=z",
    elevated: true,
  });
  assert.equal(read("elevated=false").elevated, false);
});

Deno.test("callerOfText() takes the process name from the path where none is given", () => {
  assert.equal(read("exe=/usr/bin/curl").processName, "curl");
  assert.equal(read("exe=/usr/bin/curl,process=wget").processName, "wget");
  assert.equal(read('{"processFullPath":"/usr/bin/curl"}').processName, "curl");
});

Deno.test("callerOfText() reads a JSON object of claims", () => {
  assert.deepEqual(read(' {"userName":"a,b","userGroups":["x;y"],"runAsElevated":true}'), {
    ...UNKNOWN,
    userName: "a,b",
    userGroups: ["x;y"],
    elevated: true,
  });
});

Deno.test("callerOfText() names what it does not understand and what to write", () => {
  const error = (text: string) => {
    const claims = callerOfText(text);
    return claims.ok ? "" : claims.error;
  };
  assert.match(error("uid=0"), /^`uid` is no part of a caller; write user=NAME,/);
  assert.match(error("user"), /^`user` wants a value: user=\.\.\./);
  assert.match(error("user=a,user=b"), /^`user` stands twice/);
  assert.match(error("elevated=yes"), /^`elevated=yes` must be true or false/);
  assert.match(error("{"), /^the caller is not JSON/);
  assert.match(error('{"userName":1}'), /^caller\.userName must be a string/);
});

Deno.test("callerText() says what is known, and cannot steer a terminal", () => {
  assert.equal(
    callerText(UNKNOWN),
    "user unknown, no groups, executable not proven, not elevated",
  );
  assert.equal(
    callerText({ ...read("user=a,groups=g;h,exe=/b/c,elevated"), userName: "a\u202e" }),
    'user "a\\u202e", groups "g" "h", exe "/b/c", process "c", elevated',
  );
});
