// A handle on the rim of a plane that turns something: dragged here, moved by keyboard with its slider.

import { svgElement as element } from "./controls.js";

const SIZE = 240,
  CENTRE = SIZE / 2,
  RADIUS = 108,
  RADIAN = Math.PI / 180;
const at = (degrees, radius = RADIUS) => [
  CENTRE + radius * Math.cos(degrees * RADIAN),
  CENTRE - radius * Math.sin(degrees * RADIAN),
];

/** Let an SVG's rim turn between two angles; returns a function that draws it at an angle, with another one marked. */
export function dial(svg, [low, high, step], turned) {
  let held = null; // the pointer that does: a second finger turns nothing
  const angleAt = (event) => {
    const box = svg.getBoundingClientRect();
    const angle =
      Math.atan2(box.top + box.height / 2 - event.clientY, event.clientX - box.left - box.width / 2) / RADIAN;
    return Math.min(high, Math.max(low, Math.round(angle / step) * step));
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.button || !event.target.closest(".dial")) return;
    held = event.pointerId;
    svg.setPointerCapture(held);
    // a finger has to rest on what is there until its touchstart is heard; what is drawn anew would not hear it
    if (event.pointerType === "mouse") turned(angleAt(event));
  });
  for (const kind of ["pointermove", "pointerup"])
    svg.addEventListener(kind, (event) => {
      if (event.pointerId === held) turned(angleAt(event));
    });
  // else the page scrolls and takes the finger away: touch-action on a part of a drawing does not prevent it
  const still = (event) => event.target.closest(".dial") && event.preventDefault();
  svg.addEventListener("touchstart", still, { passive: false });
  for (const end of ["pointerup", "pointercancel"])
    svg.addEventListener(end, (event) => {
      if (event.pointerId === held) held = null;
    });
  return (angle, marked) => {
    const arc = `M${at(low)} A${RADIUS},${RADIUS} 0 0 0 ${at(high)}`,
      group = element("g", { class: "dial" });
    const tick = (degrees, colour) =>
      element("path", { d: `M${at(degrees, RADIUS - 7)} L${at(degrees, RADIUS + 7)}`, class: `mark ${colour}` });
    const [x, y] = at(angle),
      [textX, textY] = at(marked, RADIUS - 12);
    group.append(
      element("path", { d: arc, class: "rim" }),
      element("path", { d: arc, class: "axis" }),
      tick(0, "grey"),
      tick(marked, "pink"),
      element("text", { x: textX, y: textY + 4, "text-anchor": "end" }, "own"),
      element("circle", { cx: x, cy: y, r: 7, class: "handle" }),
    );
    svg.append(group);
  };
}
