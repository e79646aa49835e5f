// The page: what the user has set, what the server says of it, and how one leads to the other.

import { ServerError, get, post, setKey, stream } from "./api.js";
import { focusChip, showChips } from "./chips.js";
import { diagram } from "./diagram.js";
import { $, debounce, el, share, textNodes, tokenNodes } from "./dom.js";
import { clearError, numberLines, showError } from "./editor.js";
import { EXAMPLES, KINDS } from "./examples.js";
import { showLaws } from "./laws.js";
import { decode, remember } from "./link.js";
import { detail, focusRow, moveRow, showNext, summary } from "./next.js";

const FIRST = { prefixes: 32, runs: 0 };
const THEN = { prefixes: 320, runs: 48 };
const SHOWN = 12;
const ALONG = 96; // runs for Φ along a text

const state = {
  tokens: [], // of the text: id and text, and what a trace tells
  at: 0, // the table shows what may come before tokens[at]
  last: null, // Φ after the last token
  good: false, // whether the grammar compiles
  limits: { most: 256 },
};
const running = new Map(); // name of a question -> what aborts it

// -- what the user has set ----------------------------------------------------------------------------

const number = (id, otherwise) => {
  const value = Number($(id).value);
  return $(id).value.trim() === "" || !Number.isFinite(value) ? otherwise : value;
};

const grammar = () => ({ kind: $("kind").value, text: $("source").value, whitespace: $("whitespace").value });

const world = () => ({
  grammar: grammar(),
  prompt: $("prompt").value,
  max_new_tokens: Math.trunc(number("max", 48)),
  temperature: number("temperature", 1),
  top_k: Math.trunc(number("top-k", 0)),
  top_p: number("top-p", 1),
});

function fill(settings) {
  $("kind").value = settings.kind in KINDS ? settings.kind : "regex";
  $("whitespace").value = settings.whitespace === "compact" ? "compact" : "any";
  $("source").value = String(settings.text ?? "");
  $("prompt").value = String(settings.prompt ?? "");
  $("max").value = settings.max ?? 48;
  $("temperature").value = settings.temperature ?? 1;
  $("top-k").value = settings.top_k ?? 0;
  $("top-p").value = settings.top_p ?? 1;
  $("seed").value = settings.seed ?? 1;
  $("whitespace-label").hidden = $("kind").value !== "json_schema";
}

function settings() {
  const { grammar: written, prompt, max_new_tokens, temperature, top_k, top_p } = world();
  return { ...written, prompt, max: max_new_tokens, temperature, top_k, top_p, seed: number("seed", 1) };
}

const keep = debounce(0.3, () => remember({ ...settings(), tokens: state.tokens.map((token) => token.id), at: state.at }));

// -- questions ------------------------------------------------------------------------------------------

// One question of a kind at a time: a newer one takes its place.
async function once(name, ask) {
  running.get(name)?.abort();
  const controller = new AbortController();
  running.set(name, controller);
  try {
    return await ask(controller.signal);
  } catch (error) {
    if (error.name === "AbortError") return null;
    if (error.status === 401) $("key-dialog").showModal();
    throw error;
  } finally {
    if (running.get(name) === controller) running.delete(name);
  }
}

function stop(...names) {
  for (const name of names) running.get(name)?.abort();
}

function say(id, text, kind = "") {
  $(id).textContent = text;
  $(id).className = `status ${kind}`;
}

const reason = (error) => (error instanceof ServerError ? error.message : `the page failed: ${error.message}`);

// -- the grammar ----------------------------------------------------------------------------------------

async function compile(begin = false) {
  compileSoon.cancel();
  say("grammar-status", "compiling …", "busy");
  stop("step", "trace", "compare", "sample");
  try {
    const found = await once("compile", (signal) => post("/playground/compile", { grammar: grammar() }, signal));
    if (!found) return;
    clearError();
    state.good = true;
    say("grammar-status", status(found), "good");
    showAutomaton(found);
    const typed = $("typed").value;
    if (begin && typed) await read(null, null, typed);
    else await read(state.tokens.map((token) => token.id), "keep");
  } catch (error) {
    state.good = false;
    say("grammar-status", "not compiled", "bad");
    $("diagram").replaceChildren();
    $("facts").replaceChildren();
    say("text-status", "");
    showRejected(null);
    nothingNext("The grammar does not compile.");
    showError(error);
  }
}

function status(found) {
  const facts = found.facts;
  const parts = [found.description];
  if (facts) parts.push(facts.extent === "finite" && facts.members ? `${Number(facts.members).toLocaleString("en")} texts` : facts.extent === "infinite" ? "infinitely many texts" : "size undecided");
  parts.push(found.compiled.masks_exact ? "masks exact" : "masks exact but for residual predicates");
  return `${parts.join(" · ")}.`;
}

