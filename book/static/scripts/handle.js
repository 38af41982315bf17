// A network's latents with a handle that turns them: q of some images against their exact posteriors; TIE, which
// changes as they turn; and the terms of the objective, which do not. Labelled images turn them by maximum likelihood.

import { element as anyElement, svgElement as element, tell } from "./controls.js";
import { drawPanel, ellipses, number } from "./plot.js";
import { apply, best, determinant, drawn, fromLabels, read, terms, tie, turned, turnFrom } from "./turning.js";

const UNIT = 40, // of the drawing to one standard deviation of a source
  RIM = 134, // radius on which the handle goes
  EDGE = 150,
  LEAP = 15, // degrees that an arrow key moves with Shift; else one
  SURE = 2; // nats below which labels may mistake a mirror image for the turn
const NAMES = { objective: "objective", reconstruction: "R", kl_prior: "C", elbo: "ELBO" };
const fixed = (value, digits = 4) => value.toFixed(digits).replace("-", "−");
const degrees = (angle) => `${fixed(angle, 0).replace(/^−0$/, "0")}°`;
const wrapped = (angle) => angle - 360 * Math.ceil((angle - 180) / 360);
const place = ([x, y]) => [x * UNIT, -y * UNIT];
const onRim = (angle, radius = RIM) => {
  const radians = (angle * Math.PI) / 180;
  return `${(radius * Math.cos(radians)).toFixed(2)},${(-radius * Math.sin(radians)).toFixed(2)}`;
};

/** The plane: exact posteriors stay, q turns; on the rim the handle. `moved` hears of angles. */
function mapOf(data, moved) {
  const root = element("svg", {
    viewBox: `${-EDGE} ${-EDGE} ${2 * EDGE} ${2 * EDGE}`,
    class: "map",
    role: "slider",
    tabindex: 0,
    "aria-label": "Turn of the latents, in degrees",
    "aria-valuemin": -180,
    "aria-valuemax": 180,
  });
  const R = data.reach * UNIT;
  root.append(element("circle", { r: R, class: "ground" }));
  root.append(element("path", { d: `M${-R},0 H${R} M0,${-R} V${R}`, class: "axis" }));
  const q = element("g"),
    told = element("g", { class: "told" }),
    dial = element("g", { class: "dial" });
  root.append(
    ...data.images.flatMap(({ exact }) => ellipses(place(exact), data.covariance, UNIT, "exact").slice(0, 1)),
  );
  root.append(told, q);
  root.append(
    element("text", { x: EDGE, y: EDGE - 4, "text-anchor": "end" }, "source 1 →"),
    element("text", { x: -EDGE, y: 12 - EDGE }, "source 2 ↑"),
  );
  const knob = element("circle", { r: 11, class: "knob" }),
    arm = element("path", { class: "arm" });
  dial.append(
    element("circle", { r: RIM, class: "rim" }),
    element("circle", { r: RIM, class: "grip" }),
    element("path", { d: `M${onRim(0, RIM - 8)} L${onRim(0, RIM + 8)}`, class: "tick" }),
    arm,
    knob,
  );
  root.append(dial);
  const angleAt = ({ clientX, clientY }) => {
    const box = root.getBoundingClientRect();
    const [x, y] = [clientX - box.left - box.width / 2, box.top + box.height / 2 - clientY];
    return Math.round((Math.atan2(y, x) * 180) / Math.PI);
  };
  let held = null; // the pointer that does: a second finger turns nothing
  dial.addEventListener("pointerdown", (event) => {
    if (event.button || held !== null) return;
    held = event.pointerId;
    dial.setPointerCapture(held);
    moved(angleAt(event));
  });
  dial.addEventListener("pointermove", (event) => event.pointerId === held && moved(angleAt(event)));
  for (const end of ["pointerup", "pointercancel"])
    dial.addEventListener(end, (event) => {
      if (event.pointerId === held) held = null;
    });
  // else the page scrolls and takes the finger away: touch-action on a part of a drawing does not prevent it
  dial.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  const show = (T, angle, labelled) => {
    q.replaceChildren(
      ...data.images.flatMap((image) =>
        ellipses(place(apply(T, image.mean)), turned(T, image.covariance), UNIT, "q").slice(0, 1),
      ),
    );
    told.replaceChildren(
      ...labelled.map(({ mean, source }) => {
        const [x, y] = place(source);
        return element("path", { d: `M${place(apply(T, mean))} L${x},${y} M${x - 5},${y} h10 M${x},${y - 5} v10` });
      }),
    );
    const [x, y] = onRim(angle).split(",");
    knob.setAttribute("cx", x);
    knob.setAttribute("cy", y);
    arm.setAttribute("d", `M${onRim(angle, R)} L${onRim(angle)}`);
  };
  return { root, show };
}

