// Keeps the list of jobs up to date while something on it runs: asks for the page again, less often while nothing changes, rests in a hidden
// tab, and goes on when the network is back. Without it the list is whole, but stands still.
"use strict";
(() => {
  const say = (text, ...values) => values.reduce((s, v) => s.replace("%s", () => v), (window.words || {})[text] || text);
  const says = document.getElementById("updating");
  let wait = 2000;
  let timer = 0;
  let busy = false;
  let out = false; // nobody is logged in any more
  let last = ""; // what the server said; in the page the times are the reader's

  // Takes the list from the page as the server would show it now. Returns whether it goes on changing.
  async function show() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    out = answer.status === 401 || (answer.redirected && new URL(answer.url).pathname.endsWith("/account/login"));
    if (out) return false;
    if (!answer.ok || answer.redirected) throw new Error("no page");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("list");
    const old = document.getElementById("list");
    const now = fresh.innerHTML;
    if (now !== last) {
      last = now;
      const at = document.activeElement && old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      old.replaceChildren(...fresh.childNodes);
      if (at) for (const link of old.querySelectorAll("a")) if (link.getAttribute("href") === at) { link.focus(); break; }
      wait = 2000;
    } else {
      wait = Math.min(wait * 1.4, 20000);
    }
    return fresh.dataset.live === "true";
  }

  // Says so, with a link to the page, which leads to the log-in and back.
  function sayOut() {
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = say("Log in again");
    says.replaceChildren(say("You are logged out."), " ", link);
  }

  async function turn() {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    let goesOn = true;
    try {
      goesOn = await show();
      if (out) sayOut();
      else says.textContent = "";
    } catch {
      wait = Math.min(wait * 2, 30000);
      says.textContent = say("The server can't be reached. Retrying in %s seconds.", Math.round(wait / 1000));
    }
    busy = false;
    if (goesOn) timer = setTimeout(turn, wait);
    else if (!out) document.removeEventListener("visibilitychange", turn); // who comes back may have logged in meanwhile
  }

  document.addEventListener("visibilitychange", turn);
  timer = setTimeout(turn, wait);
})();
