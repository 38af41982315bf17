// What a term means, beside it: while the mouse is on it, while it has the keyboard's focus, or after a tap.
// `_ext/glossary.py` links the terms and puts their entries into the page.

const entries = document.querySelector("#terms")?.content,
  EDGE = 8, // pixels between the tip and its term, and the window's edge
  LEAVE = 250; // milliseconds in which the mouse gets from the term to its tip
const tip = document.createElement("div");
let term = null,
  leaving = 0,
  touched = false;

/** Below the term, or above it where there is more room; nowhere while the term itself is out of sight. */
function place() {
  if (!term) return;
  const lines = [...term.getClientRects()], // a term may be broken over two
    first = lines[0],
    last = lines.at(-1),
    { width, height } = tip.getBoundingClientRect();
  const below = last.bottom + EDGE + height <= innerHeight || first.top < innerHeight - last.bottom;
  const at = below ? last : first,
    left = Math.min(at.left, document.documentElement.clientWidth - width - EDGE),
    top = below ? last.bottom + EDGE : first.top - EDGE - height;
  tip.style.left = `${Math.max(EDGE, left)}px`;
  tip.style.top = `${Math.max(EDGE, Math.min(top, innerHeight - height - EDGE))}px`;
  tip.style.visibility = last.bottom < 0 || first.top > innerHeight ? "hidden" : "visible";
}

async function show(link) {
  clearTimeout(leaving);
  if (term === link) return;
  hide();
  term = link;
  term.classList.add("told");
  term.setAttribute("aria-describedby", tip.id);
  const told = [...link.classList].map((name) => entries.getElementById(name)).filter(Boolean);
  tip.replaceChildren(...told.map((entry) => entry.cloneNode(true)));
  for (const part of tip.querySelectorAll("[id]")) part.removeAttribute("id");
  tip.scrollTop = 0;
  tip.showPopover();
  place();
  if (!window.MathJax?.startup) return;
  await MathJax.startup.promise;
  MathJax.typesetClear([tip]);
  await MathJax.typesetPromise([tip]);
  place();
}

function hide() {
  clearTimeout(leaving);
  term?.classList.remove("told");
  term?.removeAttribute("aria-describedby");
  term = null;
  if (tip.matches(":popover-open")) tip.hidePopover();
}

function leave() {
  clearTimeout(leaving);
  leaving = setTimeout(hide, LEAVE);
}

function listen(link) {
  if (link.title) link.ariaLabel = link.title; // of a formula, which has no words to be read out
  link.removeAttribute("title"); // the browser's own tip would cover this one
  link.addEventListener("pointerdown", (event) => (touched = event.pointerType !== "mouse"));
  link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && show(link));
  link.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && leave());
  link.addEventListener("focus", () => link.matches(":focus-visible") && !touched && show(link));
  link.addEventListener("blur", leave);
  link.addEventListener("click", (event) => {
    if (!touched || term === link) return; // the mouse has seen the tip; its click, and a second tap, follow the link
    event.preventDefault();
    show(link);
  });
}

if (entries) {
  Object.assign(tip, { className: "tip", id: "tip", popover: "manual" });
  tip.addEventListener("pointerenter", () => clearTimeout(leaving));
  tip.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && leave());
  document.body.append(tip);
  document.querySelectorAll("a.term").forEach(listen);
  addEventListener("keydown", (event) => {
    touched = false;
    if (event.key === "Escape") hide();
  });
  addEventListener("pointerdown", (event) => term && !event.target.closest?.("a.term, .tip") && hide());
  addEventListener("scroll", place, { passive: true, capture: true });
  addEventListener("resize", place);
}
