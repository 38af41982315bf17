// Figures of curves that can be asked, drawn from the numbers beside them in place of the static picture. Pointing at
// a panel shows the values there; a click, a touch or the arrow keys choose the β of the page. A panel over another
// quantity has a place of its own.

import { choose, follow } from "./beta.js";
import { element, svgElement } from "./controls.js";
import { at, drawPanel, grid, inWords, isLevel, listValues, nearest, number } from "./plot.js";

const STEPS = 100; // key presses across the longest grid

const titled = (panel) => [panel.title, panel.unit].filter(Boolean).join(", ");

/** What a panel is over, and in which unit. */
const variable = (panel) => (panel.variable ?? "β").split(", ");

/** One panel: a slider over its grid of β that draws the panel, with its values below. */
function panelOf(panel, preview, pick) {
  const root = element("div", { class: "asked" }),
    betas = grid(panel),
    [name, unit = ""] = variable(panel),
    step = Math.ceil(betas.length / STEPS);
  const title = element("p", { class: "title" }, titled(panel));
  const frame = element("div", {
    class: "frame",
    role: "slider",
    tabindex: 0,
    "aria-label": `${name} of ${title.textContent}`,
    "aria-valuemin": 0,
    "aria-valuemax": betas.length - 1,
  });
  const heading = element("p", { class: "at" }),
    list = element("ul", { class: "values" });
  const svg = frame.appendChild(svgElement("svg", { "aria-hidden": "true" }));
  const head = element("div", { class: "head" });
  head.append(heading, element("small", {}, panel.off.told));
  root.append(title, frame, head, list);
  let drawn,
    index = 0,
    kept = 0, // where keys go on from, wherever the mouse rests
    held = null; // the pointer that was pressed here: text may be selected over a panel
  const show = (beta, previewed = false) => {
    index = nearest(betas, beta, panel.linear);
    if (!previewed) kept = index;
    const place = `${name} = ${number(betas[index], 4)} ${unit}`.trim();
    heading.textContent = `at ${place}`;
    listValues(list, panel, betas[index]);
    drawn?.show(betas[index]);
    frame.setAttribute("aria-valuenow", index);
    frame.setAttribute("aria-valuetext", `${place}: ${inWords(panel, betas[index])}`);
  };
  const pointed = (event) => {
    const box = svg.getBoundingClientRect();
    return drawn.betaAt(event.clientX - box.left, event.clientY - box.top);
  };
  frame.addEventListener("pointermove", (event) => preview(pointed(event)));
  frame.addEventListener("pointerdown", (event) => (held = event.button ? null : event.pointerId));
  frame.addEventListener("pointerup", (event) => event.pointerId === held && pick(pointed(event)));
  // a finger that scrolls chooses nothing
  for (const end of ["pointerleave", "pointercancel"])
    frame.addEventListener(end, () => {
      held = null;
      preview(null);
    });
  frame.addEventListener("keydown", (event) => {
    const last = betas.length - 1,
      far = Math.ceil(last / 8);
    const moves = {
      ArrowRight: step,
      ArrowUp: step,
      ArrowLeft: -step,
      ArrowDown: -step,
      PageUp: far,
      PageDown: -far,
      Home: -last,
      End: last,
    };
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    pick(betas[Math.min(last, Math.max(0, kept + moves[event.key]))]);
  });
  return {
    root,
    show,
    draw: (networks) => {
      drawn = drawPanel(svg, panel, networks);
      drawn.show(betas[index]);
    },
  };
}

/** A panel over a quantity of its own, with a place of its own on it. */
function alone(panel) {
  let chosen = panel.start ?? grid(panel)[Math.floor(grid(panel).length / 2)];
  const view = panelOf(
    panel,
    (value) => view.show(value ?? chosen, value !== null),
    (value) => view.show((chosen = value)),
  );
  view.show(chosen);
  return view;
}

