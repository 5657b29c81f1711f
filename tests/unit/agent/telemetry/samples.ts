import type { GenericEvent, VmFacts } from "../../../../src/domain/wire/mod.ts";
import { readVectorFile } from "../../../vectors/read.ts";

export const VM = readVectorFile("telemetry/upload.json")["vm"] as VmFacts;

export function sampleEvent(message: string): GenericEvent {
  return {
    kind: "generic",
    level: "INFO",
    message,
    version: "1.2.3",
    task: "start",
    operation: "proxy_server",
    pid: "812",
    tid: "00140213",
    timeStamp: "2026-01-06T07:08:09.123",
  };
}

export const SAMPLE_STATUS = {
  kind: "status",
  name: "azure-proxy-agent",
  version: "1.2.3",
  isInternal: true,
  extensionType: "Monitoring",
  success: true,
  operation: "report_proxy_agent_status",
  task: "loop_status",
  message: "{}",
  duration: 900_017,
  pid: "812",
  tid: "00140213",
  timeStamp: "2026-01-06T07:23:09.500",
} as const;
