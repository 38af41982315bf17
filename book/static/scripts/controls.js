// Elements of a page, and a labelled slider that tells its value in words.

const SVG = "http://www.w3.org/2000/svg",
  HTML = "http://www.w3.org/1999/xhtml";
let made = 0;

export function element(name, attributes = {}, text = "", space = HTML) {
  const node = document.createElementNS(space, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  return node;
}

/** The same of a drawing. */
export const svgElement = (name, attributes = {}, text = "") => element(name, attributes, text, SVG);

/** Put text where it is read out when it changes, and not when the same is written again. */
export function tell(live, text) {
  if (live.textContent !== text) live.textContent = text;
}

/** A row with label, slider and value; `text` says a value, `changed` hears of a new one. Returns row and setter.
 * It says the value it is given, though the slider itself stands at the nearest step. */
export function slider(label, [min, max, step], value, text, changed) {
  const id = `slider-${made++}`;
  const row = element("div", { class: "control" });
  const input = element("input", { id, type: "range", min, max, step, value });
  const shown = element("output", { for: id });
  const say = (said) => {
    shown.textContent = text(said);
    input.setAttribute("aria-valuetext", shown.textContent);
  };
  input.addEventListener("input", () => {
    say(Number(input.value));
    changed(Number(input.value));
  });
  say(value);
  row.append(element("label", { for: id }, label), input, shown);
  return {
    row,
    set: (next) => {
      input.value = next;
      say(next);
    },
  };
}

/** A choice between a few, as radio buttons under a legend; `changed` hears of a new one. Returns row and setter. */
export function choice(legend, names, value, changed) {
  const row = element("fieldset", { class: "choice" }),
    group = `choice-${made++}`;
  const inputs = names.map((name) => {
    const label = element("label"),
      input = element("input", { type: "radio", name: group, value: name });
    input.checked = name === value;
    input.addEventListener("change", () => changed(name));
    label.append(input, ` ${name}`);
    row.append(label);
    return input;
  });
  row.prepend(element("legend", {}, legend));
  return {
    row,
    set: (next) =>
      inputs.forEach((input) => {
        input.checked = input.value === next;
      }),
  };
}
