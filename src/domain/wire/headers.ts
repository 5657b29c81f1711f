/** Date of a request on the host's clock. Source: wire-protocol 1.2. */
export const HOST_DATE_HEADER = "x-ms-azure-host-date";
/** Claims about the caller. */
export const HOST_CLAIMS_HEADER = "x-ms-azure-host-claims";
/** Signature of a request; on a response the mark that it came through the agent. */
export const HOST_AUTHORIZATION_HEADER = "x-ms-azure-host-authorization";
/** Value of the mark on every forwarded response. */
export const FORWARDED_MARKER_VALUE = "value";
/** Gate of the metadata services and of the agent's own two paths. */
export const METADATA_HEADER = "metadata";
/** Scheme of the signature. */
export const AUTHORIZATION_SCHEME = "Azure-HMAC-SHA256";
/** Tick of a provision query: unix nanoseconds, decimal. */
export const TIME_TICK_HEADER = "x-ms-azure-time-tick";
/** Asks the agent to poll the host now. */
export const NOTIFY_HEADER = "x-ms-azure-notify";
/** Version of the WireServer interface. */
export const WIRE_VERSION_HEADER = "x-ms-version";
/** Value of the version the agent speaks. */
export const WIRE_VERSION_VALUE = "2012-11-30";
