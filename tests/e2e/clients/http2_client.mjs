// HTTP/2 without a word before, to the URL: once as usual, once with a Host field beside the authority. Prints what came.
import { connect } from "node:http2";

const url = new URL(process.argv[2]);

function ask(fields) {
  return new Promise((resolve) => {
    const session = connect(url.origin);
    const fail = (error) => resolve(error.code ?? error.message);
    session.on("error", fail);
    const stream = session.request({ ":path": url.pathname + url.search, ...fields });
    stream.on("error", fail);
    stream.on("response", (headers) => {
      resolve(headers[":status"]);
      session.destroy();
    });
    stream.end();
  });
}

console.log(JSON.stringify([
  await ask({ metadata: "true" }),
  await ask({ metadata: "true", host: url.host }),
]));
