"use strict";
for (const pre of document.querySelectorAll("pre[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy " + pre.dataset.copy);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });
  pre.parentElement.append(button);
}
const findings = [...document.querySelectorAll("details")];
const show = (open) => findings.forEach((item) => { item.open = open; });
for (const button of document.querySelectorAll("button[data-open]")) {
  button.hidden = false;
  button.addEventListener("click", () => show(button.dataset.open === "all"));
}
let before = [];
addEventListener("beforeprint", () => { before = findings.map((item) => item.open); show(true); });
addEventListener("afterprint", () => findings.forEach((item, i) => { item.open = before[i]; }));
const target = location.hash && document.getElementById(location.hash.slice(1));
if (target && target.tagName === "DETAILS") target.open = true;
