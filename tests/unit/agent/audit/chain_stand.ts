import {
  ANCHOR_FILE_NAME,
  AUDIT_FILE_NAME,
  FileAuditTrail,
  type FileAuditTrailOptions,
  verifyLog,
  type VerifyReport,
  type VerifyRequest,
} from "../../../../src/agent/audit/mod.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { MemoryLogger } from "../../../fakes/memory_logger.ts";

/** A folder with an audit log in it, and hands to damage it with. */
export class ChainStand {
  readonly clock = new FakeClock();
  readonly logger = new MemoryLogger();
  readonly #trails: FileAuditTrail[] = [];

  private constructor(readonly folder: string) {}

  static async with(body: (stand: ChainStand) => void | Promise<void>): Promise<void> {
    const stand = new ChainStand(await Deno.makeTempDir());
    try {
      await body(stand);
    } finally {
      for (const trail of stand.#trails) await trail.close();
      await Deno.remove(stand.folder, { recursive: true });
    }
  }

  /** An agent's trail; `close()` ends it in order, `crash()` as a kill does. */
  start(options: Partial<FileAuditTrailOptions> = {}): FileAuditTrail {
    const trail = new FileAuditTrail({
      clock: this.clock,
      folder: this.folder,
      redact: (text) => text,
      logger: this.logger,
      ...options,
    });
    trail.open();
    this.#trails.push(trail);
    return trail;
  }

  /** The folder as a kill at this moment would leave it. The trail that wrote it must not be used any more. */
  crash(): void {
    const copy = `${this.folder}.copy`;
    Deno.mkdirSync(copy);
    for (const name of this.names()) Deno.copyFileSync(this.path(name), `${copy}/${name}`);
    for (const name of this.names()) Deno.removeSync(this.path(name));
    for (const { name } of Deno.readDirSync(copy)) {
      Deno.renameSync(`${copy}/${name}`, this.path(name));
    }
    Deno.removeSync(copy);
  }

  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  names(): string[] {
    return [...Deno.readDirSync(this.folder)].map(({ name }) => name).sort();
  }

  /** Files of the log, oldest first. */
  logNames(): string[] {
    const names = this.names().filter((name) => name.startsWith(AUDIT_FILE_NAME));
    return [...names.filter((name) => name !== AUDIT_FILE_NAME), AUDIT_FILE_NAME];
  }

  read(name = AUDIT_FILE_NAME): Uint8Array<ArrayBuffer> {
    return Deno.readFileSync(this.path(name));
  }

  /** Lines of a file, without their line feeds. */
  lines(name = AUDIT_FILE_NAME): string[] {
    return Deno.readTextFileSync(this.path(name)).split("\n").slice(0, -1);
  }

  /** Those of the lines that are JSON. */
  records(name = AUDIT_FILE_NAME): Record<string, unknown>[] {
    return this.lines(name).map((line) => line.slice(34)).filter((json) => json.endsWith("}"))
      .map((json) => JSON.parse(json));
  }

  writeLines(lines: readonly string[], name = AUDIT_FILE_NAME): void {
    Deno.writeTextFileSync(this.path(name), lines.map((line) => `${line}\n`).join(""));
  }

  dropAnchor(): void {
    Deno.removeSync(this.path(ANCHOR_FILE_NAME));
  }

  verify(request: Partial<VerifyRequest> = {}): Promise<VerifyReport> {
    return verifyLog({
      log: { folder: this.folder },
      statusFiles: [],
      witnesses: [],
      fromSeq: null,
      ...request,
    });
  }
}
