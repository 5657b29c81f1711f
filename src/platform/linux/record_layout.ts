import { StructBuffer } from "../../../ffi/struct.ts";
import type { ConnectionRecord } from "../../domain/identity/connection_record.ts";

/** Sizes and offsets of bpf/record.h. A test compares them with the BTF of the built object. Must match REDIRECTOR_ABI. */
export const REDIRECTOR_ABI = 1;

export const TARGET_KEY = { bytes: 8, addr: 0, port: 4 } as const;
export const TARGET = { bytes: 4, action: 0 } as const;
export const SETTINGS = {
  bytes: 48,
  netns: 0,
  agent_start_ticks: 8,
  agent_tgid: 16,
  listener_addr: 20,
  listener_port: 24,
  user_limit: 28,
  root_limit: 32,
  stale_after_ns: 40,
} as const;
export const RECORD_KEY = { bytes: 16, addr: 0, port: 4, netns: 8 } as const;
export const RECORD = {
  bytes: 88,
  cookie: 0,
  netns: 8,
  connected_at: 16,
  process_started_at: 24,
  cgroup_id: 32,
  exe_inode: 40,
  exe_device: 48,
  uid: 52,
  gid: 56,
  tgid: 60,
  destination_addr: 64,
  destination_port: 68,
  kind: 70,
  comm: 72,
} as const;
export const FOREIGN = { bytes: 40, count: 0, last_at: 8, tgid: 16, uid: 20, comm: 24 } as const;
export const COMM_BYTES = 16;

/** enum target_action */
export const TARGET_ACTION = { enforce: 1, audit: 2, listener: 3 } as const;
/** enum record_kind */
export const RECORD_KIND = { redirected: 1, direct: 2, contested: 3 } as const;

/** enum counter, in its order; the names are those of the metrics. */
export const COUNTERS = [
  "redirected",
  "direct",
  "agent",
  "foreign_netns",
  "heartbeat_stale",
  "over_limit",
  "no_storage",
  "no_settings",
  "records_full",
  "own_source",
  "contested",
  "erased",
  "bind_refused",
] as const;

/** The network that numbered sources come from: 127.128.0.0/9. The host part is the low bits of the socket's cookie. */
const NUMBERED_FIRST_BYTE = 127;
const NUMBERED_SECOND_BYTE_MIN = 128;
const NUMBERED_HOST_MASK = 0x7fffffn;
/** An address of that network. */
export const NUMBERED_SOURCE = Uint8Array.of(NUMBERED_FIRST_BYTE, NUMBERED_SECOND_BYTE_MIN, 0, 1);

/** Writes a dotted quad into 4 bytes at `offset`; false when it is none. No allocation. */
export function putAddress(bytes: Uint8Array, offset: number, address: string): boolean {
  let part = 0;
  let digits = 0;
  let index = 0;
  for (let at = 0; at <= address.length; at++) {
    const code = at < address.length ? address.charCodeAt(at) : 46;
    if (code >= 48 && code <= 57) {
      part = part * 10 + (code - 48);
      if (++digits > 3) return false;
    } else if (code === 46 && digits > 0 && part <= 255 && index < 4) {
      bytes[offset + index++] = part;
      part = 0;
      digits = 0;
    } else return false;
  }
  return index === 4;
}

/** The dotted quad at `offset`. */
export function addressAt(bytes: Uint8Array, offset: number): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

/** Whether a peer address is one of the numbered sources; then it must carry the low bits of the record's cookie. */
export function isNumberedSource(bytes: Uint8Array, offset: number): boolean {
  return bytes[offset] === NUMBERED_FIRST_BYTE &&
    (bytes[offset + 1] ?? 0) >= NUMBERED_SECOND_BYTE_MIN;
}

/** Whether the numbered source at `offset` was made of this cookie. */
export function sourceCarriesCookie(buffer: StructBuffer, offset: number, cookie: bigint): boolean {
  return (BigInt(buffer.netU32(offset)) & NUMBERED_HOST_MASK) === (cookie & NUMBERED_HOST_MASK);
}

/** Decodes a redirected record. `address` and `port` are the key it was found under. */
export function decodeRecord(value: StructBuffer, address: string, port: number): ConnectionRecord {
  return {
    cookie: value.u64(RECORD.cookie),
    source: { address, port },
    netns: value.u64(RECORD.netns),
    destination: {
      address: addressAt(value.bytes, RECORD.destination_addr),
      port: value.u16(RECORD.destination_port),
    },
    uid: value.u32(RECORD.uid),
    gid: value.u32(RECORD.gid),
    process: {
      tgid: value.u32(RECORD.tgid),
      startedAtBootNs: value.u64(RECORD.process_started_at),
    },
    comm: value.text(RECORD.comm, COMM_BYTES),
    exe: {
      device: BigInt(value.u32(RECORD.exe_device)),
      inode: value.u64(RECORD.exe_inode),
    },
    cgroupId: value.u64(RECORD.cgroup_id),
    connectedAtBootNs: value.u64(RECORD.connected_at),
  };
}
