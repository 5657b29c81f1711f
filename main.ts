import { type CommandLine, parseCommandLine } from "./src/commands/command_line.ts";
import { standardOutput } from "./src/commands/output.ts";

/**
 * Runs the command and returns the exit code. Each command is loaded only when it is asked for; the literal names let the
 * bundler and the compiler see them all.
 */
async function execute(command: CommandLine): Promise<number> {
  const output = standardOutput();
  switch (command.kind) {
    case "version":
      return (await import("./src/commands/version.ts")).versionCommand(output);
    case "help":
      return (await import("./src/commands/help.ts")).helpCommand(output);
    case "usage":
      return (await import("./src/commands/help.ts")).usageError(command, output);
    case "status": {
      const { statusCommand } = await import("./src/commands/status.ts");
      return await statusCommand(command.options, output);
    }
    case "simulator": {
      const { simulatorCommand } = await import("./src/commands/simulator.ts");
      const { untilAsked } = await import("./src/commands/signals.ts");
      return await simulatorCommand(command.args, output, untilAsked());
    }
    case "audit": {
      const { auditCommand } = await import("./src/commands/audit.ts");
      return await auditCommand(command.args, output);
    }
    case "policy": {
      const { policyCommand } = await import("./src/commands/policy.ts");
      return await policyCommand(command.args, output);
    }
    case "top": {
      const { topCommand } = await import("./src/commands/top.ts");
      const { untilAsked } = await import("./src/commands/signals.ts");
      return await topCommand(command.args, output, untilAsked());
    }
    case "inspect": {
      const { inspectCommand } = await import("./src/commands/inspect.ts");
      const { untilAsked } = await import("./src/commands/signals.ts");
      return await inspectCommand(command.args, output, untilAsked());
    }
    case "config": {
      const { configCommand } = await import("./src/commands/config.ts");
      return await configCommand(command.args, output);
    }
    case "doctor": {
      const { doctorCommand } = await import("./src/commands/doctor.ts");
      return await doctorCommand(command.args, output);
    }
    case "console": {
      const { consoleCommand } = await import("./src/commands/console.ts");
      const { runAgent } = await import("./src/app.ts");
      return await consoleCommand(command.configFile, runAgent, output);
    }
    case "service": {
      const { serviceCommand } = await import("./src/commands/service.ts");
      const { runAgent } = await import("./src/app.ts");
      return await serviceCommand(runAgent, output);
    }
  }
}

if (import.meta.main) Deno.exit(await execute(parseCommandLine(Deno.args)));
