// SVG drawing at the size of the screen: curves over a logarithmic β axis, their values at one β, ellipses in a plane.

import { element as anyElement, svgElement as element } from "./controls.js";
import { aroundPoint, besideLine, placed } from "./labels.js";

const HEIGHT = 190,
  TOP = 8,
  BOTTOM = 34,
  RIGHT = 16,
  DIGIT = 8; // CSS pixels; text is 12 of them tall
const DASHES = { "--": "6 4", ":": "2 3", "-.": "7 3 2 3" }; // by how matplotlib names a line
const finite = Number.isFinite;

/** A number as the page writes it: so many digits, a true minus sign, powers of ten where it is tiny or huge. */
export function number(value, digits = 3) {
  if (!finite(value)) return "–";
  const size = Math.abs(value) < 1e-12 ? 0 : Math.abs(value); // a rounding error is zero
  const rounded = size && Number(value.toPrecision(digits));
  return (size && (size < 0.001 || size >= 1e6) ? rounded.toExponential() : String(rounded)).replaceAll("-", "−");
}

/** The β of all curves of a panel, in order. */
export const grid = (panel) =>
  [...new Set(panel.curves.flatMap((curve) => curve.beta))]
    .filter((beta) => beta > 0 || panel.linear)
    .sort((a, b) => a - b);

/** The place in `betas` of the one nearest to β, as a ratio or, on a linear axis, as a difference. */
export function nearest(betas, beta, linear = false) {
  if (betas.includes(beta)) return betas.indexOf(beta); // 0 too, which has no ratio to another
  const away = betas.map((b) => Math.abs(linear ? b - beta : Math.log(b / beta)));
  return away.indexOf(Math.min(...away));
}

/** Whether a curve has one value at every β, and so stands across nothing at any. */
export const isLevel = (curve) => curve.beta.every((beta) => beta === null);

/** Value and range of a curve at a β of its own, else undefined. */
export function at(curve, beta) {
  if (isLevel(curve)) return { value: curve.value[0] };
  const i = curve.beta.indexOf(beta);
  if (i < 0 || !finite(curve.value[i])) return undefined;
  return { value: curve.value[i], low: curve.low?.[i], high: curve.high?.[i], across: curve.across?.[i] };
}

/** Round numbers between two: steps of 1, 2 or 5; beyond `bend` powers of ten. */
function ticks(low, high, bend) {
  if (bend && Math.max(-low, high) > 2 * bend) {
    const powers = Array.from({ length: 9 }, (_, i) => bend * 10 ** i);
    const all = [...powers.map((p) => -p).reverse(), 0, ...powers].filter((value) => value >= low && value <= high);
    return all.length > 6
      ? all.filter((value) => value === 0 || Math.round(Math.log10(Math.abs(value) / bend)) % 2 === 0)
      : all;
  }
  const rough = (high - low) / 5,
    power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const count = Math.floor(high / step) - Math.ceil(low / step) + 1;
  return Array.from({ length: count }, (_, i) => Number(((Math.ceil(low / step) + i) * step).toPrecision(12)));
}

/** The horizontal axis: from where to where, as `position` of what is drawn at each β or across, and its ticks. */
function base(panel, betas) {
  if (panel.linear) {
    const [low, high] = [betas[0], betas.at(-1)];
    return { position: (value) => value, low, high, columns: panel.stops ?? ticks(low, high) };
  }
  if (!panel.across) {
    const decades = Array.from({ length: 13 }, (_, i) => 10 ** (i - 6)),
      last = betas.at(-1);
    const few = last / betas[0] < 30 ? decades.flatMap((power) => [power, 2 * power, 5 * power]) : decades;
    return {
      position: Math.log,
      low: Math.log(betas[0]),
      high: Math.log(last),
      columns: few.filter((b) => b >= 0.999 * betas[0] && b <= 1.001 * last),
    };
  }
  const all = panel.curves.flatMap((curve) => curve.across).filter(finite),
    low = Math.min(...all),
    high = Math.max(...all);
  const room = 0.04 * (high - low || 1);
  return { position: (value) => value, low: low - room, high: high + room, columns: ticks(low, high) };
}

