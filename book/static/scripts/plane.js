// The plane of a network's two latents: a point that the reader moves and the image decoded there, beside the means of
// q coloured by a source, and q and the exact posterior of a chosen image. Decoded images come from a sheet for each β,
// a file that is loaded once the plane comes into view; between the points of its grid the four around are blended.

import { choose, follow } from "./beta.js";
import { element as anyElement, slider, svgElement as element, tell } from "./controls.js";
import { ellipses, nearest, number } from "./plot.js";

const CANVAS = 40,
  UNIT = 40; // pixels of an image; units of the drawing to one standard deviation of the prior
const STEP = 0.1,
  GRID = 0.5; // what an arrow key moves, and with Shift
const signed = (value) => String(Math.round(10 * value) / 10 + 0).replace("-", "−"); // + 0: no −0
const place = ([a, b]) => `(${signed(a)}, ${signed(b)})`;

/** The four pictures around a point of the plane, as [column, row, weight]; weights are bilinear and add up to 1. */
export function around([a, b], reach, side) {
  const scaled = [a + reach, reach - b].map((value) =>
    Math.min(side - 1, Math.max(0, (value * (side - 1)) / (2 * reach))),
  );
  const [column, row] = scaled.map((value) => Math.min(side - 2, Math.floor(value))),
    [x, y] = [scaled[0] - column, scaled[1] - row];
  const all = [
    [0, 0, (1 - x) * (1 - y)],
    [1, 0, x * (1 - y)],
    [0, 1, (1 - x) * y],
    [1, 1, x * y],
  ];
  return all
    .map(([right, down, weight]) => [column + right, row + down, weight])
    .filter(([, , weight]) => weight > 1e-9);
}

/** Draw the image decoded at a point: the pictures around it, added by their weights. */
export function blend(canvas, sheet, point, reach, side) {
  const pen = canvas.getContext("2d");
  pen.globalCompositeOperation = "source-over";
  pen.globalAlpha = 1;
  pen.fillRect(0, 0, CANVAS, CANVAS); // black, to which light is added
  pen.globalCompositeOperation = "lighter";
  for (const [column, row, weight] of around(point, reach, side)) {
    pen.globalAlpha = weight;
    pen.drawImage(sheet, column * CANVAS, row * CANVAS, CANVAS, CANVAS, 0, 0, CANVAS, CANVAS);
  }
}

/** Sheets of a plane by β, each loaded when first asked for; `arrived` hears of each. */
function sheetsOf(root, data, arrived) {
  const found = new Map(),
    still = root.querySelector("img");
  return (beta) => {
    if (!found.has(beta)) {
      const sheet = beta === data.start ? still : new Image();
      if (sheet !== still)
        sheet.src = new URL(`../atlas/${encodeURIComponent(data.label)}/${beta}.webp`, import.meta.url).href;
      sheet.decode().then(arrived, () => {});
      found.set(beta, sheet);
    }
    return found.get(beta);
  };
}

