import { cutToBytes } from "./text_cut.ts";

/** Most bytes of what a module says about itself. Source: wire-protocol 1.3. */
export const MAX_MODULE_MESSAGE_BYTES = 1024;

/** What a module says about itself, cut to what readers get of it. Source: agent 4.2. */
export function moduleMessage(text: string): string {
  const cut = cutToBytes(text, MAX_MODULE_MESSAGE_BYTES);
  return cut === text ? text : cut + "...";
}
