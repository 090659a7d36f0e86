// A view is its URL. A link, a choice or a search therefore only has to change the address:
// this script does so without loading the page anew, and looks after focus and scroll position.
(function () {
  "use strict";

  const scrolls = new Map(); // address → scroll position, for an exact Back
  let address = location.pathname + location.search;
  let arrival = null; // where to put focus and scroll once the next view has been drawn

  function here() {
    return location.pathname + location.search;
  }

  // A choice changes what is shown and keeps the reader's place, even where it changes the path.
  function go(href, isChoice = false) {
    const target = new URL(href, location.href);
    if (target.pathname + target.search === here()) return;
    leave({ samePage: isChoice || target.pathname === location.pathname });
    history.pushState({}, "", target);
    address = here();
    window.dispatchEvent(new PopStateEvent("popstate", { state: { own: true } }));
  }

  function leave(next) {
    scrolls.set(address, window.scrollY);
    arrival = { ...next, focus: document.activeElement && document.activeElement.id };
  }

  function isPlainClick(event) {
    return event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
  }

  document.addEventListener("click", function (event) {
    const link = event.target.closest && event.target.closest("a[href]");
    if (!link || event.defaultPrevented || !isPlainClick(event)) return;
    const staysHere = link.origin === location.origin && !link.target && !link.hasAttribute("download");
    if (!staysHere || link.getAttribute("href").startsWith("#")) return;
    event.preventDefault();
    go(link.href);
  });

  // The options of a choice carry addresses as values: a choice is a list of links.
  document.addEventListener(
    "change",
    function (event) {
      if (event.target.matches("select[data-choice]")) go(event.target.value, true);
    },
    true,
  );

  // A search whose text is exactly a suggestion goes there; any other is answered by the page itself.
  document.addEventListener("submit", function (event) {
    const form = event.target;
    if (form.method !== "get") return; // it changes something: the server answers with where to go; or closes a dialog
    event.preventDefault();
    const target = new URL(form.getAttribute("action"), location.href);
    for (const [name, value] of new FormData(form)) {
      const text = value.trim().toLowerCase();
      for (const option of form.querySelectorAll("option[data-href]")) {
        if (option.value.toLowerCase() === text) return go(option.dataset.href);
      }
      if (text) target.searchParams.set(name, value.trim());
    }
    go(target.href);
  });

  window.addEventListener("popstate", function (event) {
    if (event.state && event.state.own) return;
    leave({ samePage: false, restore: scrolls.get(here()) || 0 });
    address = here();
  });

  // Called by the app when a view has been drawn.
  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.naerblik = {
    arrive: function (view) {
      if (!view) return window.dash_clientside.no_update;
      document.title = view.title;
      document.documentElement.lang = view.lang;
      // A hand-written address, and a search that found its area, get the one spelling of what they show.
      if (view.address && view.address !== here()) {
        history.replaceState(history.state, "", view.address);
        address = here();
      }
      const where = arrival;
      const arrived = new CustomEvent("arrived", { detail: here() });
      arrival = null;
      requestAnimationFrame(function () {
        document.dispatchEvent(arrived);
        const pointedAt = location.hash && document.getElementById(location.hash.slice(1));
        if (!where && pointedAt) pointedAt.focus(); // of a page that was loaded whole, after a form was sent
        if (where) {
          const kept = where.samePage && where.focus && document.getElementById(where.focus);
          const target = kept || document.querySelector("h1");
          if (target) target.focus({ preventScroll: true });
          if (kept) kept.scrollIntoView({ block: "nearest" }); // it may lie in a list that scrolls by itself
          if (!where.samePage) window.scrollTo(0, where.restore || 0);
        }
      });
      return window.dash_clientside.no_update;
    },
  };
})();
