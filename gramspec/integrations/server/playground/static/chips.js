// The text as a row of tokens: one is current, arrow keys move, what is known of each is shown above and below.

import { $, el, phiMiddle, phiText, share, tokenNodes, tokenWords } from "./dom.js";

const FLOOR = 6; // powers of ten that a bar of Φ shows

function height(phi) {
  const value = phiMiddle(phi) ?? Math.sqrt(Math.max(phi.low, 10 ** -FLOOR) * phi.high);
  return value <= 0 ? 0 : Math.max(0.03, 1 + Math.log10(value) / FLOOR);
}

// `tokens` with p, masked and phi each; `at` is the place before which the next token is asked for.
export function showChips(tokens, at, last, choose) {
  const box = $("chips");
  const focused = box.contains(document.activeElement);
  const chips = tokens.map((token, index) => {
    const bar = el("span", { class: "bar", title: token.phi ? `Φ before this token ${phiText(token.phi)}` : false }, el("i"));
    bar.firstChild.style.height = `${100 * (token.phi ? height(token.phi) : 0)}%`;
    const words = [tokenWords(token)];
    if (token.p !== undefined) words.push(`model ${share(token.p)}`, `masked ${share(token.masked)}`);
    if (token.phi) words.push(`Φ before it ${phiText(token.phi)}`);
    return option(index, at, words.join(", "), token.eos ? "chip end" : "chip", choose, [
      bar,
      el("span", { class: "token" }, ...tokenNodes(token)),
      el("span", { class: "under" }, token.masked === undefined ? "" : share(token.masked)),
    ]);
  });
  const ended = tokens.length > 0 && tokens[tokens.length - 1].eos;
  if (!ended) {
    const bar = el("span", { class: "bar" }, el("i"));
    if (last) bar.firstChild.style.height = `${100 * height(last)}%`;
    const words = tokens.length ? "after the last token" : "empty text, before the first token";
    chips.push(
      option(tokens.length, at, words, "chip next", choose, [bar, el("span", { class: "token" }, "?"), el("span", { class: "under" }, "")]),
    );
  }
  box.replaceChildren(...chips);
  const current = chips[Math.min(at, chips.length - 1)];
  current.tabIndex = 0;
  if (focused) current.focus();
  current.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function option(index, at, words, kind, choose, children) {
  return el(
    "div",
    {
      role: "option",
      class: index === at ? `${kind} current` : kind,
      "aria-selected": String(index === at),
      "aria-label": words,
      tabindex: -1,
      "data-index": index,
      onclick: () => choose(index, true),
    },
    ...children,
  );
}

export function focusChip() {
  $("chips").querySelector('[tabindex="0"]')?.focus();
}
