// The ledger's filter, by verdict and by part of the book; without JavaScript every row is shown.

import { element } from "./controls.js";

const KINDS = ["held", "undecided", "refuted"];

function start(table) {
  const rows = [...table.tBodies[0].rows].map((row) => {
    const mark = row.querySelector(".verdict");
    return {
      row,
      mark,
      kind: KINDS.find((kind) => mark.classList.contains(kind)),
      part: row.querySelector("td:last-child a").textContent,
    };
  });
  const chosen = new Set();
  const filter = element("div", { class: "ledger-filter", role: "group", "aria-label": "Which rows are shown" });
  const parts = element("select", { "aria-label": "Part of the book" });
  const told = element("output");
  const show = () => {
    for (const { row, kind, part } of rows)
      row.hidden = (chosen.size && !chosen.has(kind)) || (parts.value && parts.value !== part);
    told.textContent = `${rows.filter(({ row }) => !row.hidden).length} of ${rows.length}`;
  };
  for (const kind of KINDS) {
    const these = rows.filter((row) => row.kind === kind);
    if (!these.length) continue;
    const button = element(
      "button",
      { type: "button", "aria-pressed": "false", class: `verdict ${kind}` },
      these[0].mark.textContent.replace(" ", ` ${these.length} `),
    );
    button.addEventListener("click", () => {
      if (!chosen.delete(kind)) chosen.add(kind);
      button.setAttribute("aria-pressed", chosen.has(kind));
      show();
    });
    filter.append(button);
  }
  parts.append(element("option", { value: "" }, "all parts"));
  for (const part of new Set(rows.map((row) => row.part))) parts.append(element("option", { value: part }, part));
  parts.addEventListener("change", show);
  filter.append(parts, told);
  (table.closest(".pst-scrollable-table-container") ?? table).before(filter);
  show();
}

document.querySelectorAll("table.betavae-ledger").forEach(start);
