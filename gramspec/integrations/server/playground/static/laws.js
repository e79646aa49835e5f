// Both laws side by side: their distance with what is certain of it, and the likeliest texts of each.

import { $, el, share, textNodes } from "./dom.js";

const between = ({ near, far }) => `(${near.toFixed(2)} … ${far.toFixed(2)})`;

function distance(found) {
  const { tv, draws } = found;
  if (found.exact || tv.high - tv.low < 5e-4) return { value: (tv.low + tv.high) / 2, text: (0.5 * (tv.low + tv.high)).toFixed(3), sign: "=" };
  if (tv.high - tv.low <= 0.02) {
    const [low, high] = [tv.low, tv.high].map((value) => value.toFixed(3));
    const same = low === high; // to the digits shown
    return { value: (tv.low + tv.high) / 2, text: same ? low : `${low} … ${high}`, sign: same ? "=" : "in" };
  }
  if (draws && draws.from_masked) {
    // Of token sequences: texts are at most as far apart.
    const parts = [draws.from_conditional, draws.from_masked].filter(Boolean);
    const best = parts.reduce((a, b) => (a.far - a.near <= b.far - b.near ? a : b));
    return { value: best.mean, text: best.mean.toFixed(2), range: between(best), sign: "≈" };
  }
  return { value: tv.low, text: `${tv.low.toFixed(2)} … ${tv.high.toFixed(2)}`, sign: "in" };
}

function basis(found) {
  const lines = [];
  const { tv, draws } = found;
  if (found.exact) {
    lines.push(`Exact: all ${found.listed} texts of the grammar within the length were listed (${found.prefixes} prefixes).`);
    if (found.tv_tokens.high - tv.high > 5e-4)
      lines.push(`As token sequences, where several spell one text, the laws are ${found.tv_tokens.high.toFixed(3)} apart.`);
  } else {
    lines.push(
      `Certain: between ${tv.low.toFixed(3)} and ${tv.high.toFixed(3)} as texts, between ${found.tv_tokens.low.toFixed(3)} and ` +
        `${found.tv_tokens.high.toFixed(3)} as token sequences. ${found.listed} texts were listed (${found.prefixes} prefixes); ` +
        `they hold ${share(found.covered.masked)} of the masked law and at least ${share(found.covered.conditional)} of the conditional one.`,
    );
  }
  if (draws && draws.from_masked) {
    const written = [`from ${draws.n} masked draws ${draws.from_masked.mean.toFixed(2)} ${between(draws.from_masked)}`];
    if (draws.from_conditional)
      written.push(`from ${draws.n} exact conditional draws ${draws.from_conditional.mean.toFixed(2)} ${between(draws.from_conditional)}`);
    lines.push(`Estimated for token sequences, with two standard errors, those of Φ ≈ ${share(draws.phi)} included: ${written.join(", ")}.`);
    if (draws.histogram)
      lines.push(
        `The two sets of ${draws.n} draws are ${draws.histogram.tv.toFixed(2)} apart as histograms; random halves of all draws together are ` +
          `${draws.histogram.floor.toFixed(2)} apart (the floor), p = ${draws.histogram.p_value.toFixed(3)}.`,
      );
  }
  if (draws && draws.refused) lines.push(`Left out: ${draws.refused}.`);
  const phi = found.exact ? `= ${share(found.phi.low)}` : `between ${share(found.phi.low)} and ${share(found.phi.high)}`;
  lines.push(`Φ of the prompt: ${phi}, the probability that the model alone ends in the grammar.`);
  return lines;
}

function bar(kind, value, text, more) {
  const box = el("td", { class: `num ${kind}` });
  box.style.setProperty("--w", `${100 * value}%`);
  box.append(el("span", {}, text, more ?? ""));
  return box;
}

function times(row, law, draws) {
  const count = row.drawn?.[law];
  return count ? el("span", { class: "times" }, `drawn ${count === 1 ? "once" : `${count} times`} in ${draws.n}`) : null;
}

export function showLaws(found) {
  const { value, text, sign, range } = distance(found);
  const gauge = el("span", { class: "gauge" }, el("i"));
  gauge.firstChild.style.width = `${100 * value}%`;
  $("tv").replaceChildren(
    el("span", { class: "quiet" }, sign === "≈" ? "total variation distance of token sequences" : "total variation distance"),
    el("strong", {}, `${sign} ${text}`),
    el("span", {}, range ?? ""),
    gauge,
    el("span", { class: "quiet" }, "0: the same law. 1: no text in common."),
  );
  // The longest bar fills its column; texts that are too many to be seen have none.
  const drawn = found.texts.length ? found.texts : (found.draws?.texts ?? []);
  const most = Math.max(...drawn.flatMap((row) => [row.masked, row.conditional]), 1e-3);
  $("butterfly").classList.toggle("long", drawn.some((row) => row.text.length > 48));
  $("butterfly-body").replaceChildren(
    ...drawn.map((row) =>
      el(
        "tr",
        {},
        bar("masked", row.masked / most, share(row.masked), times(row, 0, found.draws)),
        el("th", { scope: "row" }, ...textNodes(row.text || "(the empty text)")),
        bar("conditional", row.conditional / most, conditional(row, found), times(row, 1, found.draws)),
      ),
    ),
  );
  $("laws-note").replaceChildren(...basis(found).flatMap((line) => [line, el("br")]));
  $("laws").hidden = false;
}

function conditional(row, found) {
  if (found.exact || (row.low !== undefined && row.high - row.low < Math.max(5e-4, 0.02 * row.high))) return share(row.conditional);
  return `≈ ${share(row.conditional)}`;
}
