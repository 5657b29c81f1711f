// @azure/identity, unmodified: asks for a token with each credential, one line of JSON.
import { webcrypto } from "node:crypto";

// Node 18 has it, but not under this name; the library was made for newer ones.
globalThis.crypto ??= webcrypto;
const { DefaultAzureCredential, ManagedIdentityCredential } = await import("@azure/identity");

const SCOPE = "https://management.azure.com/.default";

async function learn(credential) {
  const { token, expiresOnTimestamp } = await credential.getToken(SCOPE);
  return {
    isSimulated: token.startsWith("SIMULATED-NOT-A-TOKEN."),
    hoursValid: Math.round((expiresOnTimestamp - Date.now()) / 3_600_000),
  };
}

console.log(JSON.stringify({
  ManagedIdentityCredential: await learn(new ManagedIdentityCredential()),
  DefaultAzureCredential: await learn(new DefaultAzureCredential()),
}));
