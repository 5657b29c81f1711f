/** How many bytes `text` has in UTF-8; a lone surrogate counts as the three bytes of its replacement. */
function utf8Bytes(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x1_0000 ? 3 : 4;
}

/**
 * The longest beginning of `text` that has at most `maxBytes` bytes in UTF-8; never half a character.
 * Looks at no more of the text than it returns. Source: wire-protocol S-25, authorization W-19.
 */
export function cutToBytes(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes) return text;
  let bytes = 0;
  let index = 0;
  while (index < text.length) {
    const codePoint = text.codePointAt(index)!;
    bytes += utf8Bytes(codePoint);
    if (bytes > maxBytes) return text.slice(0, index);
    index += codePoint > 0xffff ? 2 : 1;
  }
  return text;
}