function showAutomaton(found) {
  const drawing = found.svg === null ? null : diagram(found.svg);
  $("diagram").replaceChildren(drawing ?? el("p", { class: "quiet" }, `Not drawn: ${found.svg_refused}.`));
  const { facts, compiled } = found;
  const rows = [];
  const texts = (list) => list.flatMap((text) => [el("code", {}, ...textNodes(text || "(the empty text)")), " "]);
  if (facts) {
    if (facts.shortest.length) rows.push(["shortest", texts(facts.shortest)]);
    if (facts.samples.length) rows.push(["random members", texts(facts.samples)]);
    rows.push(["bytes used", [facts.bytes]]);
    rows.push(["rules", [`${facts.rules}${facts.recursive_rules ? `, ${facts.recursive_rules} of them recursive` : ""}`]]);
  } else rows.push(["facts", [`left out: ${found.facts_refused}`]]);
  rows.push(["first token", [`${compiled.first_tokens} of ${compiled.vocabulary.toLocaleString("en")} allowed; ${compiled.fewest_tokens} tokens at least, the end counted`]]);
  for (const place of found.residuals) rows.push(["checked at the end", [place]]);
  $("facts").replaceChildren(...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, ...value)]));
}

// -- the text -------------------------------------------------------------------------------------------

// Show a text, given as tokens or typed; what the grammar refuses is cut off and said.
async function read(tokens, at = null, typed = null) {
  if (!state.good) return;
  readSoon.cancel();
  stop("sample", "step");
  say("text-status", "reading …", "busy");
  try {
    const asked = typed === null ? { tokens } : { text: typed };
    const found = await once("trace", (signal) => post("/playground/trace", { ...world(), ...asked }, signal));
    if (!found) return;
    state.tokens = found.tokens;
    state.last = found.phi;
    // "choice": the first place where there is one; "keep": where the user is by now.
    const open = found.tokens.findIndex((token) => token.masked < 0.9995);
    const wanted = at === "choice" ? Math.max(0, open) : at === "keep" ? state.at : found.tokens.length;
    state.at = Math.min(wanted, found.tokens.length);
    if (found.ended && state.at === found.tokens.length) state.at = found.tokens.length - 1;
    showRejected(found.rejected);
    say("text-status", found.ended ? "A member of the grammar, ended." : found.accepting ? "A member of the grammar; more may follow." : "");
    await place();
    if (!running.has("trace")) await refine(); // else a newer text is being read
  } catch (error) {
    say("text-status", reason(error), "bad");
    nothingNext("");
  }
}

// Where bounds of Φ along the text are apart, estimate it.
async function refine() {
  const open = [...state.tokens.map((token) => token.phi), state.last].some((phi) => phi && phi.mean === null);
  if (!open) return;
  const tokens = state.tokens.map((token) => token.id);
  let found = null;
  try {
    found = await once("trace", (signal) => post("/playground/trace", { ...world(), tokens, runs: ALONG }, signal));
  } catch {
    return; // the bounds stay
  }
  if (!found || found.tokens.length !== state.tokens.length) return;
  state.tokens = found.tokens;
  state.last = found.phi;
  chips();
}

function showRejected(rejected) {
  const box = $("rejected");
  box.hidden = !rejected;
  if (!rejected) return box.replaceChildren();
  const before = state.tokens.map((token) => token.text).join("");
  const parts = [el("p", {}, el("b", {}, "Refused: "), rejected.reason, ".")];
  if (rejected.text !== undefined) {
    const whole = before + rejected.rest;
    const offset = rejected.offset ?? [...before].length;
    const from = Math.max(0, offset - 40);
    const line = [...whole].slice(from, offset + 30).join("").replaceAll(/\s/g, " ");
    parts.push(el("pre", {}, `${line}\n${" ".repeat(offset - from)}▲`));
  }
  if (rejected.expected) parts.push(el("p", { class: "quiet" }, `Allowed there: ${rejected.expected}.`));
  box.replaceChildren(...parts);
}

function chips() {
  showChips(state.tokens, state.at, state.last, (index, focus) => {
    state.at = index;
    place();
    if (focus) focusChip();
  });
}

