// Follows a build's log: puts what is new behind it, as the server renders it, stays at the end unless the reader scrolls, asks less often while
// nothing happens, rests in a hidden tab, and takes the page's state anew when it changes. Without it the page is whole, but stands still.
"use strict";
(() => {
  const log = document.getElementById("log");
  if (!log) return;
  const target = () => /^#L\d+$/.test(location.hash) && document.getElementById(location.hash.slice(1));

  // One stop of the Tab key for the lines of a step; arrow keys go from line to line.
  const links = (part) => part.querySelectorAll(".l > a");
  function rove(part) {
    links(part).forEach((a, i) => { a.tabIndex = i ? -1 : 0; });
  }
  log.querySelectorAll("details").forEach(rove);
  log.addEventListener("keydown", (event) => {
    const to = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    const line = event.target.closest(".l");
    if (!to || !line || event.target.tagName !== "A") return;
    event.preventDefault();
    const next = line[to];
    if (!next) return;
    event.target.tabIndex = -1;
    next.firstElementChild.tabIndex = 0;
    next.firstElementChild.focus();
  });

  // A line that somebody was led to must not hide in a folded step.
  function reveal() {
    const line = target();
    if (!line) return;
    const part = line.closest("details");
    if (part) part.open = true;
    line.scrollIntoView({ block: "center" });
  }
  addEventListener("hashchange", reveal);

  const end = () => { log.scrollTop = log.scrollHeight; };
  if (target()) reveal();
  else if (!new URLSearchParams(location.search).has("from")) end();
  if (log.dataset.more !== "true") return;

  const most = 2000; // lines that stay in the page
  const says = document.getElementById("following");
  const resume = document.createElement("button");
  resume.type = "button";
  resume.className = "button quiet gone";
  resume.textContent = says.dataset.resume;
  says.after(resume);
  let next = Number(log.dataset.next);
  let style = log.dataset.ink; // that the text goes on in
  let shown = ""; // what the last answer had
  let following = !target();
  let moved = false; // by this script, not by the reader
  let wait = 1000;
  let timer = 0;
  let busy = false;
  let polls = 0;

  function say(what) {
    if (says.dataset.said === what) return;
    says.dataset.said = what;
    says.textContent = says.dataset[what];
    if (what !== "out") return;
    const link = document.createElement("a"); // to the page, which leads to the log-in and back
    link.href = location.href;
    link.textContent = says.dataset.login;
    says.append(" ", link);
  }

  function scroll() {
    if (!following) return;
    moved = true;
    end();
  }
  log.addEventListener("scroll", () => {
    if (moved) { moved = false; return; }
    following = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    resume.classList.toggle("gone", following);
  });
  resume.addEventListener("click", () => { following = true; resume.classList.add("gone"); end(); log.focus(); });

  // Puts a part of the log behind what is there: lines of a step that goes on, and new steps. While the end is followed, the steps before fold.
  function append(text) {
    for (const line of log.querySelectorAll(".unfinished")) { // it comes again
      const part = line.closest("details");
      line.remove();
      if (!part.querySelector(".l, .links")) part.remove();
    }
    const parts = new DOMParser().parseFromString(text, "text/html").querySelectorAll("details");
    if (!parts.length) return false;
    const nothing = log.querySelector(".nothing");
    if (nothing) nothing.remove();
    for (const part of parts) {
      const last = log.querySelector("details:last-of-type");
      if (last && "continued" in part.dataset) {
        last.querySelector("pre").append(...part.querySelectorAll(".l"));
        rove(last);
        continue;
      }
      if (last && following) last.open = false;
      log.append(document.adoptNode(part));
      rove(part);
    }
    shorten();
    scroll();
    return true;
  }

  function earlier() {
    const there = document.getElementById("earlier");
    if (there) return there;
    const link = document.createElement("a");
    link.id = "earlier";
    link.href = "?#the-log";
    link.textContent = says.dataset.earlier;
    const before = document.createElement("p");
    before.className = "parts";
    before.append(link);
    log.before(before);
    return link;
  }

  // Takes the oldest lines away; the link to what is before the page leads to them. Who reads has them longer.
  function shorten() {
    let over = log.querySelectorAll(".l").length - (following ? most : 5 * most);
    while (over > 0) {
      const first = log.querySelector("details");
      const lines = first.querySelectorAll(".l");
      if (lines.length <= over && first.nextElementSibling) first.remove();
      else for (const l of [first.querySelector(".links"), ...[...lines].slice(0, over)]) if (l) l.remove();
      over -= lines.length;
      const line = log.querySelector(".l, .links");
      earlier().search = "?to=" + line.id.slice(1);
    }
  }

  // Takes the state from the page as the server would show it now. Returns whether the build goes on.
  async function show() {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error("no page");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("status");
    const old = document.getElementById("status");
    const state = (at) => at.querySelector(".state").textContent;
    if (state(fresh) !== state(old)) document.getElementById("announced").textContent = state(fresh);
    if (fresh.innerHTML !== show.last) {
      show.last = fresh.innerHTML;
      const at = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      old.replaceChildren(...fresh.childNodes);
      if (at) for (const link of old.querySelectorAll("a")) if (link.getAttribute("href") === at) { link.focus(); break; }
    }
    const goesOn = page.getElementById("log").dataset.more === "true";
    if (!goesOn) {
      const actions = page.querySelector("main > .actions");
      const now = document.querySelector("main > .actions");
      if (actions && now) now.replaceWith(actions);
      const failed = page.querySelector("#log > .failed .state");
      const last = log.querySelector("details:last-of-type");
      if (failed && last && !last.classList.contains("failed")) {
        last.classList.add("failed");
        last.querySelector("h3").append(" ", failed);
      }
    }
    return goesOn;
  }

  async function poll() {
    const answer = await fetch(log.dataset.log + "?as=html&offset=" + next + "&style=" + encodeURIComponent(style), { headers: { Accept: "text/html" } });
    if (answer.redirected || answer.status === 401) {
      say("out");
      return false;
    }
    if (!answer.ok) throw new Error(answer.statusText);
    const text = await answer.text();
    const at = Number(answer.headers.get("X-Next-Offset"));
    const news = at !== next || text !== shown;
    next = at;
    shown = text;
    style = answer.headers.get("X-Style") || "";
    const steps = append(text) && text.includes('class="links"');
    wait = news ? 1000 : Math.min(wait * 1.4, 15000);
    if (answer.headers.get("X-More") !== "true") return show();
    if (steps || !news || !document.getElementById("step") || ++polls % 5 === 0) await show();
    return true;
  }

  async function turn() {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    let goesOn = true;
    try {
      goesOn = await poll();
      if (goesOn) say("follow");
      else if (says.dataset.said !== "out") say("end");
    } catch {
      wait = Math.min(wait * 2, 30000);
      say("away");
    }
    busy = false;
    if (goesOn) timer = setTimeout(turn, wait);
    else {
      document.removeEventListener("visibilitychange", turn);
      resume.classList.add("gone");
    }
  }

  document.addEventListener("visibilitychange", turn);
  turn();
})();
