// What the objective leaves open: the analytical β-VAE with its latents turned against the principal axes, and a
// diagonal or a full covariance of q. The same formulas as betavae_core/theory/rotation.py; a test compares the two.

import { spectrum } from "./model.js";
import { determinant as det, times, transposed } from "./turning.js";

export const FAMILIES = ["diagonal", "full"];
const plus = (F, G, factor = 1) => F.map((row, i) => row.map((entry, j) => entry + factor * G[i][j]));
const trace = ([[a], [, d]]) => a + d;
const identity = (scale) => [
  [scale, 0],
  [0, scale],
];
const inverse = (F) => {
  const [[a, b], [c, d]] = F,
    size = det(F);
  return [
    [d / size, -b / size],
    [-c / size, a / size],
  ];
};
const turn = (angle) => [
  [Math.cos(angle), -Math.sin(angle)],
  [Math.sin(angle), Math.cos(angle)],
];
const SIGNED = [
  [1, 1],
  [1, -1],
  [-1, 1],
  [-1, -1],
].flatMap(([f, g]) => [
  [
    [f, 0],
    [0, g],
  ],
  [
    [0, f],
    [g, 0],
  ],
]);

/** Precision M and gain G of the posterior of z ~ N(0, I) given x = B z + noise. */
function posterior(B, noise) {
  const M = plus(identity(1), times(transposed(B), B), 1 / noise);
  return { M, G: times(inverse(M), transposed(B)).map((row) => row.map((entry) => entry / noise)) };
}

/** E KL(N(W x, V) ‖ N(G x, M⁻¹)) over data with covariance Σ, nats. */
function divergence(W, V, { M, G }, covariance) {
  const miss = plus(W, G, -1);
  const away = times(times(miss, covariance), transposed(miss));
  return 0.5 * (trace(times(M, V)) + trace(times(M, away)) - 2 - Math.log(det(M)) - Math.log(det(V)));
}

/** The spectrum of a model, with all else that is the same at every β. */
export function modelOf(A, sigma) {
  const covariance = plus(times(A, transposed(A)), identity(sigma * sigma));
  return { ...spectrum(A, sigma), covariance, exact: posterior(A, sigma * sigma) };
}

/** The signed permutation P with N(P W x, P V Pᵀ) nearest to the exact posterior: least tr M P S Pᵀ − 2 tr P T. */
function renaming(W, V, { covariance, exact: { M, G } }) {
  const seen = times(W, covariance),
    T = times(times(seen, transposed(G)), M),
    [[a, b], [, c]] = plus(V, times(seen, transposed(W)));
  const [[p, q], [, r]] = M;
  const losses = SIGNED.map(([[f, g], [h, k]]) => {
    const swapped = f === 0,
      square = swapped ? p * c + r * a : p * a + r * c;
    const sign = swapped ? g * h : f * k,
      along = swapped ? g * T[1][0] + h * T[0][1] : f * T[0][0] + k * T[1][1];
    return square + 2 * sign * q * b - 2 * along;
  });
  return SIGNED[losses.indexOf(Math.min(...losses))];
}

/** The angle Q = 𝓡ᵀ of the sources' own rotation, in (−π/4, π/4]: a right angle more only renames the latents. */
export function ownAngle(A, sigma) {
  const { u } = spectrum(A, sigma),
    [first, second] = times(u, A);
  const mirrored = first[0] * second[1] - first[1] * second[0] < 0;
  const angle = Math.atan2(mirrored ? first[1] : -first[1], first[0]),
    quarter = Math.PI / 2;
  return angle - quarter * Math.ceil(angle / quarter - 0.5);
}

/** Every term, in nats, at D = U diag √(λ − β)₊ Q with the best encoder of a family, named as the sources are. */
export function turnedTerms(A, sigma, beta, angle, family, found = modelOf(A, sigma)) {
  const { lambda, u, covariance, exact } = found,
    d2 = lambda.map((value) => Math.max(value - beta, 0)),
    Q = turn(angle);
  const D = times(
    transposed(u),
    Q.map((row, i) => row.map((entry) => Math.sqrt(d2[i]) * entry)),
  );
  const gram = times(transposed(D), D),
    spread = inverse(plus(gram, identity(beta)));
  const W = times(spread, transposed(D));
  const V =
    family === "full"
      ? spread.map((row) => row.map((entry) => beta * entry))
      : [
          [beta / (gram[0][0] + beta), 0],
          [0, beta / (gram[1][1] + beta)],
        ];
  const left = plus(identity(1), times(D, W), -1);
  const R =
    -0.5 * (trace(times(times(left, covariance), transposed(left))) + trace(times(gram, V))) - Math.log(2 * Math.PI);
  const C = 0.5 * (trace(V) + trace(times(times(W, covariance), transposed(W))) - 2 - Math.log(det(V)));
  const P = renaming(W, V, found),
    encoder = { W: times(P, W), V: times(times(P, V), transposed(P)) };
  return {
    reconstruction: R,
    kl_prior: C,
    elbo: R - C,
    objective: R - beta * C,
    mie: divergence(W, V, posterior(D, 1), covariance),
    tie: divergence(encoder.W, encoder.V, exact, covariance),
    d2,
    encoder,
  };
}

/** The β up to λ₁ with the least TIE at a rotation: on a grid that has λ₂, where TIE has a kink, then beside it. */
export function leastTurned(A, sigma, angle, family) {
  const found = modelOf(A, sigma),
    low = Math.log((sigma * sigma) / 10),
    [high, kink] = found.lambda.map(Math.log);
  const error = (log) => turnedTerms(A, sigma, Math.exp(log), angle, family, found).tie;
  const logs = Array.from({ length: 80 }, (_, i) => low + ((high - low) * i) / 79).concat(kink);
  logs.sort((a, b) => a - b);
  const errors = logs.map(error),
    i = errors.indexOf(Math.min(...errors));
  const sides = [-1, 1].map((side) => refined(error, logs[i], logs[i + side] ?? logs[i]));
  return Math.exp([logs[i], ...sides].reduce((best, log) => (error(log) < error(best) ? log : best)));
}

/** Where a function with one minimum between two numbers is least. */
function refined(error, one, other) {
  let [left, right] = [Math.min(one, other), Math.max(one, other)];
  for (let step = 0; step < 40; step++) {
    const third = (right - left) / 3;
    if (error(left + third) < error(right - third)) right -= third;
    else left += third;
  }
  return (left + right) / 2;
}
