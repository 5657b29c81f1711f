/**
 * What is seen of a running agent from outside: a client of its control socket, the table of who calls what, and that table
 * as text for a terminal. It asks and counts; it changes nothing.
 *
 * Source: agent 13 item 11; docs/adr/0016-control-socket.md.
 * @module
 */
export { ControlClient, ControlError } from "./control_client.ts";
export { type AgentFacts, factsOf, type FrameOptions, frameText } from "./frame.ts";
export { Tally, type TallyRow } from "./tally.ts";
