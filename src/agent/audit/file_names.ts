/** The audit log. The name is a contract. Source: authorization 6.1. */
export const AUDIT_FILE_NAME = "ProxyAgent.Connection.log";
/** Beside the log: how far it reached, so that a log that was cut short is known as one. */
export const ANCHOR_FILE_NAME = "ProxyAgent.Connection.anchor.json";
/** Its transient sibling. */
export const ANCHOR_TEMPORARY_NAME = "ProxyAgent.Connection.anchor.tmp";