/** Rows of the numbers of a panel, as written: β, then each curve's value and, where it has one, its range. */
function rowsOf(panel) {
  const written = (value) => number(value ?? null, 4);
  const extra = (curve) => (curve.low ? ["its band"] : curve.across && !isLevel(curve) ? [panel.across] : []);
  const header = [variable(panel).join(", "), ...panel.curves.flatMap((curve) => [curve.name, ...extra(curve)])];
  const cells = (curve, beta) => {
    const { value, low, high, across } = at(curve, beta) ?? {},
      range = Number.isFinite(low) ? `${written(low)} to ${written(high)}` : written(null),
      beside = { "its band": range, [panel.across]: written(across) };
    return [written(value), ...extra(curve).map((what) => beside[what])];
  };
  const rows = grid(panel).map((beta) => [number(beta, 6), ...panel.curves.flatMap((curve) => cells(curve, beta))]);
  return { header, rows };
}

function tableOf(panel) {
  const { header, rows } = rowsOf(panel),
    box = element("div", {
      class: "numbers",
      tabindex: 0,
      role: "region",
      "aria-label": `Numbers of ${titled(panel)}`,
    });
  const table = box.appendChild(element("table")),
    line = (cells, name) => {
      const row = element("tr");
      row.append(
        ...cells.map((cell, i) =>
          element(name ?? (i ? "td" : "th"), name ? { scope: "col" } : i ? {} : { scope: "row" }, cell),
        ),
      );
      return row;
    };
  const head = element("thead"),
    body = element("tbody");
  head.append(line(header, "th"));
  body.append(...rows.map((row) => line(row)));
  table.append(element("caption", {}, titled(panel)), head, body);
  return box;
}

/** Every number of a figure, single networks too, one a line. */
function csvOf(panels) {
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`,
    lines = [`panel,curve,quantity,${panels.some((panel) => panel.variable) ? "at" : "beta"},value`];
  for (const panel of panels) {
    for (const curve of panel.curves) {
      const add = (quantity, values) =>
        values?.forEach((value, i) =>
          lines.push([quoted(titled(panel)), quoted(curve.name), quantity, curve.beta[i] ?? "", value ?? ""].join(",")),
        );
      add("value", curve.value);
      add("band from", curve.low);
      add("band to", curve.high);
      add(quoted(panel.across ?? ""), curve.across);
      curve.networks?.forEach((values, network) => add(`network ${network}`, values));
    }
  }
  return lines.join("\n") + "\n";
}

function start(holder) {
  const figure = document.getElementById(holder.dataset.figure),
    { start: first, panels } = JSON.parse(holder.textContent);
  const pictures = figure.querySelector(".panels") ?? figure,
    count = Number(holder.dataset.replaced);
  [...pictures.children].slice(0, count).forEach((picture) => picture.classList.add("replaced"));
  const root = element("div", { class: "asking" }),
    flow = element("div", { class: "flow" }),
    tools = element("div", { class: "tools" });
  let chosen = first,
    networks = false;
  const showAll = (beta, previewed = false) =>
    views.forEach((view, i) => panels[i].variable || view.show(beta, previewed));
  const views = panels.map((panel) =>
    panel.variable ? alone(panel) : panelOf(panel, (beta) => showAll(beta ?? chosen, beta !== null), choose),
  );
  const drawAll = () => views.forEach((view) => view.draw(networks));
  flow.append(...views.map((view) => view.root));
  if (panels.some((panel) => panel.curves.some((curve) => curve.networks && curve.line !== "o"))) {
    const toggle = element("button", { type: "button", "aria-pressed": "false" }, "Single networks");
    toggle.addEventListener("click", () => {
      networks = !networks;
      toggle.setAttribute("aria-pressed", networks);
      drawAll();
    });
    tools.append(toggle);
  }
  const link = element("a", { download: `${holder.dataset.figure}.csv`, href: "#" }, "CSV");
  link.addEventListener("click", () => {
    link.href = URL.createObjectURL(new Blob([csvOf(panels)], { type: "text/csv" }));
  });
  const details = element("details"),
    summary = element("summary", {}, "Numbers as a table");
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    details.append(...panels.map(tableOf));
    for (const box of details.querySelectorAll(".numbers"))
      if (box.scrollHeight > box.clientHeight)
        box.querySelector("caption").append(`: ${box.querySelectorAll("tbody tr").length} rows, scroll`);
  });
  tools.append(link, details);
  root.append(flow, tools);
  (pictures === figure ? figure.firstChild : pictures).before(root);
  follow((beta) => {
    chosen = beta;
    showAll(beta);
  });
  showAll(chosen);
  new ResizeObserver(drawAll).observe(flow);
}

document.querySelectorAll(".curves").forEach(start);
