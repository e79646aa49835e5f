// Elements, numbers and texts as people read them. Text is only ever set as text.

export const $ = (id) => document.getElementById(id);

export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const UP = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };

// A probability: percent where that is readable, powers of ten below.
export function share(p) {
  if (p === null || p === undefined || Number.isNaN(p)) return "–";
  if (p === 0) return "0";
  if (p >= 0.99995) return "100%";
  if (p >= 0.9995) return `${(100 * p).toFixed(2)}%`;
  if (p >= 0.0995) return `${(100 * p).toFixed(1)}%`;
  if (p >= 0.0001) return `${(100 * p).toPrecision(2)}%`;
  return power(p);
}

export function power(p) {
  const [digits, exponent] = p.toExponential(1).split("e");
  return `${digits}·10${[...String(Number(exponent))].map((c) => UP[c]).join("")}`;
}

// What is known of Φ in a few characters: "= 2.6%", "≈ 2.6% ± 0.4%", "[1%, 3%]".
export function phiText(phi) {
  if (phi.kind === "exact") return `= ${share(phi.mean)}`;
  if (phi.kind === "estimate" && 2 * phi.error >= phi.mean) return `≲ ${share(Math.min(phi.high, phi.mean + 2 * phi.error))}`;
  if (phi.kind === "estimate") return `≈ ${share(phi.mean)} ± ${share(2 * phi.error)}`;
  if (phi.mean !== null) return `= ${share(phi.mean)}`;
  if (phi.low === 0 && phi.high === 1) return "?";
  if (phi.low < 1e-4 * phi.high) return `≤ ${share(phi.high)}`;
  return `${share(phi.low)} … ${share(phi.high)}`;
}

export function phiWords(phi) {
  const bounds = `certainly between ${share(phi.low)} and ${share(phi.high)}`;
  if (phi.kind === "exact") return `Φ is ${share(phi.mean)}, exactly: every way on was listed`;
  if (phi.kind === "estimate")
    return `Φ is about ${share(phi.mean)} ± ${share(2 * phi.error)} (two standard errors, ${phi.runs} runs); ${bounds}`;
  if (phi.mean !== null) return `Φ is ${share(phi.mean)}; ${bounds}`;
  return `Φ is ${bounds}; no estimate yet`;
}

const SEEN = { " ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍" };

// A token with its white space shown; bytes that are no text in hexadecimal.
export function tokenNodes(token) {
  if (token.eos) return [el("span", { class: "mark" }, "end")];
  if (token.hex) return [el("span", { class: "mark" }, token.hex)];
  return textNodes(token.text);
}

export function textNodes(text) {
  const nodes = [];
  let plain = "";
  for (const char of text) {
    const seen = SEEN[char] ?? (/[\p{Cc}\p{Cf}\p{Zs}]/u.test(char) ? `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}` : null);
    if (seen === null) {
      plain += char;
      continue;
    }
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(el("span", { class: "space" }, seen));
  }
  if (plain) nodes.push(plain);
  return nodes;
}

const NAMES = { " ": "space", "\n": "line feed", "\t": "tab", "\r": "carriage return" };

// A token for a screen reader.
export function tokenWords(token) {
  if (token.eos) return "end of the text";
  if (token.hex) return `bytes ${token.hex}`;
  return [...token.text].map((char) => NAMES[char] ?? char).join("");
}

export function debounce(seconds, action) {
  let timer;
  const soon = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...args), 1000 * seconds);
  };
  soon.cancel = () => clearTimeout(timer);
  return soon;
}
