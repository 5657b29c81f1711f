/**
 * Time as the program sees it. Wall time, boot time and monotonic time are different things and are never mixed:
 * wall time may jump, boot time counts suspension and is what the kernel stamps records with, monotonic time measures.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch, UTC, by the VM's own clock. */
  wallMs(): number;
  /** Nanoseconds since boot, suspension included (CLOCK_BOOTTIME). */
  bootNs(): bigint;
  /** Milliseconds, fractional, from an arbitrary start; never goes back. */
  monotonicMs(): number;
  /** Resolves after `ms` milliseconds, or at once (without error) when `signal` fires. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
