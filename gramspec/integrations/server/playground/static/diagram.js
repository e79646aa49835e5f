// The railroad diagrams that the server draws, as part of the page: our styles, no styles or scripts of theirs.

const ALLOWED = {
  svg: ["viewBox", "width", "height"],
  title: [],
  path: ["d"],
  rect: ["class", "x", "y", "width", "height", "rx"],
  text: ["class", "x", "y"],
  circle: ["cx", "cy", "r"],
};
const SPACE = "http://www.w3.org/2000/svg";

function copy(node) {
  const allowed = ALLOWED[node.localName];
  if (!allowed || (node.localName === "rect" && !node.hasAttribute("class"))) return null;
  const made = document.createElementNS(SPACE, node.localName);
  for (const name of allowed) if (node.hasAttribute(name)) made.setAttribute(name, node.getAttribute(name));
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) made.append(child.data);
    else if (child.nodeType === Node.ELEMENT_NODE) {
      const below = copy(child);
      if (below) made.append(below);
    }
  }
  return made;
}

export function diagram(written) {
  const read = new DOMParser().parseFromString(written, "image/svg+xml");
  return read.documentElement.localName === "svg" ? copy(read.documentElement) : null;
}
