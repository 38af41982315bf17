// What a person would see to be wrong with a page's pictures, words and tables, each as a line of text.
async () => {
  const column = document.querySelector(".bd-article"),
    edges = column.getBoundingClientRect();
  const found = [],
    say = (element, fault) =>
      found.push(`${fault}: ${(element.alt || element.innerText || element.src || "").slice(0, 60)}`);
  const shown = (element) => element.checkVisibility() && element.getBoundingClientRect().width > 0;

  // Texts of a drawing that its edge cuts, and its smallest em as a part of its width; seen once, as large as it gets.
  const known = (window.lettering ??= new Map());
  const lettering = async (image) => {
    if (known.has(image.src)) return known.get(image.src);
    const drawing = new DOMParser().parseFromString(
      await (await fetch(image.src)).text(),
      "image/svg+xml",
    ).documentElement;
    drawing.querySelectorAll("style").forEach((style) => style.remove()); // it would hold for the whole page
    const width = 1.6 * image.naturalWidth,
      cut = [];
    (drawing.setAttribute("width", width), drawing.setAttribute("height", 1.6 * image.naturalHeight));
    const holder = document.body.appendChild(document.createElement("div"));
    holder.style.cssText = "position: fixed; left: 0; top: 0; visibility: hidden; contain: layout style";
    holder.append(document.importNode(drawing, true));
    const frame = holder.firstChild.getBoundingClientRect();
    let em = Infinity;
    for (const text of holder.querySelectorAll("g[id^=text_]")) {
      const at = text.getBoundingClientRect();
      if (!at.width) continue;
      if (
        at.left < frame.left - 1 ||
        at.right > frame.right + 1 ||
        at.top < frame.top - 1 ||
        at.bottom > frame.bottom + 1
      )
        cut.push(text.id);
      for (const glyph of text.querySelectorAll("use")) {
        const { a, b } = glyph.getScreenCTM();
        em = Math.min(em, (100 * Math.hypot(a, b)) / width); // glyphs are drawn a hundred units to the em
      }
    }
    holder.remove();
    known.set(image.src, { cut, em });
    return { cut, em };
  };

  for (const image of [...column.querySelectorAll("img")].filter(shown)) {
    const box = image.getBoundingClientRect();
    const stretched = box.width / box.height / (image.naturalWidth / image.naturalHeight);
    if (Math.abs(stretched - 1) > 0.02) say(image, `shape off by ${(100 * (stretched - 1)).toFixed(0)} %`);
    if (box.left < edges.left - 1 || box.right > edges.right + 1) say(image, "wider than its column");
    for (let parent = image.parentElement; parent !== column; parent = parent.parentElement)
      if (parent.scrollWidth > parent.clientWidth + 1) say(image, "scrolls sideways");
    if (!/\.svg($|\?)/.test(image.src) || image.matches(".bd-article :is(a, p.launch) img")) continue;
    const { cut, em } = await lettering(image);
    for (const id of cut) say(image, `text ${id} is cut by the figure's edge`);
    if (em * box.width < 10.95) say(image, `text of ${(em * box.width).toFixed(1)} px`);
  }
  for (const text of [...column.querySelectorAll("svg text")].filter(shown)) {
    const { a, b } = text.getScreenCTM(),
      size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
    if (size < 10.95) found.push(`drawn text of ${size.toFixed(1)} px: ${text.textContent}`);
    const at = text.getBoundingClientRect(),
      drawing = text.ownerSVGElement,
      frame = drawing.getBoundingClientRect();
    const cut =
      at.left < frame.left - 1 ||
      at.right > frame.right + 1 ||
      at.top < frame.top - 1 ||
      at.bottom > frame.bottom + 1;
    if (cut && getComputedStyle(drawing).overflow !== "visible")
      found.push(`drawn text is cut by the figure's edge: ${text.textContent}`);
  }
  for (const drawing of [...column.querySelectorAll(".asked svg, .plane")].filter(shown)) {
    const texts = [...drawing.querySelectorAll("text")].map((text) => [text, text.getBoundingClientRect()]);
    texts.forEach(([text, a], i) => {
      const on = texts.slice(i + 1).find(
        ([, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 4 && b.top < a.bottom - 4,
      );
      if (on) found.push(`drawn text lies on another: ${text.textContent} and ${on[0].textContent}`);
    });
  }
  for (const bracketed of column.querySelectorAll(":is(p, li) code"))
    if (bracketed.previousSibling?.data?.endsWith("(") && !bracketed.closest(".together"))
      found.push(`a bracket may part from its code: (${bracketed.innerText}`);
  for (const words of column.querySelectorAll(".pasted-text, strong, b"))
    if (shown(words) && +getComputedStyle(words).fontWeight >= 600 && words.innerText.split(/\s+/).length > 8)
      say(words, "a sentence in bold");
  for (const control of column.querySelectorAll("button, input, select, summary, [role=button], [role=slider]")) {
    const box = (control.closest("label") ?? control).getBoundingClientRect();
    if (shown(control) && (box.width < 24 || box.height < 24))
      say(control, `a target of ${box.width.toFixed(0)} by ${box.height.toFixed(0)} px`);
  }
  for (const cell of column.querySelectorAll("td")) {
    const range = document.createRange(),
      text = cell.innerText.trim();
    range.selectNodeContents(cell);
    const lines = range.getBoundingClientRect().height / parseFloat(getComputedStyle(cell).lineHeight);
    const most = text.includes(" (") ? 2.7 : 1.7; // a bracket may begin a line
    if (innerWidth >= 1280 && lines > most && text.length < 32 && /^[−\d][\d.,−–+ %()to∞]*$/.test(text))
      say(cell, "a number that wraps");
  }
  for (const caption of column.querySelectorAll("table caption")) {
    const box = caption.getBoundingClientRect();
    if (shown(caption) && (box.left < edges.left - 1 || box.right > edges.right + 1))
      say(caption, "a caption is cut");
  }
  for (const box of column.querySelectorAll(".pst-scrollable-table-container"))
    if (shown(box) && box.scrollWidth > box.clientWidth + 4 && getComputedStyle(box, "::before").content === "none")
      say(box, "a table scrolls and does not say so");
  for (const box of column.querySelectorAll("div.math")) {
    const formula = box.querySelector("mjx-container");
    if (formula?.scrollWidth > formula?.clientWidth + 4 && getComputedStyle(box, "::before").content === "none")
      say(box, "a formula goes on and does not say so");
  }
  for (const formula of column.querySelectorAll("mjx-container")) {
    const { top } = formula.getBoundingClientRect(),
      glyphs = [...formula.querySelectorAll("mjx-c")].map((c) => c.getBoundingClientRect());
    if (
      shown(formula) &&
      getComputedStyle(formula).overflowY !== "visible" &&
      glyphs.some((glyph) => glyph.height && glyph.top < top + 1)
    )
      say(formula, "a formula is cut at its top");
  }
  const words = document.createTreeWalker(column, NodeFilter.SHOW_TEXT),
    live = ".explorer, .asking, .page-beta, .latent-plane, .planes, .follows, .panels";
  for (let text; (text = words.nextNode());)
    // written by the build, not by a script
    if (
      /[\p{L}*] [=≤≥] [−\d]|\d (%|nats)/u.test(text.data) &&
      !text.parentElement.closest(`script, pre, code, svg, mjx-container, ${live}`)
    )
      found.push(`a number may part from its name or unit: ${text.data.trim().slice(0, 60)}`);
  for (const part of document.querySelectorAll(".prev-next-area *"))
    if (shown(part) && part.getBoundingClientRect().right > innerWidth) say(part, "a way on reaches beyond the page");
  if (document.documentElement.scrollWidth > innerWidth)
    found.push(`the page is ${document.documentElement.scrollWidth} px wide`);
  if (innerWidth >= 1280 && document.documentElement.scrollHeight > 15000)
    found.push(`the page is ${document.documentElement.scrollHeight} px tall`);
  return found;
};
