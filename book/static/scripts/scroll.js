// A figure that scrolls sideways, as on a phone, can be reached and scrolled with the keyboard.

function mark() {
  for (const box of document.querySelectorAll(".bd-content figure, .bd-content div.cell_output")) {
    const scrolls = box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX !== "visible";
    if (scrolls) box.tabIndex = 0; else box.removeAttribute("tabindex");
  }
}

addEventListener("load", mark);
addEventListener("resize", mark);
