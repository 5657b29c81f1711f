import type { ItemName, ObservedCaller, Variant } from "./observations.ts";

/** One privilege of one caller, and what it was used for. */
export interface SuggestedGrant {
  readonly item: ItemName;
  readonly caller: ObservedCaller;
  /** Names in the document. */
  readonly privilege: string;
  readonly identity: string;
  readonly path: string;
  /** Of the canonical path. */
  readonly segments: readonly string[];
  /** In canonical form. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Parameters that may have any value, though they were seen. */
  readonly open: readonly string[];
  readonly uses: Variant;
}

/** Whether whatever the one grants, the other grants as well, path and parameters alone. */
export function grantCovers(
  broad: Pick<SuggestedGrant, "segments" | "parameters">,
  narrow: Pick<SuggestedGrant, "segments" | "parameters">,
): boolean {
  return broad.segments.length <= narrow.segments.length &&
    broad.segments.every((segment, index) => narrow.segments[index] === segment) &&
    [...broad.parameters].every(([key, value]) => narrow.parameters.get(key) === value);
}
