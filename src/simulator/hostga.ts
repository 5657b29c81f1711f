import { EXTENSIONS_GOAL_STATE } from "./machine_documents.ts";
import { type Answer, emptyAnswer, type HostRequest, jsonAnswer } from "./request.ts";

const ETAG = "1";

const VM_SETTINGS = {
  hostGAPluginVersion: "1.0.8.150",
  vmSettingsSchemaVersion: "0.0",
  activityId: EXTENSIONS_GOAL_STATE.activityId,
  correlationId: EXTENSIONS_GOAL_STATE.correlationId,
  inSvdSeqNo: EXTENSIONS_GOAL_STATE.inSvdSeqNo,
  certificatesRevision: 0,
  extensionsLastModifiedTickCount: Number(EXTENSIONS_GOAL_STATE.createdOnTicks),
  extensionGoalStatesSource: "Fabric",
  statusUploadBlob: {
    statusBlobType: EXTENSIONS_GOAL_STATE.statusBlobType,
    value: EXTENSIONS_GOAL_STATE.statusBlob,
  },
  gaFamilies: [],
  extensionGoalStates: [],
};

/** HostGAPlugin's answer to a request that was verified. Source: wire-protocol 9.9 and 11. */
export function hostGaAnswer(request: HostRequest): Answer {
  switch (request.path) {
    case "/versions":
      return jsonAnswer(200, ["2015-09-01"]);
    case "/vmSettings":
      return vmSettingsAnswer(request);
    case "/extensionArtifact":
      return emptyAnswer(404);
    default:
      // Health, status blobs and logs are taken and forgotten.
      return emptyAnswer(200);
  }
}

function vmSettingsAnswer(request: HostRequest): Answer {
  if (request.field("if-none-match") === ETAG) {
    return { ...emptyAnswer(304), headers: [["etag", ETAG]] };
  }
  return jsonAnswer(200, VM_SETTINGS, [["etag", ETAG]]);
}
