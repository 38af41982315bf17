// What scrolls sideways, as on a phone, can be reached and scrolled with the keyboard; tables and formulas say so.

const TABLES = ".bd-content .pst-scrollable-table-container",
  FORMULAS = ".bd-content div.math";
const FIGURES = ".bd-content figure, .bd-content div.cell_output";
const SLIGHT = 4; // pixels of a margin, which hide nothing
const sideways = (box, most = 0) => box.scrollWidth > box.clientWidth + most;

function mark() {
  for (const box of document.querySelectorAll(TABLES)) {
    box.classList.remove("scrolls"); // it makes columns wider
    box.classList.toggle("scrolls", sideways(box, SLIGHT));
  }
  for (const box of document.querySelectorAll(FORMULAS)) {
    const formula = box.querySelector("mjx-container");
    box.classList.toggle("scrolls", formula !== null && sideways(formula, SLIGHT));
  }
  for (const formula of document.querySelectorAll(".bd-content mjx-container"))
    // MathJax makes each a stop of the keyboard's
    formula.tabIndex = formula.closest("div.math") && sideways(formula) ? 0 : -1;
  for (const box of document.querySelectorAll(FIGURES)) {
    const scrolls = sideways(box) && getComputedStyle(box).overflowX !== "visible";
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

const watched = new ResizeObserver(mark); // formulas and pictures come later than the page, and change what fits
for (const box of document.querySelectorAll(`${TABLES}, ${TABLES} > table, ${FORMULAS}, ${FIGURES}`))
  watched.observe(box);