/** TIE over the angle, for the latents as they are and mirrored; `moved` hears of angles that are pointed at. */
function curveOf(data, moved) {
  const root = anyElement("div", { class: "asked" }),
    svg = element("svg", { class: "frame", role: "img", "aria-label": "TIE over the angle" });
  root.append(anyElement("p", { class: "title" }, "TIE over the angle, nats"), svg);
  const angles = Array.from({ length: 181 }, (_, i) => 2 * i - 180);
  const curve = (name, sign, colour, line) => ({
    name,
    beta: angles,
    value: angles.map((angle) => tie(data, turnFrom(angle, sign, data.trained))),
    colour,
    line,
  });
  const curves = { 1: curve("as it is", 1, "blue", "-"), "-1": curve("mirrored", -1, "orange", "--") };
  let panel;
  const draw = () => {
    panel = drawPanel(svg, {
      linear: true,
      stops: [-180, -90, 0, 90, 180],
      variable: "degrees; dashed: mirrored",
      floor: 0,
      marks: [{ beta: 0, label: "as trained", colour: "grey" }],
      curves: [curves[1], curves[-1]],
    });
  };
  const show = (angle, sign) => {
    if (!panel) return;
    const at = 2 * Math.round(angle / 2);
    panel.show(at); // on both curves; the one that counts is filled
    const filled = [...svg.querySelectorAll(".now circle")][sign > 0 ? 0 : 1];
    if (filled) filled.classList.add("here");
  };
  svg.addEventListener("click", ({ clientX, clientY }) => {
    const box = svg.getBoundingClientRect();
    moved(panel.betaAt(clientX - box.left, clientY - box.top));
  });
  return { root, draw, show };
}

/** Labelled images as pictures with their sources. */
function listLabelled(list, data, sheet, chosen) {
  const { side, row } = data;
  list.replaceChildren(
    ...chosen.map((i) => {
      const item = anyElement("li", { "data-image": i }),
        sources = data.pool[i].source.map((value, j) => `${["s₁", "s₂"][j]} ${fixed(value, 2)}`);
      const canvas = anyElement("canvas", { width: side, height: side, role: "img", "aria-label": `Image ${i + 1}` });
      const corner = [(i % row) * side, Math.floor(i / row) * side];
      sheet.decode().then(() => canvas.getContext("2d").drawImage(sheet, ...corner, side, side, 0, 0, side, side));
      item.append(canvas, ...sources.map((text) => anyElement("span", {}, text)));
      return item;
    }),
  );
}

const button = (text, pressed) => {
  const found = anyElement("button", { type: "button" }, text);
  found.addEventListener("click", pressed);
  return found;
};
const plural = (count) => `${count} label${count > 1 ? "s" : ""}`;

/** How many labels there are before a reader chooses. */
const usual = (data) => data.offered.at(-2);

/** What labels did, in words. */
function wordsOf(data, state, after, before) {
  if (!state.count && !state.angle && state.sign > 0)
    return `As trained. Drag the handle on the rim, or let labels turn it: ${usual(data)} uses those below.`;
  if (!state.count)
    return (
      `${state.sign > 0 ? "Turned by hand" : state.angle ? "Turned and mirrored" : "Mirrored"}. ` +
      `The best turn of all leaves ${number(tie(data, best(data)))}\u00a0nats.`
    );
  const way = after < before ? "falls" : "rises";
  const one = state.count === 1,
    doubt = one
      ? "One label cannot tell a turn from a mirror image; this is the turn."
      : `They prefer this to its best mirror image by ${number(state.margin)}\u00a0nats` +
        `${state.margin < SURE ? ", too little to rely on." : "."}`;
  return (
    `${plural(state.count)} turn${one ? "s" : ""} the latents by ${degrees(state.angle)}` +
    `${state.sign > 0 ? "" : " and mirror them"}: ` +
    `TIE of the ${data.judged} other images ${way} from ${number(before)} to ${number(after)}\u00a0nats. ${doubt}`
  );
}

