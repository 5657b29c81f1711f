import { parseXml, XmlElement as ParsedElement, XmlText } from "@rgrove/parse-xml";
import type { XmlElement } from "../../domain/wire/mod.ts";
import { err, ok, type Result } from "../../runtime/result.ts";

/** Longer documents are not read: reading is done in one go, and holds up everything else. UTF-16 units. */
const LONGEST_DOCUMENT = 131_072;
/** Elements within elements. */
const DEEPEST = 64;

/**
 * Reads an XML document. Nothing is fetched and no entity of the document's own is expanded; an unknown one stays as it is
 * written. The error never holds a part of the document.
 */
export function readXml(text: string): Result<XmlElement, string> {
  if (text.length > LONGEST_DOCUMENT) return err("the document is too long");
  try {
    const { root } = parseXml(text, { ignoreUndefinedEntities: true });
    return root === null ? err("the document is empty") : plain(root, 0);
  } catch (error) {
    // The library's message quotes the line.
    const line = (error as { readonly line?: unknown }).line;
    return err(typeof line === "number" ? `no valid XML in line ${line}` : "no valid XML");
  }
}

function plain(element: ParsedElement, depth: number): Result<XmlElement, string> {
  if (depth > DEEPEST) return err("the document is too deep");
  const children: (XmlElement | string)[] = [];
  for (const child of element.children) {
    if (child instanceof XmlText) children.push(child.text);
    if (!(child instanceof ParsedElement)) continue;
    const inner = plain(child, depth + 1);
    if (!inner.ok) return inner;
    children.push(inner.value);
  }
  return ok({ name: element.name, attributes: element.attributes, children });
}
