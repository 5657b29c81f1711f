import manifest from "../deno.json" with { type: "json" };

/** The version of the program, three parts. It stands in `deno.json` and nowhere else. */
export const VERSION: string = manifest.version;