function start(root) {
  const data = JSON.parse(root.querySelector("script").textContent),
    before = tie(data, data.trained),
    sheet = new Image();
  sheet.src = data.sheet;
  const state = { angle: 0, sign: 1, count: 0, draw: 0, chosen: [], margin: NaN };
  const live = anyElement("div", { class: "live" }),
    aside = anyElement("div"),
    error = anyElement("b"),
    line = anyElement("dl", { class: "still" }),
    list = anyElement("ol", { class: "labelled" }),
    words = anyElement("p", { class: "readout", "aria-live": "polite" });

  function byHand(angle, sign = state.sign) {
    Object.assign(state, { angle: wrapped(angle), sign, count: 0, chosen: [] });
    show();
  }
  function byLabels(count, draw = state.draw) {
    const chosen = drawn(draw, count, data.pool.length),
      labelled = chosen.map((i) => data.pool[i]),
      { turn, margin } = fromLabels(labelled, Math.sign(determinant(data.trained)));
    Object.assign(state, read(turn, data.trained), { count, draw, chosen, margin });
    show();
  }
  const map = mapOf(data, byHand),
    curve = root.dataset.size === "small" ? null : curveOf(data, byHand);

  let listed = null;
  function show() {
    const T = turnFrom(state.angle, state.sign, data.trained),
      after = tie(data, T),
      values = terms(data, T);
    // before labels turn anything, those are shown that would
    const chosen = state.count ? state.chosen : drawn(state.draw, usual(data), data.pool.length);
    map.show(
      T,
      state.angle,
      chosen.map((i) => data.pool[i]),
    );
    map.root.setAttribute("aria-valuenow", Math.round(10 * state.angle) / 10);
    const mirrored = state.sign < 0 ? ", mirrored" : "";
    map.root.setAttribute("aria-valuetext", `${degrees(state.angle)}${mirrored}, TIE ${fixed(after)}\u00a0nats`);
    error.textContent = fixed(after);
    for (const [name, value] of Object.entries(values))
      line.querySelector(`[data-term=${name}]`).textContent = fixed(value);
    counts.forEach((one, i) => one.setAttribute("aria-pressed", data.offered[i] === state.count));
    mirror.setAttribute("aria-pressed", state.sign < 0);
    if (listed !== String(chosen)) listLabelled(list, data, sheet, chosen);
    listed = String(chosen);
    tell(words, wordsOf(data, state, after, before));
    curve?.show(state.angle, state.sign);
  }

  const counts = data.offered.map((count) => button(String(count), () => byLabels(count))),
    mirror = button("mirrored", () => byHand(state.angle, -state.sign));
  counts.forEach((one, i) => one.setAttribute("aria-label", plural(data.offered[i])));
  const choice = anyElement("div", { class: "choice", role: "group", "aria-label": "Labels that turn the latents" });
  choice.append(...counts, anyElement("span", {}, "labels"));
  const others = anyElement("div", { class: "choice" });
  others.append(
    button("other labels", () => byLabels(state.count || usual(data), state.draw + 1)),
    button("as trained", () => byHand(0, 1)),
    mirror,
  );
  const headline = anyElement("p", { class: "headline" }, "TIE ");
  headline.append(error, "\u00a0nats", anyElement("small", {}, `as trained ${fixed(before)}`));
  for (const [name, label] of Object.entries(NAMES)) {
    const pair = anyElement("div");
    pair.append(anyElement("dt", {}, label), anyElement("dd", { "data-term": name }));
    line.append(pair);
  }
  const key = anyElement("p", { class: "key" });
  key.append(
    anyElement("span", { class: "q" }, "q of other images, one standard deviation"),
    anyElement("span", { class: "exact" }, "exact posterior"),
    anyElement("span", { class: "told" }, "from the mean of a labelled image to its label (+)"),
  );
  const heading = anyElement("p", {}, "What training sees does not change with a turn, in nats:");
  aside.append(headline, heading, line, choice, others, words);
  live.append(map.root, aside, key, list);
  if (curve) live.append(curve.root);
  map.root.addEventListener("keydown", (event) => {
    const far = event.shiftKey || event.key.startsWith("Page") ? LEAP : 1;
    const moves = { ArrowLeft: -far, ArrowDown: -far, PageDown: -far, ArrowRight: far, ArrowUp: far, PageUp: far };
    if (!(event.key in moves || event.key === "Home") || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    byHand(event.key === "Home" ? 0 : Math.round(state.angle) + moves[event.key]);
  });
  root.append(live);
  root.classList.add("moves");
  show();
  if (curve)
    new ResizeObserver(() => {
      curve.draw();
      curve.show(state.angle, state.sign);
    }).observe(curve.root);
}

if (typeof document !== "undefined") document.querySelectorAll(".turning").forEach(start);
