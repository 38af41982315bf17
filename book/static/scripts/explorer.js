// The explorer: controls, their state in the address, and what they show. A page asks for it with
// <div class="explorer" data-size="full|small" data-beta data-mixing="a,b,c,d" data-noise>.

import { sentences } from "./words.js";
import { optimalBeta, posteriors, terms } from "./model.js";
import { choice, element, slider, svgElement, tell } from "./controls.js";
import { dial } from "./dial.js";
import { drawEllipses, drawPanel, listValues, number } from "./plot.js";
import { FAMILIES, leastTurned, modelOf, ownAngle, turnedTerms } from "./rotation.js";

const SOURCE = [1, -0.5]; // the sources behind the observation whose posteriors are drawn
// β by its decimal logarithm; wider where a page starts beyond, or has its noise ratio near an end
const RANGES = { beta: [-2, 2, 0.01], entry: [-3, 3, 0.1], noise: [0.1, 3, 0.05], turn: [-45, 45, 0.1] };
const ENTRIES = ["A₁₁", "A₁₂", "A₂₁", "A₂₂"];
const TRAINED = { family: "diagonal", turn: 0 }; // what training makes of a diagonal q: the principal axes
const PANELS = [
  [["elbo"], "ELBO, nats"],
  [["tie", "mie"], "TIE and MIE, nats"],
  [["reconstruction"], "R, nats"],
  [["kl_prior"], "C, nats"],
];
const NAMES = { elbo: "ELBO", tie: "TIE", mie: "MIE", reconstruction: "R", kl_prior: "C" };
const SLIGHT = 1e-12; // part of an eigenvalue, which may be rounding
const degrees = (value) => `${number(value)}°`;

/** A range that holds a value too, by whole steps unless that is none. */
function holding([low, high, step], value) {
  const steps = (round) => Number((round(value / step) * step).toPrecision(9)) || value;
  return [value < low ? steps(Math.floor) : low, value > high ? steps(Math.ceil) : high, step];
}

// a tenth of the noise ratio to ten times it lies within, so that β* does
const aroundRatio = (noise) => [-1, 1].map((decade) => 2 * Math.log10(noise) + decade);

const rangesFor = ({ beta, entries, noise }) => ({
  ...RANGES,
  beta: [Math.log10(beta), ...aroundRatio(noise)].reduce(holding, RANGES.beta),
  entry: entries.reduce(holding, RANGES.entry),
  noise: holding(RANGES.noise, noise),
});

/** A state from text such as beta=2&A=2,1,0.5,1.5&sigma=1&turn=24&q=full; what is missing keeps its default. */
export function parseState(text, defaults) {
  const given = new URLSearchParams(text),
    ranges = rangesFor(defaults);
  const inside = (value, [low, high]) => Number.isFinite(value) && value >= low && value <= high;
  const beta = parseFloat(given.get("beta")),
    noise = parseFloat(given.get("sigma")),
    turn = parseFloat(given.get("turn"));
  const entries = (given.get("A") || "").split(",").map(parseFloat);
  return {
    beta: beta > 0 && inside(Math.log10(beta), ranges.beta) ? beta : defaults.beta,
    noise: inside(noise, ranges.noise) ? noise : defaults.noise,
    entries:
      entries.length === 4 && entries.every((value) => inside(value, ranges.entry)) ? entries : defaults.entries,
    turn: inside(turn, RANGES.turn) ? turn : TRAINED.turn,
    family: FAMILIES.includes(given.get("q")) ? given.get("q") : TRAINED.family,
  };
}

export function formatState({ beta, noise, entries, turn, family }) {
  const turned =
    (turn === TRAINED.turn ? "" : `&turn=${Number(turn.toPrecision(9))}`) +
    (family === TRAINED.family ? "" : `&q=${family}`);
  return `beta=${Number(beta.toPrecision(6))}&A=${entries.join(",")}&sigma=${noise}${turned}`;
}

/** Terms over β at a state's rotation, for a family; where training leads, in closed form. */
function over(A, { noise, turn }, family, betas, found) {
  if (turn === TRAINED.turn && family === TRAINED.family) return betas.map((beta) => terms(A, noise, beta, found));
  return betas.map((beta) => turnedTerms(A, noise, beta, (turn * Math.PI) / 180, family, found));
}

