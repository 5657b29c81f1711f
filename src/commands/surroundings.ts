/** What a command needs of the process it runs in. */
export interface Surroundings {
  readonly executable: string;
  environment(name: string): string | undefined;
}

/** Those of this process. */
export const SURROUNDINGS: Surroundings = Object.freeze({
  get executable() {
    return Deno.execPath();
  },
  environment: (name: string) => Deno.env.get(name),
});
