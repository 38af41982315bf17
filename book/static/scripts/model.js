// The analytically tractable β-VAE with two sources in two dimensions, in closed form; decoder variance 1.
// The same formulas as betavae_core/theory/linear.py, with its letters; a test holds the two together to 1e-9.

const REPEATED = 1e-9; // eigenvalues closer than this, relative to the largest, are one

/** Eigenvalues λ₁ ≥ λ₂ of Σ = AAᵀ + σ²I, squared singular values s of A, and eigenvectors u. */
export function spectrum(A, sigma) {
  const [[a, b], [c, d]] = A;
  const p = a * a + b * b,
    r = c * c + d * d,
    q = a * c + b * d;
  const half = Math.hypot((p - r) / 2, q);
  const s1 = (p + r) / 2 + half;
  const s2 = s1 > 0 ? (a * d - b * c) ** 2 / s1 : 0;
  const noise = sigma * sigma;
  const lambda = [noise + s1, noise + s2];
  const angle = Math.atan2(2 * q, p - r) / 2;
  let u = [
    [Math.cos(angle), Math.sin(angle)],
    [-Math.sin(angle), Math.cos(angle)],
  ];
  const repeated = s1 - s2 <= REPEATED * lambda[0] && s2 > REPEATED * lambda[0];
  if (repeated) {
    // any rotation is optimal; the one with the least TIE follows the columns of A
    u = [
      [a, c],
      [b, d],
    ].map(([x, y]) => [x / Math.hypot(x, y), y / Math.hypot(x, y)]);
  }
  return { lambda, s: [s1, s2], u, repeated };
}

/** Every term at the optimum for β, in nats, with the aligned encoder: `order[i]` is the source of latent i. */
export function terms(A, sigma, beta, found = spectrum(A, sigma)) {
  const { lambda, s, u } = found;
  const noise = sigma * sigma;
  const d2 = lambda.map((value) => Math.max(value - beta, 0));
  const v = lambda.map((value) => Math.min(1, beta / value));
  const trace = lambda[0] + lambda[1];
  const R = -0.5 * (trace - d2[0] - d2[1]) - Math.log(2 * Math.PI);
  const C = -0.5 * (Math.log(v[0]) + Math.log(v[1]));
  let mie = 0;
  for (const i of [0, 1]) {
    const d = Math.sqrt(d2[i]),
      m = 1 + d2[i];
    const miss = d / (d2[i] + beta) - d / m;
    mie += 0.5 * (m * v[i] + m * miss * miss * lambda[i] - 1 - Math.log(m) - Math.log(v[i]));
  }
  const cross = [0, 1].map((i) =>
    [0, 1].map((j) => (Math.sqrt(d2[i]) * (u[i][0] * A[0][j] + u[i][1] * A[1][j])) / noise),
  );
  const straight = Math.abs(cross[0][0]) + Math.abs(cross[1][1]);
  const swapped = Math.abs(cross[0][1]) + Math.abs(cross[1][0]);
  const order = swapped > straight ? [1, 0] : [0, 1];
  const power = s[0] + s[1];
  const logDetM = Math.log(lambda[0] / noise) + Math.log(lambda[1] / noise);
  const tie =
    0.5 * (2 + power / noise) -
    Math.max(straight, swapped) +
    0.5 * (power / noise - 2 - logDetM - Math.log(v[0]) - Math.log(v[1]));
  return { reconstruction: R, kl_prior: C, elbo: R - C, objective: R - beta * C, mie, tie, v, d2, order, cross };
}

/** The β with the least TIE: on each interval between thresholds and for each order TIE is convex in β. */
export function optimalBeta(A, sigma) {
  const found = spectrum(A, sigma),
    { lambda, u } = found,
    noise = sigma * sigma;
  const overlap = [0, 1].map((i) => [0, 1].map((j) => Math.abs(u[i][0] * A[0][j] + u[i][1] * A[1][j])));
  const edges = [0, lambda[1], lambda[0]],
    candidates = [lambda[1], lambda[0]];
  for (const k of [0, 1]) {
    const low = edges[k],
      high = edges[k + 1],
      active = k === 0 ? [0, 1] : [0];
    if (high - low <= 1e-12 * high) continue;
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const slope = (b) =>
        active.reduce((sum, i) => sum + overlap[i][order[i]] / Math.sqrt(lambda[i] - b) / noise - 1 / b, 0);
      let left = low + 1e-12 * (high - low),
        right = high - 1e-12 * high;
      if (slope(left) >= 0) {
        candidates.push(left);
        continue;
      }
      if (slope(right) <= 0) continue;
      for (let i = 0; i < 200 && right - left > 1e-15 * right; i++) {
        const middle = (left + right) / 2;
        if (slope(middle) > 0) right = middle;
        else left = middle;
      }
      candidates.push((left + right) / 2);
    }
  }
  const errors = candidates.map((b) => terms(A, sigma, b, found).tie);
  return candidates[errors.indexOf(Math.min(...errors))];
}

/** Mean and covariance of the exact posterior and of q, both in the plane of the sources, given x = A s; q is the
 * trained one unless another encoder, mean W x and covariance V, is given. */
export function posteriors(A, sigma, beta, source, encoder = null) {
  const found = spectrum(A, sigma),
    { u } = found,
    { v, d2, order, cross } = terms(A, sigma, beta, found);
  const noise = sigma * sigma;
  const x = A.map((row) => row[0] * source[0] + row[1] * source[1]);
  const column = (j) => [A[0][j], A[1][j]],
    dot = (f, g) => f[0] * g[0] + f[1] * g[1];
  const m11 = 1 + dot(column(0), column(0)) / noise,
    m22 = 1 + dot(column(1), column(1)) / noise;
  const m12 = dot(column(0), column(1)) / noise,
    det = m11 * m22 - m12 * m12;
  const covariance = [
    [m22 / det, -m12 / det],
    [-m12 / det, m11 / det],
  ];
  const pull = [dot(column(0), x) / noise, dot(column(1), x) / noise];
  const mean = covariance.map((row) => dot(row, pull));
  if (encoder)
    return { exact: { mean, covariance }, q: { mean: encoder.W.map((row) => dot(row, x)), covariance: encoder.V } };
  const qMean = [0, 0],
    qVariance = [1, 1];
  for (const i of [0, 1]) {
    const sign = cross[i][order[i]] < 0 ? -1 : 1;
    qMean[order[i]] = ((sign * Math.sqrt(d2[i])) / (d2[i] + beta)) * dot(u[i], x);
    qVariance[order[i]] = v[i];
  }
  return {
    exact: { mean, covariance },
    q: {
      mean: qMean,
      covariance: [
        [qVariance[0], 0],
        [0, qVariance[1]],
      ],
    },
  };
}
