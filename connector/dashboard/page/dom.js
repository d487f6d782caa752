// Elements are made from names and text. Text from outside is only ever text: nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (absent where undefined, null or false) and children (nodes or text). */
export function el(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Likewise, of SVG. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) attribute(node, name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Set an attribute, or take it away; only where that changes something. */
export function attribute(node, name, value) {
  if (value === undefined || value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value));
}

/** Set an element's text, only where it changes: focus, selection and screen readers are not disturbed. */
export function text(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

/** A node that knows those of its inner nodes that change. */
export function holding(node, parts) {
  node.parts = parts;
  return node;
}

export function byId(id) {
  return document.getElementById(id);
}

/**
 * Make a parent's children those of these items, in their order; nodes are kept by key.
 * `make(item)` gives a node once, `update(node, item)` changes it, where given.
 */
export function keyed(parent, items, key, make, update) {
  const there = parent.keyedNodes ?? (parent.keyedNodes = new Map());
  const wanted = new Map(items.map((item) => [key(item), item]));
  for (const [name, node] of there) {
    if (!wanted.has(name)) {
      node.remove();
      there.delete(name);
    }
  }
  let place = parent.firstChild;
  for (const [name, item] of wanted) {
    let node = there.get(name);
    if (!node) {
      node = make(item);
      there.set(name, node);
    }
    if (update) update(node, item);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
}