function show(root, state, [low, high]) {
  const A = [state.entries.slice(0, 2), state.entries.slice(2)],
    { beta, noise, turn, family } = state,
    angle = (turn * Math.PI) / 180;
  const found = modelOf(A, noise),
    trained = turn === TRAINED.turn; // where β* is the same for both families
  const best = trained ? optimalBeta(A, noise) : leastTurned(A, noise, angle, family);
  const other = FAMILIES.find((name) => name !== family);
  const betas = [...Array.from({ length: 121 }, (_, i) => 10 ** (low + ((high - low) * i) / 120)), beta].sort(
    (a, b) => a - b,
  );
  const all = over(A, state, family, betas, found),
    here = all[betas.indexOf(beta)];
  const thresholds = [
    { beta: found.lambda[0], label: "λ₁", colour: "grey" },
    { beta: found.lambda[1], label: "λ₂", colour: "grey" },
  ];
  const extremes = {
    elbo: [{ beta: 1, label: "β = 1", colour: "grey" }], // where the ELBO is largest
    tie: [{ beta: best, label: "β*", colour: "pink" }],
  };
  const line = (name, values, colour, dashes = "-") => ({ name, colour, line: dashes, beta: betas, value: values });
  const others = trained ? all : over(A, state, other, betas, found); // at the principal axes the families have one TIE
  // before any is changed
  const views = [...root.querySelectorAll(".asked")],
    widths = views.map((view) => view.querySelector("svg").clientWidth);
  views.forEach((view, i) => {
    const [names] = PANELS[i],
      curves = names.map((name, j) =>
        line(
          NAMES[name],
          all.map((t) => t[name]),
          ["blue", "orange"][j],
        ),
      );
    if (names[0] === "tie")
      curves.push(
        line(
          `TIE, ${other} q`,
          others.map((t) => t.tie),
          "green",
          "--",
        ),
      );
    const panel = { curves, marks: [...(extremes[names[0]] ?? []), ...thresholds] };
    drawPanel(view.querySelector("svg"), panel, false, widths[i]).show(beta);
    listValues(view.querySelector(".values"), panel, beta);
  });
  const plane = root.querySelector("svg.plane"),
    own = (ownAngle(A, noise) * 180) / Math.PI;
  const { exact, q } = posteriors(
    A,
    noise,
    beta,
    SOURCE,
    trained && family === TRAINED.family ? null : turnedTerms(A, noise, beta, angle, family, found).encoder,
  );
  drawEllipses(
    plane,
    [
      { ...exact, kind: "green" },
      { ...q, kind: "blue" },
    ],
    SOURCE,
  );
  root.dial?.(turn, own);
  plane.setAttribute(
    "aria-label",
    `Exact posterior of the sources, correlation ${number(correlation(exact))}, ` +
      `and the encoder's, correlation ${number(correlation(q))}`,
  );
  const used = here.d2.filter((d, i) => d > SLIGHT * found.lambda[i]).length;
  const atOwn = !trained && Math.abs(turn - own) < 0.01;
  const axes = trained
    ? "principal axes, as trained"
    : atOwn
      ? `the sources’ own, ${degrees(own)}`
      : `latents turned by ${degrees(turn)}`;
  tell(
    root.querySelector(".readout"),
    root.dataset.size === "small"
      ? sentences(beta, here, best, terms(A, noise, best, found), exact.covariance)
      : `β = ${number(beta)}: TIE ${number(here.tie)}, MIE ${number(here.mie)} nats. ` +
        `Least TIE ${A.flat().some(Boolean) ? `at β* = ${number(best)}` : `from β = ${number(best)} on`}. ` +
        `${trained ? "Latents" : "Principal axes"} in use: ${used}. ` +
        `Posterior correlation ${number(correlation(exact))}.` +
        (root.dial ? ` Rotation: ${axes}${atOwn ? "" : `; the sources’ own is at ${degrees(own)}`}.` : "") +
        (found.repeated ? " Eigenvalues coincide: the optimum is free to rotate." : ""),
  );
}

const correlation = ({ covariance: [[p, c], [, r]] }) => c / Math.sqrt(p * r);

