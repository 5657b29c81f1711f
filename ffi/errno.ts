/**
 * @module
 * Names of the error numbers that the wrapped C functions return, and the exception that carries them.
 */

/** Linux error numbers by value, as far as the wrapped functions return them. Source: asm-generic/errno-base.h, errno.h and bpf/libbpf.h. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [1, "EPERM"],
  [2, "ENOENT"],
  [3, "ESRCH"],
  [4, "EINTR"],
  [5, "EIO"],
  [6, "ENXIO"],
  [7, "E2BIG"],
  [8, "ENOEXEC"],
  [9, "EBADF"],
  [10, "ECHILD"],
  [11, "EAGAIN"],
  [12, "ENOMEM"],
  [13, "EACCES"],
  [14, "EFAULT"],
  [15, "ENOTBLK"],
  [16, "EBUSY"],
  [17, "EEXIST"],
  [18, "EXDEV"],
  [19, "ENODEV"],
  [20, "ENOTDIR"],
  [21, "EISDIR"],
  [22, "EINVAL"],
  [23, "ENFILE"],
  [24, "EMFILE"],
  [25, "ENOTTY"],
  [27, "EFBIG"],
  [28, "ENOSPC"],
  [30, "EROFS"],
  [31, "EMLINK"],
  [32, "EPIPE"],
  [34, "ERANGE"],
  [36, "ENAMETOOLONG"],
  [38, "ENOSYS"],
  [39, "ENOTEMPTY"],
  [40, "ELOOP"],
  [67, "ENOLINK"],
  [75, "EOVERFLOW"],
  [77, "EBADFD"],
  [88, "ENOTSOCK"],
  [92, "ENOPROTOOPT"],
  [95, "EOPNOTSUPP"],
  [98, "EADDRINUSE"],
  [99, "EADDRNOTAVAIL"],
  [101, "ENETUNREACH"],
  [103, "ECONNABORTED"],
  [104, "ECONNRESET"],
  [105, "ENOBUFS"],
  [107, "ENOTCONN"],
  [110, "ETIMEDOUT"],
  [111, "ECONNREFUSED"],
  [113, "EHOSTUNREACH"],
  [116, "ESTALE"],
  [524, "ENOTSUPP"],
  [4000, "LIBBPF_ERRNO__LIBELF"],
  [4001, "LIBBPF_ERRNO__FORMAT"],
  [4002, "LIBBPF_ERRNO__KVERSION"],
  [4003, "LIBBPF_ERRNO__ENDIAN"],
  [4004, "LIBBPF_ERRNO__INTERNAL"],
  [4005, "LIBBPF_ERRNO__RELOC"],
  [4006, "LIBBPF_ERRNO__LOAD"],
  [4007, "LIBBPF_ERRNO__VERIFY"],
  [4008, "LIBBPF_ERRNO__PROG2BIG"],
  [4009, "LIBBPF_ERRNO__KVER"],
  [4010, "LIBBPF_ERRNO__PROGTYPE"],
]);

/** Name of an error number, `E<number>` where it has none here. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}

/** A C call that failed: its number, the number's name and what was attempted. */
export class ErrnoError extends Error {
  override readonly name = "ErrnoError";
  /** Name of `errno`, for example `ENOENT`. */
  readonly code: string;

  constructor(readonly errno: number, readonly attempted: string) {
    super(`${attempted}: ${errnoName(errno)} (${errno})`);
    this.code = errnoName(errno);
  }
}
