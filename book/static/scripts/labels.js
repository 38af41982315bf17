// Where the labels of a drawing stand: beside what they name, on no line and on no other label if that can be.

const LETTER = 6.5, // CSS pixels of a letter's width; text is 12 of them tall
  ASCENT = 10,
  DESCENT = 2;
const CLEAR = 3, // between a label and any line
  MARK = 4, // from a line to its label
  TAG = 6, // from a point to its label
  ROW = 13;

/** A text with its attributes, and the box that it takes, from or up to a point of its baseline. */
export function standing(text, x, y, end = false) {
  const wide = LETTER * text.length,
    left = end ? x - wide : x;
  return {
    text,
    attributes: { x, y, "text-anchor": end ? "end" : "start" },
    box: { left, right: left + wide, top: y - ASCENT, bottom: y + DESCENT },
  };
}

/** Places beside a vertical line: near its top, then near its bottom, then further in; right of it before left. */
export function besideLine(text, x, top, bottom) {
  const rows = [0, 1, -1, -2, 2, 3, -3, -4],
    height = (row) => (row < 0 ? bottom - 6 + ROW * (row + 1) : top + ASCENT + ROW * row);
  return rows.flatMap((row) => [
    standing(text, x + MARK, height(row)),
    standing(text, x - MARK, height(row), true),
  ]);
}

/** Places around a point: near it, then further off. */
export const aroundPoint = (text, x, y) =>
  [0, 8, 16, 24].flatMap((more) =>
    [
      [y - TAG - more, 0],
      [y + TAG + ASCENT - DESCENT + more, 0],
      [y + MARK, 2 + more], // level with it
    ].flatMap(([height, aside]) => [
      standing(text, x + TAG + aside, height),
      standing(text, x - TAG - aside, height, true),
      standing(text, x - (LETTER * text.length) / 2, height),
    ]),
  );

const overlap = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Whether a straight line between two points meets a box, or comes near it. */
function meets([ax, ay], [bx, by], { left, right, top, bottom }) {
  if (![ax, ay, bx, by].every(Number.isFinite)) return false;
  let from = 0,
    to = 1;
  for (const [start, step, low, high] of [
    [ax, bx - ax, left - CLEAR, right + CLEAR],
    [ay, by - ay, top - CLEAR, bottom + CLEAR],
  ]) {
    if (!step && (start < low || start > high)) return false;
    const ends = step ? [(low - start) / step, (high - start) / step] : [0, 1];
    from = Math.max(from, Math.min(...ends));
    to = Math.min(to, Math.max(...ends));
  }
  return from <= to;
}

const level = (line) => line.every(([, y]) => y === line[0][1]); // on it a label would read as the line's name
const crosses = (line, box) => line.some((point, i) => i > 0 && meets(line[i - 1], point, box));

/** For each label the first of its places inside the frame that meets the least of lines and of boxes before it. */
export function placed(labels, frame, lines, boxes = []) {
  const taken = [...boxes];
  return labels.map((places) => {
    const inside = places.filter(
      ({ box: { left, right, top, bottom } }) =>
        left >= frame.left && right <= frame.right && top >= frame.top && bottom <= frame.bottom,
    );
    const met = inside.map(
      ({ box }) =>
        lines.reduce((sum, line) => sum + (crosses(line, box) ? 1 + level(line) : 0), 0) +
        10 * taken.filter((other) => overlap(other, box)).length,
    );
    const chosen = inside[met.indexOf(Math.min(...met))] ?? places[0];
    taken.push(chosen.box);
    return chosen;
  });
}