function start(root) {
  const full = root.dataset.size === "full";
  const defaults = {
    beta: Number(root.dataset.beta),
    noise: Number(root.dataset.noise),
    entries: root.dataset.mixing.split(",").map(Number),
    ...TRAINED,
  };
  const ranges = rangesFor(defaults);
  const state = full ? parseState(location.hash.slice(1), defaults) : { ...defaults };
  const controls = element("div", { class: "controls", role: "group", "aria-label": "Parameters of the model" });
  const pictures = element("div", { class: "pictures" });
  const readout = element("p", { class: "readout", "aria-live": "polite" });
  root.replaceChildren(controls, pictures);
  const key = element("p", { class: "key" });
  key.append(
    element("span", { class: "exact" }, "exact posterior"),
    element("span", { class: "q" }, "encoder"),
    element("span", { class: "true" }, "true sources"),
  );
  pictures.append(key, svgElement("svg", { class: "plane", role: "img" }), readout);
  for (const [, title] of full ? PANELS : []) {
    const view = element("div", { class: "asked" });
    view.append(
      element("p", { class: "title" }, title),
      svgElement("svg", { "aria-hidden": "true" }),
      element("ul", { class: "values" }),
    );
    pictures.append(view);
  }
  const changed = () => {
    show(root, state, ranges.beta);
  };
  const moved = () => {
    // the address, once copied, tells of another state from now on
    if (location.hash.includes("=")) history.replaceState(null, "", location.pathname + location.search);
    changed();
  };
  const power = (exponent) => number(10 ** exponent);
  const setters = [];
  const control = (label, range, value, text, store) => {
    const { row, set } = slider(label, range, value, text, (next) => {
      store(next);
      moved();
    });
    controls.append(row);
    setters.push(set);
  };
  control("β", ranges.beta, Math.log10(state.beta), power, (v) => {
    state.beta = Number((10 ** v).toPrecision(3)); // as it is shown
  });
  if (full) {
    ENTRIES.forEach((label, i) =>
      control(label, ranges.entry, state.entries[i], number, (v) => {
        state.entries = state.entries.with(i, v);
      }),
    );
    control("σ", ranges.noise, state.noise, number, (v) => {
      state.noise = v;
    });
    control("turn", RANGES.turn, state.turn, degrees, (v) => {
      state.turn = v;
    });
    const family = choice("covariance of q", FAMILIES, state.family, (name) => {
      state.family = name;
      moved();
    });
    controls.append(family.row);
    const take = (next) => {
      Object.assign(state, next);
      [Math.log10(state.beta), ...state.entries, state.noise, state.turn].forEach((value, i) => setters[i](value));
      family.set(state.family);
      changed();
    };
    // a state, and no section of the page
    const given = () => location.hash.includes("=") && take(parseState(location.hash.slice(1), defaults));
    addEventListener("hashchange", given);
    if (location.hash.includes("="))
      addEventListener("load", async () => {
        await window.MathJax?.startup?.promise; // until then formulas above change their heights
        root.scrollIntoView();
      });
    const turnTo = (turn) => {
      state.turn = turn;
      setters.at(-1)(turn);
      moved();
    };
    root.dial = dial(pictures.querySelector("svg.plane"), RANGES.turn, turnTo);
    const buttons = element("div", { class: "buttons" });
    const share = element("button", { type: "button" }, "Copy a link to this state");
    share.addEventListener("click", async () => {
      history.replaceState(null, "", `#${formatState(state)}`);
      try {
        await navigator.clipboard.writeText(location.href);
        share.textContent = "Copied";
      } catch {
        share.textContent = "The link is in the address bar";
      }
      setTimeout(() => {
        share.textContent = "Copy a link to this state";
      }, 2000);
    });
    const reset = element("button", { type: "button" }, "Reset");
    reset.addEventListener("click", () => {
      history.replaceState(null, "", location.pathname + location.search);
      take(defaults);
    });
    const own = element("button", { type: "button" }, "Turn to the sources’ own axes");
    own.addEventListener("click", () =>
      turnTo((ownAngle([state.entries.slice(0, 2), state.entries.slice(2)], state.noise) * 180) / Math.PI),
    );
    buttons.append(own, share, reset);
    controls.append(buttons);
  }
  new ResizeObserver(changed).observe(pictures);
}

if (typeof document !== "undefined") document.querySelectorAll(".explorer").forEach(start);
