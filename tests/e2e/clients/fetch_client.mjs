// The runtime's own fetch (undici in Node): a JSON list of [url, options] in, one line of JSON out.
const answers = [];
for (const [url, options] of JSON.parse(globalThis.Deno?.args[0] ?? process.argv[2])) {
  const answer = await fetch(url, options);
  const text = await answer.text();
  answers.push([answer.status, answer.headers.get("x-ms-azure-host-authorization"), text]);
}
console.log(JSON.stringify(answers));
