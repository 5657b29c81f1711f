/** Every code the program's exceptions carry. One closed list, so that an operator can search for each of them. */
export type ErrorCode =
  | "BPF_ATTACH"
  | "BPF_LOAD"
  | "BPF_MAP"
  | "BPF_OBJECT_MISSING"
  | "CALLERS_UNREACHABLE"
  | "CGROUP_MISSING"
  | "CONFIG_INVALID"
  | "CONFIG_READ"
  | "CONTROL_SOCKET"
  | "EPOCH_STORE_READ"
  | "EPOCH_STORE_WRITE"
  | "ERRNO"
  | "FILE_WRITE"
  | "HOST_BODY_TOO_LARGE"
  | "HOST_CONNECT"
  | "HOST_DOCUMENT"
  | "HOST_PROTOCOL"
  | "HOST_STATUS"
  | "HOST_TIMEOUT"
  | "KEY_STORE_READ"
  | "KEY_STORE_WRITE"
  | "KEY_STORE_MISMATCH"
  | "LIBRARY_MISSING"
  | "LISTENER_BIND"
  | "LISTENER_FOREIGN"
  | "NOT_ROOT"
  | "POLICY_STORE_READ"
  | "POLICY_STORE_WRITE"
  | "RULE_FILES"
  | "UPSTREAM_CLOSED"
  | "UPSTREAM_CONNECT"
  | "UPSTREAM_PROTOCOL"
  | "UPSTREAM_TIMEOUT"
  | "UNSUPPORTED_PLATFORM";

/** A value that may stand in a log line or an error: never a key, a signature, a token or a body. */
export type Scalar = string | number | bigint | boolean | null;

/** An I/O failure with a stable code. The message is one sentence without a final period: what was attempted, then the value in backticks. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly detail?: Readonly<Record<string, Scalar>> } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.detail = options.detail ?? {};
  }
  readonly detail: Readonly<Record<string, Scalar>>;
}
