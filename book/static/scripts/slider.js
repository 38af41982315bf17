// One picture at a time from a row of pictures, chosen with a slider; without JavaScript all of them are shown.

import { element } from "./plot.js";

function start(root) {
  const pictures = [...root.querySelectorAll("figure")];
  const labels = pictures.map((picture) => picture.dataset.label);
  const id = `slider-${Math.random().toString(36).slice(2, 8)}`;
  const first = Math.max(0, labels.indexOf(root.dataset.first));
  const input = element("input", { id, type: "range", min: 0, max: pictures.length - 1, step: 1, value: first }, "", null);
  const shown = element("output", { for: id }, "", null);
  const row = element("div", { class: "control" }, "", null);
  const update = () => {
    const chosen = Number(input.value);
    pictures.forEach((picture, i) => { picture.hidden = i !== chosen; });
    shown.textContent = labels[chosen];
    input.setAttribute("aria-valuetext", `beta ${labels[chosen]}`);
  };
  input.addEventListener("input", update);
  row.append(element("label", { for: id }, "β", null), input, shown);
  root.prepend(row);
  update();
}

document.querySelectorAll(".beta-slider").forEach(start);