// Show what may come at the current place.
async function place() {
  chips();
  keep();
  stop("step");
  const prefix = state.tokens.slice(0, state.at).map((token) => token.id);
  const taken = state.tokens[state.at]?.id ?? null;
  if (prefix.length >= world().max_new_tokens) return nothingNext("There is no room for another token: raise “Most tokens”.");
  $("next-note").textContent = "looking …";
  let shown = false;
  try {
    for (const effort of [FIRST, THEN]) {
      const found = await once("step", (signal) =>
        post("/playground/step", { ...world(), tokens: prefix, top: SHOWN, ...effort }, signal),
      );
      if (!found) return;
      showNext(found, taken, accept, (token) => $("detail").replaceChildren(...detail(token)));
      $("summary").textContent = summary(found);
      shown = true;
      const open = found.tokens.some((token) => token.phi.mean === null);
      $("next-note").textContent = open && effort === FIRST ? "refining …" : basis(found);
      if (!open) break;
    }
  } catch (error) {
    if (shown) $("next-note").textContent = `not refined: ${reason(error)}`;
    else nothingNext(reason(error));
  }
}

function basis(found) {
  const kinds = new Set(found.tokens.map((token) => token.phi.kind));
  if (kinds.size === 1 && kinds.has("exact")) return `exact (${found.prefixes} prefixes listed)`;
  if (kinds.has("estimate")) return `partly estimated (${found.prefixes} prefixes listed)`;
  return `certified bounds (${found.prefixes} prefixes listed)`;
}

function nothingNext(text) {
  $("next-body").replaceChildren();
  $("summary").textContent = text;
  $("next-note").textContent = "";
  $("detail").replaceChildren();
}

async function accept(token) {
  const ids = [...state.tokens.slice(0, state.at).map((each) => each.id), token.id];
  await read(ids);
  if (token.eos) focusChip();
  else focusRow();
}

async function draw(law) {
  if (!state.good) return;
  stop("trace", "step");
  const list = $("attempts-list");
  list.replaceChildren();
  $("attempts").hidden = false;
  $("attempts").open = false;
  $("attempts-title").textContent = "Attempts";
  say("text-status", law === "masked" ? "drawing from the masked law …" : "drawing from the conditional law …", "busy");
  let end = null;
  let died = 0;
  try {
    const done = await once("sample", async (signal) => {
      const body = { ...world(), law, seed: Math.max(0, Math.trunc(number("seed", 1))), max_attempts: 200 };
      await stream("/playground/sample", body, signal, (event) => {
        if (event.event !== "attempt") {
          end = event;
          return;
        }
        died += event.died ? 1 : 0;
        list.append(attempt(event));
        if (event.died) $("attempts").open = true;
        $("attempts-title").textContent = `${event.number} attempt${event.number > 1 ? "s" : ""}, ${died} of them given up`;
      });
      return true;
    });
    if (!done || !end) return;
    if (end.event === "exhausted")
      return say("text-status", `No text in ${end.attempts} attempts. Certain: Φ is at most ${share(end.bound)}.`, "bad");
    $("seed").value = Math.trunc(number("seed", 1)) + 1;
    $("typed").value = "";
    state.tokens = end.tokens;
    await read(end.tokens.map((token) => token.id), "choice");
    const cost = law === "masked" ? "one pass" : `attempt ${end.attempts}`;
    const bound = end.bound === null ? "" : `; certain by now: Φ ≤ ${share(end.bound)}`;
    say("text-status", `An exact draw from the ${law === "masked" ? "masked" : "conditional"} law, ${cost}. p = ${share(Math.exp(end.logprob))}${bound}.`, "good");
  } catch (error) {
    say("text-status", reason(error), "bad");
  }
}

function attempt(event) {
  const tokens = event.tokens.map((token) => el("span", { class: "token" }, ...tokenNodes(token)));
  const end = event.died
    ? el("span", { class: "died", title: "the coin fell: the rest would too rarely end in the grammar" }, "† given up")
    : el("span", { class: "kept" }, "accepted");
  const bound = event.bound === null ? "" : ` Φ ≤ ${share(event.bound)} when it began`;
  return el("li", {}, ...tokens, " ", end, el("span", { class: "quiet" }, bound));
}

async function compare() {
  if (!state.good) return;
  say("compare-status", "listing texts, and drawing where they are too many …", "busy");
  try {
    const found = await once("compare", (signal) => post("/playground/compare", { ...world(), seed: Math.trunc(number("seed", 1)) }, signal));
    if (!found) return say("compare-status", "");
    if (found.undefined) return say("compare-status", "The model gives the grammar no probability at all: Φ = 0, so there is no conditional law.", "bad");
    say("compare-status", "");
    showLaws(found);
  } catch (error) {
    $("laws").hidden = true;
    say("compare-status", reason(error), "bad");
  }
}

function forgetLaws() {
  stop("compare");
  $("laws").hidden = true;
  say("compare-status", "");
}

// -- wiring ---------------------------------------------------------------------------------------------

const compileSoon = debounce(0.5, () => compile());
const readSoon = debounce(0.5, () => read(state.tokens.map((token) => token.id), "keep"));

