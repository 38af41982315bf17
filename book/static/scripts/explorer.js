// The explorer: controls, their state in the address, and what they show. A page asks for it with
// <div class="explorer" data-size="full|small" data-beta data-mixing="a,b,c,d" data-noise>.

import { sentences } from "./words.js";
import { optimalBeta, posteriors, spectrum, terms } from "./model.js";
import { SVG, element, slider } from "./controls.js";
import { drawEllipses, drawPanel, listValues, number } from "./plot.js";

const SOURCE = [1, -0.5]; // the sources behind the observation whose posteriors are drawn
const RANGES = { beta: [-2, 2, 0.01], entry: [-3, 3, 0.1], noise: [0.1, 3, 0.05] }; // β by its decimal logarithm
const ENTRIES = ["A₁₁", "A₁₂", "A₂₁", "A₂₂"];
const TERMS = { elbo: "ELBO", tie: "TIE", mie: "MIE", reconstruction: "R", kl_prior: "C" };
const PANELS = [[["elbo"], "ELBO, nats"], [["tie", "mie"], "TIE and MIE, nats"], [["reconstruction"], "R, nats"], [["kl_prior"], "C, nats"]];

/** A state from text such as beta=2&A=2,1,0.5,1.5&sigma=1; whatever is missing or cannot be keeps its default. */
export function parseState(text, defaults) {
  const given = new URLSearchParams(text);
  const inside = (value, [low, high]) => Number.isFinite(value) && value >= low && value <= high;
  const beta = parseFloat(given.get("beta")), noise = parseFloat(given.get("sigma"));
  const entries = (given.get("A") || "").split(",").map(parseFloat);
  return {
    beta: beta > 0 && inside(Math.log10(beta), RANGES.beta) ? beta : defaults.beta,
    noise: inside(noise, RANGES.noise) ? noise : defaults.noise,
    entries: entries.length === 4 && entries.every((value) => inside(value, RANGES.entry)) ? entries : defaults.entries,
  };
}

export const formatState = ({ beta, noise, entries }) => `beta=${Number(beta.toPrecision(6))}&A=${entries.join(",")}&sigma=${noise}`;

function show(root, state) {
  const A = [state.entries.slice(0, 2), state.entries.slice(2)], { beta, noise } = state;
  const found = spectrum(A, noise), best = optimalBeta(A, noise), here = terms(A, noise, beta, found);
  const [low, high] = RANGES.beta;
  const betas = [...Array.from({ length: 241 }, (_, i) => 10 ** (low + (high - low) * i / 240)), beta].sort((a, b) => a - b);
  const all = betas.map((b) => terms(A, noise, b, found));
  const marks = [
    { beta: best, label: "β*", colour: "pink" }, { beta: 1, label: "1", colour: "grey" },
    { beta: found.lambda[0], label: "λ₁", colour: "grey" }, { beta: found.lambda[1], label: "λ₂", colour: "grey" },
  ];
  root.querySelectorAll(".asked").forEach((view, i) => {
    const [names] = PANELS[i], colours = ["blue", "orange"];
    const curves = names.map((name, j) => ({ name: TERMS[name], colour: colours[j], line: "-", beta: betas, value: all.map((t) => t[name]) }));
    const panel = { curves, marks };
    drawPanel(view.querySelector("svg"), panel).show(beta);
    listValues(view.querySelector(".values"), panel, beta);
  });
  const { exact, q } = posteriors(A, noise, beta, SOURCE);
  const plane = root.querySelector("svg.plane"), [[p, c], [, r]] = exact.covariance, correlation = c / Math.sqrt(p * r);
  drawEllipses(plane, [{ ...exact, kind: "orange" }, { ...q, kind: "blue" }], SOURCE);
  plane.setAttribute("aria-label", `Exact posterior of the sources, correlation ${number(correlation)}, and the encoder's, which has none`);
  root.querySelector(".readout").textContent = root.dataset.size === "small" ?
    sentences(beta, here, best, terms(A, noise, best, found), exact.covariance) :
    `β = ${number(beta)}: TIE ${number(here.tie)}, MIE ${number(here.mie)} nats. Least TIE at β* = ${number(best)}. ` +
    `Latents in use: ${here.d2.filter((d) => d > 0).length}. Posterior correlation ${number(correlation)}.` +
    (found.repeated ? " Eigenvalues coincide: the optimum is free to rotate." : "");
}

function start(root) {
  const full = root.dataset.size === "full";
  const defaults = {
    beta: Number(root.dataset.beta), noise: Number(root.dataset.noise), entries: root.dataset.mixing.split(",").map(Number),
  };
  const state = full ? parseState(location.hash.slice(1), defaults) : { ...defaults };
  const controls = element("div", { class: "controls", role: "group", "aria-label": "Parameters of the model" });
  const pictures = element("div", { class: "pictures" });
  const readout = element("p", { class: "readout", "aria-live": "polite" });
  root.replaceChildren(controls, pictures, readout);
  pictures.append(element("svg", { class: "plane", role: "img" }, "", SVG));
  for (const [, title] of full ? PANELS : []) {
    const view = element("div", { class: "asked" });
    view.append(element("p", { class: "title" }, title), element("svg", { "aria-hidden": "true" }, "", SVG), element("ul", { class: "values" }));
    pictures.append(view);
  }
  const changed = () => { show(root, state); };
  const power = (exponent) => number(10 ** exponent);
  const setters = [];
  const control = (label, range, value, text, store) => {
    const { row, set } = slider(label, range, value, text, (next) => { store(next); changed(); });
    controls.append(row);
    setters.push(set);
  };
  control("β", RANGES.beta, Math.log10(state.beta), power, (v) => { state.beta = 10 ** v; });
  if (full) {
    ENTRIES.forEach((label, i) => control(label, RANGES.entry, state.entries[i], number, (v) => {
      state.entries = state.entries.with(i, v);
    }));
    control("σ", RANGES.noise, state.noise, number, (v) => { state.noise = v; });
    const buttons = element("div", { class: "buttons" });
    const share = element("button", { type: "button" }, "Copy a link to this state");
    share.addEventListener("click", async () => {
      history.replaceState(null, "", `#${formatState(state)}`);
      try { await navigator.clipboard.writeText(location.href); share.textContent = "Copied"; }
      catch { share.textContent = "The link is in the address bar"; }
      setTimeout(() => { share.textContent = "Copy a link to this state"; }, 2000);
    });
    const reset = element("button", { type: "button" }, "Reset");
    reset.addEventListener("click", () => {
      Object.assign(state, defaults);
      [Math.log10(state.beta), ...state.entries, state.noise].forEach((value, i) => setters[i](value));
      history.replaceState(null, "", location.pathname);
      changed();
    });
    buttons.append(share, reset);
    controls.append(buttons);
  }
  new ResizeObserver(changed).observe(pictures);
}

if (typeof document !== "undefined") document.querySelectorAll(".explorer").forEach(start);
