"use strict";
// The numbers of a figure as a file, made from its table.
for (const button of document.querySelectorAll("button.csv")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const rows = [...button.parentElement.querySelectorAll("tr")].map((row) =>
      [...row.cells].map((cell) => {
        const text = cell.dataset.full ?? cell.textContent;
        return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
      }).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([rows.join("\n") + "\n"], { type: "text/csv" }));
    link.download = button.dataset.name;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}
// Dots of one picture are one stop of the Tab key; the arrow keys go from dot to dot.
for (const picture of document.querySelectorAll("svg")) {
  const dots = [...picture.querySelectorAll("a")];
  dots.forEach((dot, place) => dot.setAttribute("tabindex", place ? "-1" : "0"));
  picture.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const place = dots.indexOf(document.activeElement);
    if (!step || place < 0) return;
    event.preventDefault();
    const next = dots[(place + step + dots.length) % dots.length];
    dots[place].setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}
// A link into folded content unfolds it.
function unfold() {
  let target = null;
  try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return; }
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  if (target) {
    if (!target.matches("a, button, input, summary, [tabindex]")) target.tabIndex = -1;
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  }
}
addEventListener("hashchange", unfold);
if (location.hash) unfold();
