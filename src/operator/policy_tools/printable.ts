/** Longer texts are cut: they come from outside. */
const LONGEST_SHOWN = 300;

/** A text without characters that could steer a terminal or turn text around, and not too long. */
export function printable(text: string): string {
  const cut = text.length <= LONGEST_SHOWN
    ? text
    : `${text.slice(0, LONGEST_SHOWN).toWellFormed()}…`;
  return cut.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`,
  );
}