/** The plane itself: axes, means, ellipses, and the point. */
function mapOf(data) {
  const R = data.reach * UNIT,
    edge = R + 8,
    root = element("svg", {
      viewBox: `${-edge} ${-edge} ${2 * edge} ${2 * edge}`,
      class: "map",
      role: "slider",
      tabindex: 0,
      "aria-label": "Point in the plane of the latents",
      "aria-valuemin": -data.reach,
      "aria-valuemax": data.reach,
    });
  root.append(element("rect", { x: -edge, y: -edge, width: 2 * edge, height: 2 * edge, class: "ground" }));
  root.append(
    element("path", {
      d:
        `M${-edge},0 H${edge} M0,${-edge} V${edge}` +
        [-3, 3].map((v) => `M${v * UNIT},-4 v8 M-4,${v * UNIT} h8`).join(""),
      class: "axis",
    }),
  );
  const means = root.appendChild(element("g", { class: "means" })),
    point = root.appendChild(element("g", { class: "point" })),
    shapes = root.appendChild(element("g")); // above the point, whose arms would hide a narrow q
  point.append(element("path", { d: "M-20,0 H-8 M8,0 H20 M0,-20 V-8 M0,8 V20" }));
  root.append(
    element("text", { x: R + 4, y: -6, "text-anchor": "end" }, "z₁"),
    element("text", { x: 7, y: 6 - R }, "z₂"),
  );
  for (const value of [-3, 3]) {
    root.append(
      element("text", { x: value * UNIT, y: 16, "text-anchor": "middle" }, signed(value)),
      element("text", { x: -7, y: 4 - value * UNIT, "text-anchor": "end" }, signed(value)),
    );
  }
  means.append(...[0, 1, 2, 3, 4].map((shade) => element("path", { class: `shade-${shade}` })));
  const inside = (value) => Math.min(R, Math.max(-R, value));
  return {
    root,
    pointAt: ({ clientX, clientY }) => {
      const box = root.getBoundingClientRect(),
        scale = (2 * edge) / box.width / UNIT;
      return [(clientX - box.left) * scale - edge / UNIT, edge / UNIT - (clientY - box.top) * scale];
    },
    show: (network, source) =>
      [...means.children].forEach((path, shade) => {
        const points = network.mean.filter((_, i) => data.shades[source][i] === shade);
        path.setAttribute("d", points.map(([a, b]) => `M${inside(a * UNIT)},${inside(-b * UNIT)}h0`).join(""));
      }),
    outline: (network, i) => {
      const [s, t] = network.std[i];
      const outlined = ([a, b], covariance, kind) => ellipses([a * UNIT, -b * UNIT], covariance, UNIT, kind);
      shapes.replaceChildren(
        ...outlined(network.exact[i], network.covariance, "exact"),
        ...outlined(network.mean[i], [s * s, 0, t * t], "q"),
      );
    },
    move: (at) => {
      point.setAttribute("transform", `translate(${at[0] * UNIT} ${-at[1] * UNIT})`);
      root.setAttribute("aria-valuenow", at[0]);
      root.setAttribute("aria-valuetext", `z₁ = ${signed(at[0])}, z₂ = ${signed(at[1])}`);
    },
  };
}

/** Buttons of which one is pressed. */
function choiceOf(label, names, chosen, fill = (button, name) => button.append(name)) {
  const group = anyElement("div", { class: "choice", role: "group", "aria-label": label });
  const press = (index) =>
    [...group.children].forEach((button, i) => button.setAttribute("aria-pressed", i === index));
  group.append(
    ...names.map((name, i) => {
      const button = anyElement("button", { type: "button", "aria-pressed": "false" });
      fill(button, name);
      button.addEventListener("click", () => {
        press(i);
        chosen(i);
      });
      return button;
    }),
  );
  return group;
}

/** Canvas with a caption. */
function pictureOf(caption) {
  const box = anyElement("figure"),
    canvas = anyElement("canvas", { width: CANVAS, height: CANVAS, role: "img" });
  const words = anyElement("figcaption", {}, caption);
  box.append(canvas, words);
  return { box, canvas, words };
}

