/**
 * Everything the agent itself says to the host, and the host's clock. One request, one connection, one time limit.
 *
 * Not for: requests of callers (`agent/upstream`), and what the answers mean (`agent/key_keeper`, `domain/wire`).
 *
 * Source: wire-protocol 2, 3.1, 4.2, 7 and 8.7.
 * @module
 */
export {
  type Dial,
  dialTcp,
  Exchange,
  type ExchangeLimits,
  HOST_LIMITS,
  type HostStream,
} from "./exchange.ts";
export { type HostChannel, queryProvision, TcpHostChannel } from "./host_channel.ts";
export { HostClock, type SyncOutcome } from "./host_clock.ts";
