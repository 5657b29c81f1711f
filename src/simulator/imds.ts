import { Buffer } from "node:buffer";
import { type Answer, emptyAnswer, type HostRequest, jsonAnswer, textAnswer } from "./request.ts";

/** Versions that the service says it knows, newest first. */
const API_VERSIONS = ["2023-07-01", "2021-12-13", "2021-02-01", "2019-08-15", "2018-02-01"];

const INSTANCE = {
  compute: {
    azEnvironment: "AzurePublicCloud",
    location: "simulated",
    name: "simulated-vm",
    offer: "",
    osType: "Linux",
    provider: "Microsoft.Compute",
    publisher: "",
    resourceGroupName: "simulated-group",
    resourceId:
      "/subscriptions/51111111-0000-4000-8000-000000000020/resourceGroups/simulated-group/providers/Microsoft.Compute/virtualMachines/simulated-vm",
    sku: "",
    subscriptionId: "51111111-0000-4000-8000-000000000020",
    tags: "",
    version: "",
    vmId: "51111111-0000-4000-8000-000000000021",
    vmScaleSetName: "",
    vmSize: "Simulated_1",
    zone: "",
  },
  network: {
    interface: [{
      ipv4: {
        ipAddress: [{ privateIpAddress: "10.0.0.4", publicIpAddress: "" }],
        subnet: [{ address: "10.0.0.0", prefix: "24" }],
      },
      ipv6: { ipAddress: [] },
      macAddress: "000D3A000001",
    }],
  },
};

const TOKEN_LIFE_S = 86_399;

/** The instance metadata service. Its tokens are good for nothing and say so. */
export class Imds {
  readonly #tokenText: string;
  /** Asked for by every load test, so it is encoded once. */
  readonly #instance: Answer = jsonAnswer(200, INSTANCE);

  constructor(randomBytes: (count: number) => Uint8Array) {
    this.#tokenText = `SIMULATED-NOT-A-TOKEN.${Buffer.from(randomBytes(16)).toString("hex")}`;
  }

  /** The answer to a request that was verified. */
  answer(request: HostRequest, nowMs: number): Answer {
    const isToken = request.path === "/metadata/identity/oauth2/token";
    if (request.field("metadata")?.toLowerCase() !== "true") return metadataMissing(isToken);
    if (request.field("x-forwarded-for") !== null) {
      return jsonAnswer(400, { error: "Bad request. X-Forwarded-For is not accepted" });
    }
    if (request.method !== "GET" && request.method !== "HEAD") return emptyAnswer(405);
    if (request.path === "/metadata/versions") {
      return jsonAnswer(200, { apiVersions: API_VERSIONS });
    }
    if (!request.path.startsWith("/metadata/")) return emptyAnswer(404);
    if (request.parameter("api-version") === null) {
      return jsonAnswer(400, {
        error: "Bad request. api-version was not specified in the request",
        "newest-versions": API_VERSIONS.slice(0, 3),
      });
    }
    if (isToken) return this.#token(request, nowMs);
    if (request.path === "/metadata/instance" && request.parameter("format") === null) {
      return this.#instance;
    }
    if (/^\/metadata\/instance(\/|$)/.test(request.path)) return instanceAnswer(request);
    if (request.path === "/metadata/scheduledevents") {
      return jsonAnswer(200, { DocumentIncarnation: 1, Events: [] });
    }
    return jsonAnswer(404, { error: "Not found" });
  }

  #token(request: HostRequest, nowMs: number): Answer {
    const resource = request.parameter("resource");
    if (resource === null || resource === "") {
      return jsonAnswer(400, {
        error: "invalid_request",
        error_description: "Required query variable 'resource' is missing",
      });
    }
    const nowS = Math.floor(nowMs / 1000);
    return jsonAnswer(200, {
      access_token: this.#tokenText,
      client_id: request.parameter("client_id") ?? "51111111-0000-4000-8000-000000000022",
      expires_in: String(TOKEN_LIFE_S),
      expires_on: String(nowS + TOKEN_LIFE_S),
      ext_expires_in: String(TOKEN_LIFE_S),
      not_before: String(nowS),
      resource,
      token_type: "Bearer",
    });
  }
}

function metadataMissing(isToken: boolean): Answer {
  return isToken
    ? jsonAnswer(400, {
      error: "invalid_request",
      error_description: "Required metadata header not specified",
    })
    : jsonAnswer(400, { error: "Bad request. Required metadata header not specified" });
}

/** The instance document or the part of it that the path names. */
function instanceAnswer(request: HostRequest): Answer {
  let part: unknown = INSTANCE;
  for (const name of request.path.split("/").slice(3)) {
    if (name === "") continue;
    if (typeof part !== "object" || part === null || !Object.hasOwn(part, name)) {
      return jsonAnswer(404, { error: "Not found" });
    }
    part = (part as Record<string, unknown>)[name];
  }
  const asText = request.parameter("format")?.toLowerCase() === "text";
  if (!asText) return jsonAnswer(200, part);
  if (typeof part === "object" && part !== null) {
    return textAnswer(200, Object.keys(part).join("\n"));
  }
  return textAnswer(200, String(part));
}
