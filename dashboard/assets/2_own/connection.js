// What the reader should not have to notice: a server process that is replaced while it answers, and a log-in that ends.
(function () {
  "use strict";
  const send = window.fetch.bind(window);
  const pause = () => new Promise((done) => setTimeout(done, 1000));

  // Asking for a view changes nothing, so it can be asked for again.
  window.fetch = async function (what, how) {
    let answer = null;
    try {
      answer = await send(what, how);
    } catch {
      await pause();
      answer = await send(what, how);
    }
    if (answer.status >= 502 && answer.status <= 504) {
      await pause(); // a proxy found nobody behind it
      answer = await send(what, how);
    }
    if (answer.status === 401) location.reload(); // the page itself leads to the log-in, and from there back here
    return answer;
  };
})();
