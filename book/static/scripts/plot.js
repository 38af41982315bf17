// SVG drawing: curves over a logarithmic β axis with marks, and ellipses in the plane of the sources.

import { SVG, element as anyElement } from "./controls.js";

const element = (name, attributes, text = "") => anyElement(name, attributes, text, SVG);

const W = 300, H = 190, LEFT = 44, RIGHT = 8, TOP = 24, BOTTOM = 30;

export function number(value) {
  const size = Math.abs(value);
  const text = size && (size < 0.01 || size >= 10000) ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
}

/** Replace the content of an SVG by curves y(β), labelled marks on the β axis, and a point at β. */
export function drawCurves(svg, title, betas, curves, marks, beta) {
  const logs = [Math.log(betas[0]), Math.log(betas.at(-1))];
  const all = curves.flatMap((curve) => curve.values).filter(Number.isFinite);
  let [low, high] = [Math.min(...all), Math.max(...all)];
  if (high - low < 1e-9) high = low + 1;
  const pad = 0.05 * (high - low);
  const x = (b) => LEFT + (Math.log(b) - logs[0]) / (logs[1] - logs[0]) * (W - LEFT - RIGHT);
  const y = (value) => H - BOTTOM - (value - low + pad) / (high - low + 2 * pad) * (H - TOP - BOTTOM);
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.replaceChildren(element("text", { x: 4, y: 14, class: "title" }, title));
  const axis = `M${LEFT},${TOP} V${H - BOTTOM} H${W - RIGHT}`;
  svg.append(element("path", { d: axis, class: "axis" }));
  for (const value of [low, (low + high) / 2, high]) {
    svg.append(element("text", { x: LEFT - 4, y: y(value) + 3, class: "tick", "text-anchor": "end" }, number(value)));
  }
  for (let e = Math.ceil(logs[0] / Math.LN10 - 1e-9); e <= logs[1] / Math.LN10 + 1e-9; e++) {
    const at = x(10 ** e);
    svg.append(element("text", { x: at, y: H - BOTTOM + 12, class: "tick", "text-anchor": "middle" }, number(10 ** e)));
  }
  svg.append(element("text", { x: W - RIGHT, y: H - 4, class: "tick", "text-anchor": "end" }, "β"));
  marks.forEach(({ at, label, kind }, i) => {
    if (at < betas[0] || at > betas.at(-1)) return;
    svg.append(element("line", { x1: x(at), x2: x(at), y1: TOP, y2: H - BOTTOM, class: `mark ${kind}` }));
    svg.append(element("text", { x: x(at) + 2, y: TOP + 8 + 10 * (i % 4), class: `tick ${kind}` }, label));
  });
  for (const { values, kind, label } of curves) {
    const points = values.map((value, i) => `${x(betas[i]).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    svg.append(element("polyline", { points, class: `curve ${kind}` }));
    if (label) svg.append(element("text", { x: LEFT + 4, y: y(values[0]) - 4, class: `tick ${kind}` }, label));
  }
  for (const { kind, now } of curves) svg.append(element("circle", { cx: x(beta), cy: y(now), r: 3.5, class: `dot ${kind}` }));
}

/** Replace the content of an SVG by one- and two-sigma ellipses of Gaussians in the plane of the sources. */
export function drawEllipses(svg, gaussians, source) {
  const size = 240, half = 3.2, unit = size / (2 * half);
  const x = (value) => (value + half) * unit, y = (value) => (half - value) * unit;
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.replaceChildren(
    element("path", { d: `M0,${y(0)} H${size} M${x(0)},0 V${size}`, class: "axis" }),
    element("text", { x: size - 4, y: y(0) - 4, class: "tick", "text-anchor": "end" }, "source 1"),
    element("text", { x: x(0) + 4, y: 10, class: "tick" }, "source 2"),
  );
  for (const { mean, covariance, kind } of gaussians) {
    const [[p, q], [, r]] = covariance, spread = Math.hypot((p - r) / 2, q), centre = (p + r) / 2;
    const turn = -Math.atan2(2 * q, p - r) / 2 * 180 / Math.PI;
    for (const sigmas of [1, 2]) {
      svg.append(element("ellipse", {
        rx: sigmas * Math.sqrt(centre + spread) * unit, ry: sigmas * Math.sqrt(Math.max(centre - spread, 0)) * unit,
        transform: `translate(${x(mean[0])} ${y(mean[1])}) rotate(${turn})`, class: `ellipse ${kind}`,
      }));
    }
    svg.append(element("circle", { cx: x(mean[0]), cy: y(mean[1]), r: 2.5, class: `dot ${kind}` }));
  }
  svg.append(element("path", { d: `M${x(source[0]) - 4},${y(source[1])} h8 m-4,-4 v8`, class: "source" }));
}