function load(chosen, tokens = [], at = 0) {
  fill(chosen);
  state.tokens = tokens;
  state.at = at;
  state.last = null;
  $("typed").value = String(chosen.typed ?? "");
  $("attempts").hidden = true;
  $("detail").replaceChildren();
  showRejected(null);
  forgetLaws();
  numberLines();
  return compile(true);
}

function onTextKeys(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const count = state.tokens.length;
  const ended = count > 0 && state.tokens[count - 1].eos;
  const last = ended ? count - 1 : count;
  const inTable = $("next-body").contains(document.activeElement);
  const move = (to) => {
    state.at = Math.max(0, Math.min(last, to));
    place();
    focusChip();
  };
  const actions = {
    ArrowLeft: () => move(state.at - 1),
    ArrowRight: () => move(state.at + 1),
    Home: () => move(0),
    End: () => move(last),
    ArrowDown: () => (inTable ? moveRow(1) : focusRow()),
    ArrowUp: () => inTable && (moveRow(-1) || focusChip()),
    Enter: () => (inTable ? document.activeElement.click() : focusRow()),
    Backspace: () => {
      const cut = state.at < count ? state.at : count - 1;
      if (cut >= 0) read(state.tokens.slice(0, cut).map((token) => token.id)).then(focusChip);
    },
    Delete: () => read(state.tokens.slice(0, state.at).map((token) => token.id)).then(focusChip),
    c: () => draw("conditional"),
    m: () => draw("masked"),
  };
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
}

function wire() {
  for (const [value, name] of Object.entries(KINDS)) $("kind").append(el("option", { value }, name));
  $("example").append(el("option", { value: "" }, "choose …"), ...EXAMPLES.map((each, i) => el("option", { value: i }, each.name)));
  $("example").addEventListener("change", () => {
    if ($("example").value !== "") load(EXAMPLES[Number($("example").value)]);
  });
  $("source").addEventListener("input", () => {
    numberLines();
    forgetLaws();
    compileSoon();
  });
  $("source").addEventListener("scroll", () => ($("gutter").scrollTop = $("source").scrollTop));
  $("source").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey) compile();
  });
  for (const id of ["kind", "whitespace"])
    $(id).addEventListener("change", () => {
      $("whitespace-label").hidden = $("kind").value !== "json_schema";
      forgetLaws();
      compile();
    });
  for (const id of ["prompt", "max", "temperature", "top-k", "top-p"])
    $(id).addEventListener("input", () => {
      forgetLaws();
      readSoon();
    });
  $("type-form").addEventListener("submit", (event) => {
    event.preventDefault();
    read(null, null, $("typed").value);
  });
  $("sample-conditional").addEventListener("click", () => draw("conditional"));
  $("sample-masked").addEventListener("click", () => draw("masked"));
  $("compare").addEventListener("click", compare);
  $("clear").addEventListener("click", () => {
    $("attempts").hidden = true;
    read([]);
  });
  $("chips").addEventListener("keydown", onTextKeys);
  $("next-body").addEventListener("keydown", onTextKeys);
  $("link").addEventListener("click", copyLink);
  $("help-open").addEventListener("click", () => $("help").showModal());
  document.addEventListener("keydown", (event) => {
    if (event.key === "F1") {
      event.preventDefault();
      if (!$("help").open) $("help").showModal();
    }
  });
  $("key-form").addEventListener("submit", () => {
    setKey($("key").value);
    $("key").value = "";
    begin();
  });
  // A place within the page is no state: going there by its address would load the page anew.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("text-section").focus();
  });
  addEventListener("hashchange", () => decode(location.hash) && begin());
}

async function copyLink() {
  remember({ ...settings(), tokens: state.tokens.map((token) => token.id), at: state.at });
  try {
    await navigator.clipboard.writeText(location.href);
    $("link").textContent = "Copied";
  } catch {
    $("link").textContent = "See the address bar";
  }
  setTimeout(() => ($("link").textContent = "Copy link"), 1500);
}

async function begin() {
  try {
    const found = await get("/playground/info");
    $("model").textContent = `${found.model} · ${found.vocabulary.toLocaleString("en")} tokens`;
    $("max").max = found.most_tokens;
  } catch (error) {
    if (error.status === 401) $("key-dialog").showModal();
    return say("grammar-status", reason(error), "bad");
  }
  const linked = decode(location.hash);
  if (!linked) return load(EXAMPLES[0]);
  const ids = Array.isArray(linked.tokens) ? linked.tokens.filter((id) => Number.isInteger(id) && id >= 0).slice(0, 256) : [];
  return load(linked, ids.map((id) => ({ id, text: "" })), Number.isInteger(linked.at) ? linked.at : 0);
}

wire();
begin();
