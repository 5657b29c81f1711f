// Node's http with an agent that keeps connections: URL, number of requests, and how long to pause after every tenth.
import { Agent, request } from "node:http";

const [url, times, pauseMs] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const statuses = {};
let reused = 0;
const ports = new Set();

function ask(number) {
  return new Promise((resolve, reject) => {
    const headers = { Metadata: "true" };
    const asked = request(`${url}&n=${number}`, { agent, headers }, (answer) => {
      statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1;
      if (asked.reusedSocket) reused++;
      ports.add(answer.socket.localPort);
      answer.resume();
      answer.on("error", reject);
      answer.on("end", resolve);
    });
    asked.on("error", reject);
    asked.end();
  });
}

for (let number = 0; number < Number(times); number++) {
  await ask(number);
  if (number % 10 === 9) await new Promise((resolve) => setTimeout(resolve, Number(pauseMs)));
}
agent.destroy();
console.log(JSON.stringify({ statuses, reused, connections: ports.size }));
