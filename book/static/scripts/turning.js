// Latents turned, z' = T z with T orthogonal and two latents: the true inference error, the KL to the prior and the
// turn that labels make most likely. The same numbers as betavae_core/findings/turning.py and turned_networks.py; a
// test compares them. Covariances are triples (variance, covariance, variance).

const ANGLES = 720; // looked at in a search
const STEPS = 12;
const EVEN_ODDS = 1e-9; // nats, below which rounding may decide
const EVEN = { 1: [[1, 0], [0, 1]], "-1": [[1, 0], [0, -1]] }; // prettier-ignore
const ODD = { 1: [[0, -1], [1, 0]], "-1": [[0, 1], [1, 0]] }; // prettier-ignore

export const apply = (T, [a, b]) => T.map((row) => row[0] * a + row[1] * b);
export const times = (F, G) => F.map((row) => [0, 1].map((j) => row[0] * G[0][j] + row[1] * G[1][j]));
export const transposed = ([[a, b], [c, d]]) => [[a, c], [b, d]]; // prettier-ignore
const inner = (F, G) => F[0][0] * G[0][0] + F[0][1] * G[0][1] + F[1][0] * G[1][0] + F[1][1] * G[1][1];
const full = ([p, q, r]) => [[p, q], [q, r]]; // prettier-ignore
export const determinant = ([[a, b], [c, d]]) => a * d - b * c;
const dot = ([a, b], [c, d]) => a * c + b * d;

/** A rotation by an angle in radians, or with sign −1 a reflection. */
export const turnBy = (angle, sign = 1) =>
  EVEN[sign].map((row, i) => row.map((entry, j) => Math.cos(angle) * entry + Math.sin(angle) * ODD[sign][i][j]));

/** T S Tᵀ of a triple. */
export function turned(T, covariance) {
  const [[p, q], [, r]] = times(times(T, full(covariance)), transposed(T));
  return [p, q, r];
}

/** ½ (a cos² + 2 b cos sin + d sin²) − p cos − q sin, at an angle. */
const value = ([a, b, d, p, q], angle) => {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return 0.5 * (a * c * c + 2 * b * c * s + d * s * s) - p * c - q * s;
};

/** The angle at which that is least: it has one dip or two, and Newton's method goes down each that a grid shows. */
function least(form) {
  const [a, b, d, p, q] = form,
    width = (2 * Math.PI) / ANGLES,
    heights = Array.from({ length: ANGLES }, (_, i) => value(form, i * width));
  const dips = heights.flatMap((height, i) =>
    height <= heights.at(i - 1) && height <= heights[(i + 1) % ANGLES] ? [i * width] : [],
  );
  const bottoms = dips.map((dip) => {
    let angle = dip;
    for (let i = 0; i < STEPS; i += 1) {
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const slope = c * s * (d - a) + b * (c * c - s * s) + s * p - c * q;
      const bend = (d - a) * (c * c - s * s) - 4 * b * c * s + c * p + s * q;
      if (bend > 0) angle -= Math.min(width, Math.max(-width, slope / bend));
    }
    return angle;
  });
  return bottoms.reduce((one, other) => (value(form, other) < value(form, one) ? other : one));
}

/** The likelier of the best rotation and the best reflection, and by how many nats it is; `kept` where neither is. */
function better(formOf, kept = 1) {
  const [first, second] = [kept, -kept].map((sign) => {
    const form = formOf(sign),
      angle = least(form);
    return { turn: turnBy(angle, sign), height: value(form, angle) };
  });
  const { turn } = second.height < first.height - EVEN_ODDS ? second : first;
  return { turn, margin: Math.abs(first.height - second.height) };
}

/**
 * The turn T that makes the sources of labelled images most likely, s under N(T μ, T S Tᵀ). One label makes a
 * rotation and a reflection equally likely: then T has the determinant `kept`, 1 or −1.
 */
export function fromLabels(labelled, kept = 1) {
  return better((sign) => {
    const [even, odd] = [EVEN, ODD].map((basis) => transposed(basis[sign])); // Tᵀs = cos Eᵀs + sin Jᵀs
    const sums = [0, 0, 0, 0, 0];
    for (const { mean, covariance, source } of labelled) {
      const [p, q, r] = covariance,
        size = p * r - q * q,
        precision = full([r / size, -q / size, p / size]);
      const [e, j] = [apply(even, source), apply(odd, source)];
      const [left, right] = [apply(precision, e), apply(precision, j)];
      [dot(left, e), dot(left, j), dot(right, j), dot(left, mean), dot(right, mean)].forEach((term, i) => {
        sums[i] += term;
      });
    }
    return sums;
  }, kept);
}

/** tr(M F Q Gᵀ). */
const bent = ({ precision, moment }, F, G) => inner(precision, times(times(F, moment), transposed(G)));

/** True inference error with the latents turned, nats. */
export const tie = (data, T) => 0.5 * bent(data, T, T) - inner(data.cross, T) + data.rest;

/** The turn with the least true inference error, which only who knows all sources can find. */
export const best = (data) =>
  better((sign) => {
    const [E, J] = [EVEN[sign], ODD[sign]];
    return [bent(data, E, E), bent(data, E, J), bent(data, J, J), inner(data.cross, E), inner(data.cross, J)];
  }).turn;

/** Objective, R, C and ELBO with the latents turned: C is computed anew, R has a decoder that turns z' back. */
export function terms(data, T) {
  const { reconstruction, kl_prior } = data.terms,
    square = ([[a], [, d]]) => a + d;
  const C = kl_prior + 0.5 * (square(times(times(T, data.moment), transposed(T))) - square(data.moment));
  return {
    objective: reconstruction - data.beta * C,
    reconstruction,
    kl_prior: C,
    elbo: reconstruction - C,
  };
}

/** Angle in degrees, −180 to 180, and sign of a turn T = R(angle) F T₀, F a mirror of the second axis or none. */
export function read(T, start) {
  const relative = times(T, transposed(start)),
    sign = Math.sign(determinant(relative));
  return { angle: (Math.atan2(relative[1][0], relative[0][0]) * 180) / Math.PI, sign };
}

/** The turn T that `read` reads. */
export const turnFrom = (angle, sign, start) => times(turnBy((angle * Math.PI) / 180, sign), start);

/** A number from 0 to 1 at each call, the same ones for the same seed (mulberry32). */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The first `count` of `size` things in the order of a draw, the 0th their own: fewer are among more of one draw. */
export function drawn(draw, count, size) {
  const order = Array.from({ length: size }, (_, i) => i),
    next = random(draw);
  for (let i = draw ? size - 1 : 0; i > 0; i -= 1) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order.slice(0, count);
}
