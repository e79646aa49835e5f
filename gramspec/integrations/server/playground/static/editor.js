// The grammar's text: line numbers, and where an error is.

import { $, el } from "./dom.js";

const WINDOW = 48;

export function numberLines() {
  const count = $("source").value.split("\n").length;
  const marked = Number($("gutter").dataset.line || 0);
  const lines = [];
  for (let line = 1; line <= count; line += 1)
    lines.push(el("span", { class: line === marked ? "bad" : false }, `${line}\n`));
  $("gutter").replaceChildren(...lines);
  $("gutter").scrollTop = $("source").scrollTop;
}

// An error of the grammar: reason, the line with a caret, hint; a button goes to the place.
export function showError(error) {
  const box = $("error");
  const { line, column, offset, reason, hint, pointer, place } = error.details ?? {};
  const at = typeof line === "number";
  const where = at ? `Line ${line}, column ${column}` : pointer || place || "Grammar";
  const parts = [el("p", {}, el("b", {}, `${where}: `), reason || error.message)];
  if (at) {
    const text = $("source").value.split("\n")[line - 1] ?? "";
    const from = Math.max(0, column - 1 - WINDOW);
    const shown = text.slice(from, column - 1 + WINDOW).replaceAll("\t", " ");
    parts.push(el("pre", { "aria-hidden": "true" }, `${shown}\n${" ".repeat(Math.max(0, column - 1 - from))}▲`));
  }
  if (hint) parts.push(el("p", { class: "quiet" }, hint));
  if (at) parts.push(el("button", { type: "button", onclick: () => goTo(offset) }, "Go to the place"));
  box.replaceChildren(...parts);
  box.hidden = false;
  $("source").setAttribute("aria-invalid", "true");
  $("gutter").dataset.line = at ? line : "";
  numberLines();
}

export function clearError() {
  $("error").hidden = true;
  $("error").replaceChildren();
  $("source").removeAttribute("aria-invalid");
  $("gutter").dataset.line = "";
  numberLines();
}

function goTo(offset) {
  const source = $("source");
  // Characters of Python are code points, those of the browser UTF-16.
  const before = [...source.value].slice(0, offset).join("").length;
  source.focus();
  source.setSelectionRange(before, Math.min(before + 1, source.value.length));
}
