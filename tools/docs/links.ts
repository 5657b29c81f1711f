/** Folders that hold no documents of ours. */
const SKIPPED = new Set([".git", "build", "coverage", "node_modules"]);

/** Relative links in the Markdown files below `root` that lead to no file or to no heading; one line each. */
export function brokenLinks(root: string): string[] {
  return markdownFiles(root).flatMap((file) => {
    const text = Deno.readTextFileSync(file);
    const folder = file.slice(0, file.lastIndexOf("/"));
    return linksIn(text).flatMap(({ target, line }) => {
      const [path = "", anchor] = target.split("#", 2);
      const led = path === "" ? file : `${folder}/${decodeURIComponent(path)}`;
      const problem = !exists(led)
        ? "leads to no file"
        : anchor !== undefined && led.endsWith(".md") &&
            !anchors(Deno.readTextFileSync(led)).has(anchor)
        ? "leads to no heading"
        : null;
      return problem === null ? [] : [`${file}:${line}: link \`${target}\` ${problem}`];
    });
  });
}

/** Relative links of a Markdown text, code left out, with the number of their line. */
export function linksIn(markdown: string): { target: string; line: number }[] {
  const links: { target: string; line: number }[] = [];
  let fenced = false;
  for (const [index, raw] of markdown.split("\n").entries()) {
    if (/^\s*(```|~~~)/.test(raw)) fenced = !fenced;
    if (fenced) continue;
    const text = raw.replaceAll(/`[^`]*`/g, (code) => " ".repeat(code.length));
    for (const match of text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)) {
      const target = match[1] ?? "";
      if (!/^[a-z][a-z0-9+.-]*:/i.test(target)) links.push({ target, line: index + 1 });
    }
    const definition = /^\s{0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/.exec(text)?.[1];
    if (definition !== undefined && !/^[a-z][a-z0-9+.-]*:/i.test(definition)) {
      links.push({ target: definition, line: index + 1 });
    }
  }
  return links;
}

/** The anchors that a Markdown text's headings make. */
export function anchors(markdown: string): Set<string> {
  const found = new Set<string>();
  const outside = markdown.replaceAll(/^\s*(```|~~~)[\s\S]*?^\s*\1/gm, "");
  for (const match of outside.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = (match[1] ?? "").replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const anchor = plain.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(/\s/g, "-");
    let unique = anchor;
    for (let n = 1; found.has(unique); n++) unique = `${anchor}-${n}`;
    found.add(unique);
  }
  return found;
}

function markdownFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) return SKIPPED.has(entry.name) ? [] : markdownFiles(path);
    return entry.name.endsWith(".md") ? [path] : [];
  }).sort();
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
