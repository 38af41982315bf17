// What the pictures of the analytical model say at a β, in sentences.

import { number } from "./plot.js";

const SAME = 0.02; // areas that differ by less are called equal
const NEXT = 0.005; // nats above the least error that are not worth a word
const OFF = [
  "Both latents have switched off: q is the prior, whatever is observed.",
  "One latent has switched off and says nothing.",
  "",
];

/** `here` and `least` are the terms at β and at the best β, `exact` is the covariance of the exact posterior. */
export function sentences(beta, here, best, least, exact) {
  const area = Math.sqrt((here.v[0] * here.v[1]) / (exact[0][0] * exact[1][1] - exact[0][1] ** 2));
  const above = here.tie - least.tie,
    times = `${number(area)} times the area of the exact posterior`;
  const sure =
    area < 1 - SAME
      ? `too sure: it covers ${times}`
      : area > 1 + SAME
        ? `too wide: it covers ${times}`
        : "as sure as the exact posterior";
  const error =
    above < NEXT ? "as small as β can make it" : `${number(above)} above the least, which is at β* = ${number(best)}`;
  return [
    `At β = ${number(beta)} the encoder is ${sure}.`,
    OFF[here.d2.filter((d) => d > 0).length],
    `The error is ${number(here.tie)} nats, ${error}.`,
  ]
    .filter(Boolean)
    .join(" ");
}
