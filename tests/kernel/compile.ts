/** Programs of the tests that are compiled where they run. */
const FOLDER = new URL(".", import.meta.url).pathname;

/** Compiles one of this folder's C files into `output`. @throws Error with the compiler's message */
export async function compileProgram(file: string, output: string): Promise<string> {
  await compile(["-O2", "-Wall", "-Werror", "-pthread", `${FOLDER}${file}`, "-o", output]);
  return output;
}

/** Compiles one of this folder's BPF files into `output`, with names defined. @throws Error with the compiler's message */
export async function compileBpf(
  file: string,
  output: string,
  ...defines: readonly string[]
): Promise<string> {
  await compile([
    ...["-target", "bpf", "-O2", "-g", "-Wall", "-I", `/usr/include/${Deno.build.arch}-linux-gnu`],
    ...defines.map((name) => `-D${name}`),
    ...["-c", `${FOLDER}${file}`, "-o", output],
  ]);
  return output;
}

async function compile(args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("clang", { args: [...args] }).output();
  if (!success) throw new Error(`clang: ${new TextDecoder().decode(stderr)}`);
}
