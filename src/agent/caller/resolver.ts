import type { Account, Caller } from "../../domain/identity/caller.ts";
import type { ConnectionRecord } from "../../domain/identity/connection_record.ts";
import type { Accounts, InspectedProcess, Inspector } from "./inspector.ts";

/** A caller, with the means to ask whether it is still the same. */
export interface ResolvedCaller {
  readonly caller: Caller;
  /** See `InspectedProcess.check`. One system call; asked for each request of a kept-alive connection. */
  check(): "same" | "changed" | "gone";
}

/** Turns the kernel's record of a connection into a caller. */
export interface CallerResolver {
  resolve(record: ConnectionRecord): ResolvedCaller | Promise<ResolvedCaller>;
}

/** The resolver of the agent: process facts first (they are perishable), then the account. */
export class Resolver implements CallerResolver {
  readonly #inspector: Inspector;
  readonly #accounts: Accounts;

  constructor(inspector: Inspector, accounts: Accounts) {
    this.#inspector = inspector;
    this.#accounts = accounts;
  }

  resolve(record: ConnectionRecord): ResolvedCaller | Promise<ResolvedCaller> {
    const process = this.#inspector.inspect(record);
    const account = this.#accounts.lookUp(record.uid);
    return account instanceof Promise
      ? account.then((known) => resolved(record, process, known))
      : resolved(record, process, account);
  }
}

function resolved(
  record: ConnectionRecord,
  process: InspectedProcess,
  account: Account | null,
): ResolvedCaller {
  const caller: Caller = Object.freeze({
    record,
    elevated: record.uid === 0,
    account,
    exe: process.exe,
    commandLine: process.commandLine,
  });
  return { caller, check: () => process.check() };
}
