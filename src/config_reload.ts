import type { Config } from "./config.ts";
import type { ConfigRefusal, LoadedConfig } from "./config_file.ts";
import type { EffectiveValue } from "./config_reader.ts";
import type { Logger } from "./runtime/logger.ts";
import type { HealthReporter, Part } from "./runtime/part.ts";
import type { Result } from "./runtime/result.ts";

/** Lines about one file. */
const MAX_LOGGED_PROBLEMS = 20;

/** Where a configuration is read again, and who asks for it. */
export interface ConfigSource {
  /** The configuration of the start. */
  readonly loaded: LoadedConfig;
  /** Reads it again. */
  load(): Promise<Result<LoadedConfig, ConfigRefusal>>;
  /** Calls back each time that somebody asks for it, until the signal fires. */
  onAsked(callback: () => void, signal: AbortSignal): void;
}

/** What takes effect while the agent runs, by the key in the file. */
export type ConfigAppliers = Readonly<Record<string, (config: Config) => void>>;

/**
 * Reads the configuration again when it is asked to. What can change while the agent runs does, what cannot is told; a
 * file that cannot be used changes nothing, and the next one that can heals it.
 */
export class ConfigReload implements Part {
  readonly name = "configuration";
  readonly #source: ConfigSource;
  readonly #appliers: ConfigAppliers;
  readonly #logger: Logger;
  /** What counts now, by key. */
  readonly #active: Map<string, EffectiveValue["value"]>;
  #isAsked = false;
  #wake = () => {};

  constructor(source: ConfigSource, appliers: ConfigAppliers, logger: Logger) {
    this.#source = source;
    this.#appliers = appliers;
    this.#logger = logger.child(this.name);
    this.#active = new Map(source.loaded.values.map(({ key, value }) => [key, value]));
  }

  async run(signal: AbortSignal, health: HealthReporter): Promise<void> {
    const { path } = this.#source.loaded;
    health.report("RUNNING", "CONFIG_LOADED", `Configuration of ${path}`);
    this.#source.onAsked(() => this.#ask(), signal);
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    while (!signal.aborted) {
      // Wishes that come while one is granted are one wish: the file is read once more.
      if (this.#isAsked) {
        this.#isAsked = false;
        this.#take(await this.#source.load(), health);
      } else {
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    }
  }

  #ask(): void {
    this.#isAsked = true;
    this.#wake();
  }

  #take(loaded: Result<LoadedConfig, ConfigRefusal>, health: HealthReporter): void {
    if (!loaded.ok) {
      const { problems, warnings } = loaded.error;
      for (const problem of problems.slice(0, MAX_LOGGED_PROBLEMS)) {
        this.#logger.error("configuration is refused, the one before stays", { problem });
      }
      this.#warn(warnings);
      const message = `The configuration before stays in use: ${problems[0] ?? "no reason given"}`;
      return health.report("STOPPED", "CONFIG_REFUSED", message);
    }
    const { config, path, values, warnings } = loaded.value;
    this.#warn(warnings);
    const waiting = this.#apply(config, values);
    this.#logger.info("configuration was read again", { path, waiting: waiting.join(",") });
    const note = waiting.length === 0 ? "" : `; a restart is needed for ${waiting.join(", ")}`;
    health.report("RUNNING", "CONFIG_LOADED", `Configuration of ${path}${note}`);
  }

  #warn(warnings: readonly string[]): void {
    for (const warning of warnings.slice(0, MAX_LOGGED_PROBLEMS)) {
      this.#logger.warn("configuration", { warning });
    }
  }

  /** Applies what has changed. Returns the keys that wait for a restart, also those that an earlier file left waiting. */
  #apply(config: Config, values: readonly EffectiveValue[]): readonly string[] {
    const waiting: string[] = [];
    for (const { key, value } of values) {
      if (value === this.#active.get(key)) continue;
      const apply = Object.hasOwn(this.#appliers, key) ? this.#appliers[key] : undefined;
      if (apply === undefined) {
        this.#logger.warn("configuration needs a restart for this key", { key, value });
        waiting.push(key);
        continue;
      }
      const before = this.#active.get(key) ?? null;
      apply(config);
      this.#active.set(key, value);
      this.#logger.info("configuration changed", { key, before, value });
    }
    return waiting;
  }
}