/** Scales of a panel in an SVG so wide: x and y of a value, and the ticks of both axes. */
function scales(panel, width) {
  const betas = grid(panel),
    { position, low, high, columns } = base(panel, betas);
  const all = panel.curves.flatMap((curve) => [curve.value, curve.low ?? [], curve.high ?? []].flat()).filter(finite);
  const { bend, floor } = panel;
  const bent = (value) =>
    !bend || Math.abs(value) <= bend
      ? value / (bend || 1)
      : Math.sign(value) * (1 + Math.log10(Math.abs(value) / bend));
  const least = finite(floor) ? floor : Math.min(...all),
    most = Math.max(...all, least);
  const span = bent(most) - bent(least) < 1e-9 ? 1 : bent(most) - bent(least);
  const bottom = bent(least) - (finite(floor) ? 0 : 0.06 * span),
    top = bent(least) + 1.06 * span;
  const unbent = (value) =>
    bend * (Math.abs(value) <= 1 ? value : Math.sign(value) * 10 ** (Math.abs(value) - 1));
  const rows = bend ? ticks(unbent(bottom), unbent(top), bend) : ticks(least, least + span),
    left = 8 + DIGIT * Math.max(...rows.map((row) => number(row).length), 2);
  const across = (width - left - RIGHT) / (high - low || 1);
  return {
    betas,
    left,
    rows,
    columns,
    x: (value) => left + (position(value) - low) * across,
    y: (value) => HEIGHT - BOTTOM - ((bent(value) - bottom) / (top - bottom)) * (HEIGHT - TOP - BOTTOM),
  };
}

/** What is drawn of a panel's curves: lines, with bands as their edges and bars across them, and boxes of points. */
function inkOf(panel, x, y) {
  const lines = [],
    points = [];
  for (const curve of panel.curves) {
    const run = (values) => values.map((value, i) => [x((curve.across ?? curve.beta)[i]), y(value)]),
      edges = curve.low ? [run(curve.low), run(curve.high)] : [];
    if (edges.length) lines.push(...edges, ...edges[0].map((low, i) => [low, edges[1][i]]));
    if (curve.line !== "o") lines.push(run(curve.value));
    if (curve.line.includes("o"))
      for (const [cx, cy] of run(curve.value))
        points.push({ left: cx - 4, right: cx + 4, top: cy - 4, bottom: cy + 4 });
  }
  return { lines, points };
}

