/** An element of an XML document: entities decoded, comments and instructions left out. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly (XmlElement | string)[];
}

/** The first element below `element` that the local names of `path` lead to; `null` when there is none. */
export function descendant(element: XmlElement, ...path: readonly string[]): XmlElement | null {
  let at: XmlElement | undefined = element;
  for (const name of path) {
    at = at.children.find((child): child is XmlElement =>
      typeof child !== "string" && localName(child.name) === name
    );
    if (at === undefined) return null;
  }
  return at;
}

/** The text of an element, without the blanks around it; what stands in elements within is left out. */
export function textOf(element: XmlElement): string {
  return element.children.filter((child) => typeof child === "string").join("").trim();
}

/** The value of an attribute; `null` when there is none. */
export function attributeOf(element: XmlElement | null, name: string): string | null {
  return element !== null && Object.hasOwn(element.attributes, name)
    ? element.attributes[name] ?? null
    : null;
}

function localName(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}