function start(root) {
  const data = JSON.parse(root.querySelector("script").textContent),
    betas = data.networks.map(({ beta }) => beta);
  const named = (beta) => (beta === data.own ? `${beta}` : number(beta, 4)); // as typed; others may be a part of ν
  // held: the point is at the mean of q
  const state = { at: betas.indexOf(data.start), image: 0, source: 0, point: [0, 0], held: true };
  const live = anyElement("div", { class: "live" }),
    map = mapOf(data),
    readout = anyElement("p", { class: "readout", "aria-live": "polite" });
  const decoded = pictureOf("decoded at the point"),
    original = pictureOf("the chosen image");
  const sheets = sheetsOf(root, data, () => picture());
  const strip = new Image();
  strip.src = data.images;

  function picture() {
    const sheet = sheets(betas[state.at]);
    decoded.canvas.setAttribute("aria-label", `Image decoded at ${place(state.point)}`);
    if (sheet.complete && sheet.naturalWidth) blend(decoded.canvas, sheet, state.point, data.reach, data.side);
    else decoded.canvas.getContext("2d").clearRect(0, 0, CANVAS, CANVAS); // no picture of another β
  }
  function move(point, held = false) {
    state.point = point.map((value) => Math.round(100 * Math.min(data.reach, Math.max(-data.reach, value))) / 100);
    state.held = held;
    map.move(state.point);
    decoded.words.textContent = `decoded at ${place(state.point)}`;
    picture();
  }
  function show() {
    const network = data.networks[state.at],
      outside = network.mean.filter((mean) => mean.some((value) => Math.abs(value) > data.reach)).length;
    decoded.canvas.style.filter = `contrast(${network.scale / data.scale})`; // the grey scale of the chosen image
    map.show(network, state.source);
    map.outline(network, state.image);
    original.canvas.getContext("2d").drawImage(strip, state.image * CANVAS, 0, CANVAS, CANVAS, 0, 0, CANVAS, CANVAS);
    original.canvas.setAttribute("aria-label", `Image ${state.image + 1}`);
    tell(
      readout,
      `${data.name}, β = ${named(betas[state.at])}, image ${state.image + 1}: ` +
        `KL(q ‖ exact posterior) = ${network.kl[state.image]} nats.` +
      (outside ? ` ${outside} of ${network.mean.length} means lie beyond the edge.` : ""),
    );
    if (state.held) move(network.mean[state.image], true);
    else picture();
  }

  const control = slider(
    "β",
    [0, betas.length - 1, 1],
    state.at,
    (i) => `${named(betas[i])}${betas[i] === data.own ? ", this build" : ""}`,
    (i) => choose(betas[i]),
  );
  const thumb = (button, i) => {
    const canvas = anyElement("canvas", { width: CANVAS, height: CANVAS, "aria-hidden": "true" });
    button.setAttribute("aria-label", `Image ${i + 1}`);
    button.append(canvas);
    strip
      .decode()
      .then(() => canvas.getContext("2d").drawImage(strip, i * CANVAS, 0, CANVAS, CANVAS, 0, 0, CANVAS, CANVAS));
  };
  const images = choiceOf(
    "Image whose q is shown",
    data.networks[0].std.map((_, i) => i),
    (i) => {
      Object.assign(state, { image: i, held: true });
      show();
    },
    thumb,
  );
  images.classList.add("images");
  const paints = choiceOf("Source that colours the means", ["s₁", "s₂"], (i) => {
    state.source = i;
    show();
  });
  const painted = anyElement("p", { class: "paint" }, "means coloured by ");
  painted.append(paints, " (blue: small, orange: large)");
  const key = anyElement("p", { class: "key" });
  key.append(
    anyElement("span", { class: "q" }, "q of the image"),
    anyElement("span", { class: "exact" }, "exact posterior"),
    anyElement("span", { class: "here" }, "decoded here"),
  );
  const pair = anyElement("div", { class: "pair" }),
    aside = anyElement("div");
  pair.append(decoded.box, original.box);
  aside.append(pair, images, key, painted, readout);
  if (!document.querySelector(".page-beta")) live.append(control.row); // else the page has one for all
  live.append(map.root, aside);

  let pressed = null; // the pointer that was pressed here: a second finger, or one that selects text, moves nothing
  map.root.addEventListener("pointerdown", (event) => {
    if (event.button || pressed !== null) return;
    pressed = event.pointerId;
    map.root.setPointerCapture(pressed);
    move(map.pointAt(event));
  });
  map.root.addEventListener("pointermove", (event) => {
    if (event.pointerId === pressed) move(map.pointAt(event));
  });
  for (const end of ["pointerup", "pointercancel"])
    map.root.addEventListener(end, (event) => {
      if (event.pointerId === pressed) pressed = null;
    });
  map.root.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1], Home: [0, 0] },
      step = event.shiftKey ? GRID : STEP;
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = state.point.map((value, i) => {
      const way = moves[event.key][i];
      return way ? (Math.round(value / step) + way) * step : value; // the other one stays as it is
    });
    move(event.key === "Home" ? [0, 0] : next);
  });
  [images, paints].forEach((group) => group.firstChild.setAttribute("aria-pressed", true));
  root.append(live);
  root.classList.add("moves");
  follow((beta) => {
    state.at = nearest(betas, beta);
    control.set(state.at);
    show();
  });
  show();
  strip.decode().then(show); // the chosen image
  betas.forEach(sheets);
}

/** Start a plane when it comes into view, or nearly. */
function whenSeen(root) {
  const seen = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      seen.disconnect();
      start(root);
    },
    { rootMargin: "400px" },
  );
  seen.observe(root);
}

if (typeof document !== "undefined") document.querySelectorAll(".latent-plane").forEach(whenSeen);
