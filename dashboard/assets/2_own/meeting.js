// Keys of the meeting view. Each presses a link or a button that stands on the page (data-key), so that there is
// nothing here that a mouse, a finger or a screen reader does not find; where there is no such thing the key is free.
(function () {
  "use strict";

  const KEYS = {
    ArrowRight: "next", PageDown: "next", ArrowLeft: "previous", PageUp: "previous", Escape: "out",
    t: "table", f: "full", b: "blank", m: "meeting", "?": "help",
  };

  // Letters can be switched off: who steers by voice would press them by speaking (WCAG 2.1.4).
  function lettersAreOff() {
    try {
      return localStorage.getItem("letters") === "off";
    } catch {
      return false; // storage switched off
    }
  }

  function isWriting(target) {
    return target.isContentEditable || target.matches("input, textarea, select");
  }

  // Quick presses of the arrows: what was pressed while a view was fetched, the first one too, is pressed when it has
  // arrived.
  const ahead = [];
  let drawn = null; // address of the view that has arrived

  function here() {
    return location.pathname + location.search;
  }

  function goOn() {
    if (drawn !== here()) return; // somebody has gone on already, by another way
    const name = ahead.shift();
    const found = name && document.querySelector(`[data-key="${name}"]`);
    if (found) found.click();
    else ahead.length = 0;
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const name = KEYS[key];
    if (!name || (key.length === 1 && lettersAreOff())) return;
    const open = document.querySelector("dialog[open]");
    if (open) {
      if (open.id === "wall-" + name) open.close();
      return; // Escape closes it by itself
    }
    const found = document.querySelector(`[data-key="${name}"]`);
    if (!found) return;
    event.preventDefault();
    if ((name === "next" || name === "previous") && drawn !== here()) ahead.push(name);
    else found.click();
  });

  const BUTTONS = {
    help: () => document.getElementById("wall-help").showModal(),
    blank: () => document.getElementById("wall-blank").showModal(),
    full: () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()),
    letters: function () {
      try {
        localStorage.setItem("letters", lettersAreOff() ? "on" : "off");
      } catch {
        return; // nothing can be remembered, so nothing is changed
      }
      showLetters();
    },
  };

  document.addEventListener("click", function (event) {
    const button = event.target.closest && event.target.closest("button[data-key]");
    if (button) BUTTONS[button.dataset.key]();
    if (event.target.id === "wall-blank") event.target.close();
  });

  function showLetters() {
    for (const button of document.querySelectorAll('[data-key="letters"]')) {
      button.setAttribute("aria-pressed", String(!lettersAreOff()));
    }
  }

  // A view has been drawn: the server does not know by which name this browser found it.
  document.addEventListener("arrived", function (event) {
    drawn = event.detail;
    for (const place of document.querySelectorAll("[data-host]")) place.textContent = location.host;
    showLetters();
    goOn();
  });
})();
