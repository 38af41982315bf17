// The β of a page: one value that its figures share.

const listeners = new Set();
let chosen = null;

/** Hear of each new β; at once of the one that is chosen already, if one is. */
export function follow(listener) {
  listeners.add(listener);
  if (chosen !== null) listener(chosen);
}

export function choose(beta) {
  if (beta === chosen) return;
  chosen = beta;
  listeners.forEach((listener) => listener(beta));
}
