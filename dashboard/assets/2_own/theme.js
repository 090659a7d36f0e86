// Light or dark belongs to the reader, not to the view: it follows the system until the reader chooses,
// and the choice stays in this browser.
(function () {
  "use strict";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function stored() {
    try {
      return localStorage.getItem("theme");
    } catch {
      return null; // storage switched off: follow the system
    }
  }

  function show() {
    document.documentElement.dataset.bsTheme = stored() || (system.matches ? "dark" : "light");
  }

  document.addEventListener("click", function (event) {
    if (!event.target.closest || !event.target.closest("#theme")) return;
    const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", next);
      show();
    } catch {
      document.documentElement.dataset.bsTheme = next;
    }
  });

  system.addEventListener("change", show);
  show();
})();
