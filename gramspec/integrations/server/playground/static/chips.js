// The text as a row of tokens: one is current, arrow keys move, what is known of each is shown above and below.

import { $, el, phiText, share, tokenNodes, tokenWords } from "./dom.js";

const FLOOR = 6; // powers of ten that a bar of Φ shows

function height(value) {
  return value <= 0 ? 0 : 100 * Math.max(0.04, 1 + Math.log10(value) / FLOOR);
}

// Full up to what is certain, pale up to what is possible.
function barOf(phi) {
  const bar = el("span", { class: "bar" }, el("i", { class: "may" }), el("i"));
  if (phi) {
    bar.title = `Φ before this token ${phiText(phi)}`;
    bar.firstChild.style.height = `${height(phi.mean === null ? phi.high : Math.min(phi.high, phi.mean + 2 * phi.error))}%`;
    bar.lastChild.style.height = `${height(phi.mean === null ? phi.low : Math.max(phi.low, phi.mean - 2 * phi.error))}%`;
  }
  return bar;
}

// `tokens` with p, masked and phi each; `at` is the place before which the next token is asked for.
export function showChips(tokens, at, last, choose) {
  const box = $("chips");
  const focused = box.contains(document.activeElement);
  const chips = tokens.map((token, index) => {
    const words = [tokenWords(token)];
    if (token.p !== undefined) words.push(`model ${share(token.p)}`, `masked ${share(token.masked)}`);
    if (token.phi) words.push(`Φ before it ${phiText(token.phi)}`);
    return option(index, at, words.join(", "), token.eos ? "chip end" : "chip", choose, [
      barOf(token.phi),
      el("span", { class: "token" }, ...tokenNodes(token)),
      el("span", { class: "under" }, token.masked === undefined ? "" : share(token.masked)),
    ]);
  });
  const ended = tokens.length > 0 && tokens[tokens.length - 1].eos;
  if (!ended) {
    const words = tokens.length ? "after the last token" : "empty text, before the first token";
    chips.push(
      option(tokens.length, at, words, "chip next", choose, [barOf(last), el("span", { class: "token" }, "?"), el("span", { class: "under" }, "")]),
    );
  }
  box.replaceChildren(...chips);
  const current = chips[Math.min(at, chips.length - 1)];
  current.tabIndex = 0;
  if (focused) current.focus();
  // Not scrollIntoView: it would also move the place where the Tab key goes on.
  const top = current.offsetTop - box.offsetTop;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + current.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top + current.offsetHeight - box.clientHeight;
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
