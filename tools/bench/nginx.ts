import type { RunOptions, Sandbox } from "../sandbox/mod.ts";

/** Where the proxy to compare with listens, in the VM's namespace. */
export const PROXY_PORT = 8080;
/** A path whose answer is the signature that the request carried; empty for none. */
export const SIGNATURE_PATH = "/bench/signature";
const METADATA_ADDRESS = "169.254.169.254";
const UPSTREAM_CONNECTIONS = 128;
const STARTED_WITHIN_MS = 5_000;

/** The document that the host answers with: JSON of 1 KiB, as long as a usual answer of instance metadata. */
export const DOCUMENT = JSON.stringify({ compute: { name: "x".repeat(1000) } });

/** Starts the host's metadata service: a constant answer to everything. Its process. */
export function startHost(sandbox: Sandbox): Promise<Deno.ChildProcess> {
  return startNginx(
    sandbox,
    "host",
    `server {
    listen ${METADATA_ADDRESS}:80 backlog=4096;
    default_type application/json;
    location = ${SIGNATURE_PATH} { return 200 "$http_x_ms_azure_host_authorization"; }
    location / { return 200 '${DOCUMENT}'; }
  }`,
    { side: "host" },
  );
}

/** Starts the proxy to compare with: one worker, connections to the host kept open, outside the cgroup. Its process. */
export function startProxy(sandbox: Sandbox): Promise<Deno.ChildProcess> {
  return startNginx(
    sandbox,
    "proxy",
    `upstream host {
    server ${METADATA_ADDRESS}:80;
    keepalive ${UPSTREAM_CONNECTIONS};
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${PROXY_PORT} backlog=4096;
    location / {
      proxy_pass http://host;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }
  }`,
    { inCgroup: false },
  );
}

/** One process without a master, so that its processor time is that of the service. */
async function startNginx(
  sandbox: Sandbox,
  name: string,
  http: string,
  options: RunOptions,
): Promise<Deno.ChildProcess> {
  const folder = `${sandbox.folder}/nginx-${name}`;
  await Deno.mkdir(folder);
  const config = `${folder}/nginx.conf`;
  const log = `${folder}/error.log`;
  const spaces = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((use) => `${use}_temp_path ${folder}/${use};`).join(" ");
  await Deno.writeTextFile(
    config,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${log};
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 300s;
  ${spaces}
  ${http}
}
`,
  );
  const command = ["nginx", "-c", config, "-e", log];
  const child = sandbox.spawn(command, { ...options, stdout: "null", stderr: "null" });
  let ended = false;
  child.status.then(() => ended = true);
  for (const until = performance.now() + STARTED_WITHIN_MS;;) {
    if (await isThere(`${folder}/nginx.pid`)) return child;
    if (ended || performance.now() > until) {
      throw new Error(`nginx did not start: ${await Deno.readTextFile(log).catch(() => "")}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
