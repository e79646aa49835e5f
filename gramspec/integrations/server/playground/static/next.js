// The table of next tokens: probability under the model, masked, conditional, and Φ after each.

import { $, el, phiText, phiWords, share, tokenNodes, tokenWords } from "./dom.js";

function cell(kind, text, value, low, high) {
  const box = el("td", { class: `num ${kind}` });
  if (value !== null && value !== undefined) box.style.setProperty("--w", `${100 * Math.min(1, value)}%`);
  if (low !== undefined && high !== undefined && high - low > 0.002) {
    const range = el("span", { class: "range" });
    range.style.left = `${100 * low}%`;
    range.style.width = `${100 * (high - low)}%`;
    box.append(range);
  }
  box.append(el("span", {}, text));
  return box;
}

export function conditionalText(conditional) {
  if (!conditional) return "–";
  const { low, high, mean } = conditional;
  if (high - low < 5e-4 || high - low < 0.01 * high) return share(mean ?? (low + high) / 2);
  if (mean !== undefined) return `≈ ${share(mean)}`;
  if (low < 1e-4 && high > 0.9999) return "?";
  if (low < 1e-4 * high) return `≤ ${share(high)}`;
  return `${share(low)} … ${share(high)}`;
}

function conditionalWords(conditional) {
  if (!conditional) return "undefined: Φ is 0 here";
  const { low, high, mean } = conditional;
  if (high - low < 5e-4) return share(mean ?? (low + high) / 2);
  const between = `between ${share(low)} and ${share(high)}`;
  return mean === undefined ? between : `about ${share(mean)}, ${between}`;
}

// `taken`: the token that the text has here, or null.
export function showNext(step, taken, accept, show) {
  const body = $("next-body");
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.id : null;
  const rows = step.tokens.map((token) =>
    el(
      "tr",
      {
        class: token.id === taken ? "taken" : false,
        tabindex: -1,
        "data-id": token.id,
        "aria-selected": String(token.id === taken),
        "aria-label":
          `${tokenWords(token)}: model ${share(token.p)}, masked ${share(token.masked)}, ` +
          `conditional ${conditionalWords(token.conditional)}. ${phiWords(token.phi)}`,
        onclick: () => accept(token),
        onfocus: () => show(token),
        onmouseenter: () => show(token),
      },
      el("th", { scope: "row" }, ...tokenNodes(token)),
      cell("model", share(token.p), token.p),
      cell("masked", share(token.masked), token.masked),
      cell("conditional", conditionalText(token.conditional), token.conditional?.mean ?? null, token.conditional?.low, token.conditional?.high),
      cell("phi", phiText(token.phi), token.phi.mean, token.phi.low, token.phi.high),
    ),
  );
  for (const token of step.refused)
    rows.push(
      el(
        "tr",
        { class: "refused", title: "the grammar refuses it here" },
        el("th", { scope: "row" }, el("s", {}, ...tokenNodes(token))),
        cell("model", share(token.p), token.p),
        el("td", { class: "num quiet", colspan: 3 }, "refused by the grammar"),
      ),
    );
  body.replaceChildren(...rows);
  const first = body.querySelector(`[data-id="${focused ?? taken}"]`) ?? body.querySelector("[data-id]");
  if (first) first.tabIndex = 0;
  if (focused !== null) first?.focus();
}

export function summary(step) {
  const parts = [
    `${step.allowed.toLocaleString("en")} of ${step.vocabulary.toLocaleString("en")} tokens are allowed; the model gives them ${share(step.allowed_mass)}.`,
    `Φ here ${phiText(step.phi)}.`,
  ];
  if (step.accepting) parts.push("The text may end here.");
  if (step.forced) parts.push(`Forced: ${JSON.stringify(step.forced)}.`);
  return parts.join(" ");
}

export function detail(token) {
  return [
    el("b", {}, ...tokenNodes(token)),
    ` token ${token.id}. Model ${share(token.p)}, masked ${share(token.masked)}, conditional ${conditionalWords(token.conditional)}. ${phiWords(token.phi)}.`,
  ];
}

export function moveRow(step) {
  const rows = [...$("next-body").querySelectorAll("[data-id]")];
  const index = rows.indexOf(document.activeElement);
  const target = rows[index + step];
  if (!target) return false;
  for (const row of rows) row.tabIndex = -1;
  target.tabIndex = 0;
  target.focus();
  return true;
}

export function focusRow() {
  $("next-body").querySelector('[tabindex="0"]')?.focus();
}
