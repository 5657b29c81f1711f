/**
 * What the agent tells the host about itself: events, kept in memory, on disk and as lines of a local file, and uploaded
 * once they can be. Nothing is let go of before the host accepted it, nothing grows without a bound, and what has to give
 * way is counted.
 *
 * Not for: the log and the audit log, which tell more and stay on the machine.
 *
 * Source: wire-protocol 7 and 8, agent 11.
 * @module
 */
import type { XmlReader } from "./vm_facts.ts";

export { EventFiles, type EventFilesOptions } from "./event_files.ts";
export { EventSources, type EventSourcesOptions } from "./event_sources.ts";
export { EventSink, type LogTap, TappedLogger } from "./log_tap.ts";
export { EventRecorder, type EventRecorderOptions } from "./recorder.ts";
export {
  Telemetry,
  type TelemetryCounts,
  type TelemetryOptions,
  type TelemetrySettings,
} from "./telemetry.ts";
export { Uploader, type UploaderOptions } from "./uploader.ts";
export { VmFactsSource, type VmFactsSourceOptions, type XmlReader } from "./vm_facts.ts";

/** The reader of XML documents, loaded when it is first needed: most of its cost is paid only by those who upload. */
export async function loadXmlReader(): Promise<XmlReader> {
  const { readXml } = await import("./xml_reader.ts");
  return readXml;
}
