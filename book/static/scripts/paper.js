// Paper is light, whatever the screen is.

const page = document.documentElement;
let theme = null; // of the screen, while the page is on paper

addEventListener("beforeprint", () => {
  theme ??= page.dataset.theme; // a second such event in a row finds a light page
  page.dataset.theme = "light";
});
addEventListener("afterprint", () => {
  if (theme) page.dataset.theme = theme;
  theme = null;
});
