// The β of a page: a control under its title, in the address as #beta=20, and what follows it: words in sentences and
// pictures. Curves and planes follow it by themselves.

import { choose, follow } from "./beta.js";
import { element, slider } from "./controls.js";
import { nearest } from "./plot.js";

const HEAD = "#beta=";

/** The control, which offers the stored β and names the command that trains others. */
function startControl(root) {
  const betas = root.dataset.betas.split(" ").map(Number),
    { chapter } = root.dataset;
  const own = "own" in root.dataset ? Number(root.dataset.own) : null,
    stored = betas.filter((beta) => beta !== own);
  const named = (i) => `${betas[i]}${betas[i] === own ? ", this build" : ""}`;
  const control = slider(
    "β of this page",
    [0, betas.length - 1, 1],
    nearest(betas, Number(root.dataset.start)),
    named,
    (i) => choose(betas[i]),
  );
  const details = element("details"),
    words = element("p"),
    note = element("span"),
    command = element("code");
  const trained = own === null ? "" : ` Those at β = ${own} were trained for this page.`;
  words.append(
    note,
    `Networks are stored at β = ${stored.join(", ")}.${trained} For any other, `,
    command,
    " trains some and makes this page for it.",
  );
  details.append(element("summary", {}, `${stored.length} stored`), words);
  let unfolded = false; // by this page, which folds it again; what a reader has opened stays
  const wanted = (beta, there) => {
    command.textContent = `make chapter CHAPTER=${chapter} BETA=${there ? "…" : beta}`;
    note.textContent = there ? "" : `Nothing is stored at β = ${beta}; shown is the nearest that there is. `;
    if (unfolded || !(there || details.open)) details.open = unfolded = !there;
  };
  let reading = false;
  const fromAddress = () => {
    const text = location.hash.startsWith(HEAD) ? location.hash.slice(HEAD.length) : "",
      asked = Number(text);
    if (!text || !(asked >= 0) || !Number.isFinite(asked)) return false;
    const beta = betas[nearest(betas, asked)];
    reading = true; // the address stays as it is, with a note where nothing is stored at its β
    choose(beta);
    reading = false;
    wanted(asked, beta === asked);
    return true;
  };
  root.append(control.row, details);
  wanted(0, true);
  if (!fromAddress()) choose(betas[nearest(betas, history.state?.beta ?? Number(root.dataset.start))]);
  let started = false,
    shown;
  follow((beta) => {
    const i = nearest(betas, beta);
    control.set(i);
    shown = betas[i];
    if (started && !reading && location.hash !== HEAD + betas[i]) history.replaceState(null, "", HEAD + betas[i]);
    if (started) wanted(0, true);
  });
  started = true;
  addEventListener("popstate", () => {
    // a jump to a section takes β from the address; loaded again, the page is still at it
    if (!fromAddress()) history.replaceState({ beta: shown }, "");
  });
}

function followWords(span) {
  const said = JSON.parse(span.dataset.said),
    betas = Object.keys(said);
  follow((beta) => {
    span.textContent = said[betas[nearest(betas.map(Number), beta)]];
  });
}

function followPictures(root) {
  const pictures = [...root.children],
    betas = pictures.map((picture) => Number(picture.dataset.beta));
  follow((beta) => {
    const shown = nearest(betas, beta);
    pictures.forEach((picture, i) => {
      picture.hidden = i !== shown;
    });
  });
}

document.querySelectorAll(".follows[data-said]").forEach(followWords);
document.querySelectorAll(".follows.pictures").forEach(followPictures);
const controls = document.querySelectorAll(".page-beta");
// the whole book as one page has several, and each chapter its own β
if (controls.length === 1) startControl(controls[0]);
