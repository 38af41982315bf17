// One picture at a time from a row of pictures, chosen with a slider; without JavaScript all of them are shown.

import { slider } from "./controls.js";

function start(root) {
  const pictures = [...root.querySelectorAll("figure")];
  const labels = pictures.map((picture) => picture.dataset.label);
  const show = (chosen) => pictures.forEach((picture, i) => { picture.hidden = i !== chosen; });
  const first = Math.max(0, labels.indexOf(root.dataset.first));
  root.prepend(slider("β", [0, pictures.length - 1, 1], first, (i) => labels[i], show).row);
  show(first);
}

document.querySelectorAll(".beta-slider").forEach(start);
