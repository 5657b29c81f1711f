import type { SocketAddress } from "../wire/endpoints.ts";

/** What the kernel noted about one redirected `connect()`. Facts only, nothing looked up. Source: authorization 7.1. */
export interface ConnectionRecord {
  /** Names the connection for the life of the machine; key of every per-connection cache. */
  readonly cookie: bigint;
  /** The caller's end of the redirected connection. */
  readonly source: SocketAddress;
  /** Cookie of the caller's network namespace; always the agent's own. */
  readonly netns: bigint;
  /** What the caller dialled; the only routing input. */
  readonly destination: SocketAddress;
  /** Real user id in the initial user namespace. */
  readonly uid: number;
  /** Real group id in the initial user namespace. */
  readonly gid: number;
  /** `startedAtBootNs` is 0 where the kernel refuses task reads. */
  readonly process: { readonly tgid: number; readonly startedAtBootNs: bigint };
  /** First 15 bytes of the thread's name; display text. */
  readonly comm: string;
  /** Device (in the kernel's own encoding: major << 20 | minor) and inode of the executable; both 0 where task reads are refused. */
  readonly exe: { readonly device: bigint; readonly inode: bigint };
  /** Id of the caller's cgroup v2. */
  readonly cgroupId: bigint;
  /** When `connect()` was called, nanoseconds since boot. */
  readonly connectedAtBootNs: bigint;
}

/** Who is at the other end of an accepted connection. */
export type Attribution =
  | { readonly kind: "redirected"; readonly record: ConnectionRecord }
  /** Somebody dialled the listener itself. `uid` is the real user id that did. */
  | { readonly kind: "direct"; readonly uid: number }
  | { readonly kind: "unattributed" };