/** Replace the content of an SVG by a panel; returns its scales and `show`, which moves the mark to a β. */
export function drawPanel(svg, panel, networks = false, space = svg.clientWidth) {
  const width = Math.max(space, 160),
    found = scales(panel, width),
    { x, y, left } = found;
  const add = (name, attributes, text) => svg.appendChild(element(name, attributes, text));
  // β = 0 has none
  const place = (b, value) => (finite(x(b)) && finite(value) ? `${x(b).toFixed(1)},${y(value).toFixed(1)}` : "");
  const path = (betas, values) =>
    betas
      .map((b, i) => place(b, values[i]))
      .filter(Boolean)
      .join(" ");
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("height", HEIGHT);
  svg.replaceChildren();
  if (panel.shade)
    add("rect", {
      x: x(panel.shade[0]),
      width: x(panel.shade[1]) - x(panel.shade[0]),
      y: TOP,
      height: HEIGHT - TOP - BOTTOM,
      class: "shade green",
    });
  for (const value of found.rows) {
    add("path", { d: `M${left},${y(value)} H${width - RIGHT}`, class: "grid" });
    add("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, number(value));
  }
  for (const beta of found.columns)
    add("text", { x: x(beta), y: HEIGHT - BOTTOM + 15, "text-anchor": "middle" }, number(beta));
  add("path", { d: `M${left},${TOP} V${HEIGHT - BOTTOM} H${width - RIGHT}`, class: "axis" });
  add(
    "text",
    { x: (left + width - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" },
    panel.across ?? panel.variable ?? "β",
  );
  for (const curve of panel.curves.filter((c) => c.low && c.line !== "o")) {
    add("polygon", {
      points: `${path(curve.beta, curve.low)} ${path([...curve.beta].reverse(), [...curve.high].reverse())}`,
      class: `band ${curve.colour}`,
    });
  }
  for (const curve of panel.curves) {
    const points = path(curve.across ?? curve.beta, curve.value);
    if (networks && curve.networks && curve.line !== "o") {
      const dots = curve.networks.flatMap((values) =>
        values.map((value, i) => y(value) >= TOP && y(value) <= HEIGHT - BOTTOM && place(curve.beta[i], value)),
      );
      add("path", { d: dots.filter(Boolean).map((at) => `M${at}h0`).join(""), class: `network ${curve.colour}` });
    }
    if (curve.line !== "o")
      add("polyline", { points, class: `curve ${curve.colour}`, "stroke-dasharray": DASHES[curve.line] ?? "none" });
    if (curve.line === "o" && curve.low) {
      curve.beta.forEach((b, i) => {
        const [low, mean, high] = [curve.low, curve.value, curve.high].map((values) => place(b, values[i]));
        if (low && high && low !== high)
          add("path", { d: `M${low} L${high} M${mean} m-5,0 h10`, class: `curve ${curve.colour}` });
      });
    }
    const dots =
      curve.line === "o" && curve.networks
        ? curve.networks.map((values) => path(curve.beta, values))
        : curve.line.includes("o")
          ? [points]
          : [];
    for (const point of dots.join(" ").split(" ").filter(Boolean))
      add("circle", { cx: point.split(",")[0], cy: point.split(",")[1], r: 3, class: `dot ${curve.colour}` });
  }
  for (const [betas, height, side] of [
    [panel.off?.above ?? [], TOP, 1],
    [panel.off?.below ?? [], HEIGHT - BOTTOM, -1],
  ])
    for (const beta of betas)
      add("path", { d: `M${x(beta)},${height - 4 * side} l-4,${6 * side} h8 z`, class: "off" });
  const marks = panel.marks.filter(({ beta }) => beta >= found.betas[0] && beta <= found.betas.at(-1)),
    upright = (beta) => [TOP, HEIGHT - BOTTOM].map((height) => [x(beta), height]);
  for (const { beta, colour } of marks)
    add("path", { d: `M${x(beta)},${TOP} V${HEIGHT - BOTTOM}`, class: `mark ${colour}` });
  const now = add("g", { class: "now" }),
    named = add("g", { class: panel.across ? "named points" : "named" }); // above what they may have to lie on
  /** Write the labels where neither curves nor marks are, nor the line of the chosen β. */
  const name = (chosen) => {
    const { lines, points } = inkOf(panel, x, y);
    const labels = [
      ...marks.map(({ beta, label }) => besideLine(label.replace("\n", " "), x(beta), TOP, HEIGHT - BOTTOM)),
      ...(panel.tags ?? []).flatMap((beta) => {
        const { value, across } = at(panel.curves[0], beta) ?? {};
        return finite(value) ? [aroundPoint(number(beta), x(across), y(value))] : [];
      }),
    ];
    const uprights = [...marks.map(({ beta }) => beta), ...(panel.across ? [] : [chosen])].map(upright);
    const frame = { left: left + 2, right: width, top: 0, bottom: HEIGHT - BOTTOM };
    for (const { text, attributes } of placed(labels, frame, [...lines, ...uprights], points))
      named.append(element("text", attributes, text));
  };
  const show = (beta) => {
    if (!named.childNodes.length) name(beta); // once: labels do not move with a pointer
    now.replaceChildren();
    if (!panel.across) now.append(element("path", { d: `M${x(beta)},${TOP} V${HEIGHT - BOTTOM}`, class: "chosen" }));
    for (const curve of panel.curves) {
      const { value, across } = at(curve, beta) ?? {};
      if (finite(value) && !isLevel(curve))
        now.append(
          element("circle", {
            cx: x(across ?? beta),
            cy: y(value),
            r: panel.across ? 6 : 4,
            class: `dot ${curve.colour}`,
          }),
        );
    }
  };
  /** The β whose mark is nearest to a point of the drawing: nearest in height, too, where curves stand across. */
  const betaAt = (left, top) => {
    const away = (beta) =>
      Math.min(
        ...panel.curves.map((curve) => {
          const { value, across } = at(curve, beta) ?? {};
          return panel.across
            ? finite(value) && !isLevel(curve)
              ? Math.hypot(x(across) - left, y(value) - top)
              : Infinity
            : Math.abs(x(beta) - left);
        }),
      );
    const distances = found.betas.map(away);
    return found.betas[distances.indexOf(Math.min(...distances))];
  };
  return { show, betaAt };
}

/** What each curve of a panel says at a β, as items of a list: its line, its name, its value and range. */
export function listValues(list, panel, beta) {
  list.replaceChildren(
    ...panel.curves.map((curve) => {
      const item = anyElement("li"),
        swatch = element("svg", { class: "swatch", width: 22, height: 10, "aria-hidden": "true" });
      if (curve.line === "o") swatch.append(element("circle", { cx: 11, cy: 5, r: 3, class: `dot ${curve.colour}` }));
      else
        swatch.append(
          element("path", {
            d: "M0,5 H22",
            class: `curve ${curve.colour}`,
            "stroke-dasharray": DASHES[curve.line] ?? "none",
          }),
        );
      const found = at(curve, beta),
        range = found ? rangeOf(found, panel) : besideOf(curve, beta);
      item.append(swatch, anyElement("span", {}, curve.name), anyElement("b", {}, number(found?.value, 4)));
      if (range) item.append(anyElement("small", {}, range));
      return item;
    }),
  );
}

/** What a curve has on either side of a β at which it has nothing: "at 2: 5.26, at 5: 4.4". */
function besideOf(curve, beta) {
  const there = curve.beta.filter((b) => at(curve, b)),
    below = there.filter((b) => b < beta),
    above = there.filter((b) => b > beta);
  const near = [...(below.length ? [Math.max(...below)] : []), ...(above.length ? [Math.min(...above)] : [])];
  return there.length > 1 ? near.map((b) => `at ${number(b, 4)}: ${number(at(curve, b).value)}`).join(", ") : "";
}

/** What else is known of a value: its range, or what it stands across. */
function rangeOf(found, panel) {
  if (finite(found?.across)) return `${panel.across.split(",")[0]} ${number(found.across, 4)}`;
  return finite(found?.low) && found.low < found.high ? `${number(found.low)} to ${number(found.high)}` : "";
}

/** What each curve of a panel says at a β, in words; those that say nothing there are left out. */
export function inWords(panel, beta) {
  const told = panel.curves
    .map((curve) => ({ name: curve.name, found: at(curve, beta) }))
    .filter(({ found }) => found);
  return told
    .map(
      ({ name, found }) =>
        `${name} ${number(found.value, 4)}${rangeOf(found, panel) && ` (${rangeOf(found, panel)})`}`,
    )
    .join("; ");
}

/** One- and two-sigma ellipses of a Gaussian with variances p, r and covariance q, around a place of a drawing. */
export function ellipses([x, y], [p, q, r], unit, kind) {
  const spread = Math.hypot((p - r) / 2, q),
    centre = (p + r) / 2,
    turn = ((-Math.atan2(2 * q, p - r) / 2) * 180) / Math.PI;
  return [1, 2].map((sigmas) =>
    element("ellipse", {
      rx: sigmas * Math.sqrt(centre + spread) * unit,
      ry: sigmas * Math.sqrt(Math.max(centre - spread, 0)) * unit,
      transform: `translate(${x} ${y}) rotate(${turn})`,
      class: `ellipse ${kind}`,
    }),
  );
}

/** Replace the content of an SVG by one- and two-sigma ellipses of Gaussians in the plane of the sources. */
export function drawEllipses(svg, gaussians, source) {
  const size = 240,
    half = 3.2,
    unit = size / (2 * half);
  const x = (value) => (value + half) * unit,
    y = (value) => (half - value) * unit;
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.replaceChildren(
    element("path", { d: `M0,${y(0)} H${size} M${x(0)},0 V${size}`, class: "axis" }),
  );
  for (const { mean, covariance, kind } of gaussians) {
    const [[p, q], [, r]] = covariance;
    svg.append(...ellipses([x(mean[0]), y(mean[1])], [p, q, r], unit, kind));
    svg.append(element("circle", { cx: x(mean[0]), cy: y(mean[1]), r: 2.5, class: `dot ${kind}` }));
  }
  svg.append(element("path", { d: `M${x(source[0]) - 4},${y(source[1])} h8 m-4,-4 v8`, class: "source" }));
  svg.append(
    element("text", { x: size, y: size - 4, "text-anchor": "end" }, "source 1 →"),
    element("text", { x: 0, y: 11 }, "source 2 ↑"),
  );
}
