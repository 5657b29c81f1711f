/**
 * Words of the targets whose answers are secrets: managed-identity tokens, certificates, settings of extensions, what the
 * owner handed to the machine, the secure channel's own keys. A word more than needed costs a line in the log, a word too few costs a trace of an attack.
 */
const SENSITIVE_WORDS =
  /\/identity|token|certificate|extensionsconfig|fullconfig|vmsettings|extensionartifact|secure-channel|userdata|customdata/i;

/** How often a target is decoded in search of a hidden spelling. */
const DECODINGS = 2;

/**
 * Whether each single access to the target is worth a line of its own.
 * @param canonical the target's canonical spelling, if it has one. Source: authorization 7.4, W-18.
 */
export function isSensitiveTarget(target: string, canonical: string | null = null): boolean {
  if (SENSITIVE_WORDS.test(target)) return true;
  // Without a percent sign the spellings differ in nothing that is looked for.
  if (!target.includes("%")) return false;
  if (canonical !== null && SENSITIVE_WORDS.test(canonical)) return true;
  let text = target;
  for (let round = 0; round < DECODINGS && text.includes("%"); round++) {
    text = text.replace(
      /%([0-7][0-9a-f])/gi,
      (_, hex: string) => String.fromCharCode(parseInt(hex, 16)),
    );
    if (SENSITIVE_WORDS.test(text)) return true;
  }
  return false;
}
