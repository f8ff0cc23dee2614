// Shows the end of a build's log and follows it: appends what is new in its log, asks less often while nothing happens, rests in a hidden tab,
// and shows the page's state anew when it changes. Without it the page is whole, but stands still.
"use strict";
(() => {
  const log = document.getElementById("log");
  const says = document.getElementById("following");
  if (!log) return;
  log.scrollTop = log.scrollHeight;
  if (log.dataset.more !== "true") return;

  const longest = 512 * 1024; // characters of the log that stay in the page
  const decoder = new TextDecoder();
  let next = Number(log.dataset.next);
  let wait = 1000;
  let timer = 0;
  let rest = ""; // a line whose end has not come
  let busy = false;
  let polls = 0;

  const atEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;

  // What page.Clean does on the server.
  function clean(text) {
    return text
      .replace(/\x1b\[[ -?]*[@-~]|\x1b\][^\n\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()]./g, "")
      .replace(/\r+(?=\n|$)/g, "").replace(/\r/g, "\n")
      .replace(/[\x00-\x08\x0b-\x1f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
      .replace(/[\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (c) => "\u27e8U+" + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "\u27e9");
  }

  function step(line) {
    const m = /^TOASTER-STEP (\d+)\/(\d+) (\d+) ?(.*?)\r?$/.exec(line);
    if (!m) return false;
    const span = document.createElement("span");
    span.className = "step";
    const link = document.createElement("a");
    link.href = log.dataset.job + "#L" + m[3];
    link.textContent = "line " + m[3];
    span.append("Step " + m[1] + " of " + m[2] + ", ", link, ": " + clean(m[4]));
    log.append(span, "\n");
    const text = document.getElementById("step");
    const bar = document.getElementById("progress");
    if (text) text.textContent = "Step " + m[1] + " of " + m[2];
    if (bar) { bar.max = Number(m[2]); bar.value = Number(m[1]); }
    if (!text) show().catch(() => {});
    return true;
  }

  function append(text) {
    const follow = atEnd();
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    let plain = "";
    for (const line of lines) {
      if (line.startsWith("TOASTER-STEP ")) {
        if (plain) log.append(clean(plain));
        plain = "";
        if (step(line)) continue;
      }
      plain += line + "\n";
    }
    if (plain) log.append(clean(plain));
    let have = log.textContent.length;
    while (have > longest && log.childNodes.length > 1) {
      have -= log.firstChild.textContent.length;
      log.firstChild.remove();
    }
    if (follow) log.scrollTop = log.scrollHeight;
  }

  // Takes the state from the page as the server would show it now. Returns whether the build goes on.
  async function show() {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error("no page");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("status");
    const old = document.getElementById("status");
    if (fresh && old && fresh.innerHTML !== old.innerHTML) old.replaceChildren(...fresh.childNodes);
    const goesOn = page.getElementById("log").dataset.more === "true";
    if (!goesOn) {
      const actions = page.querySelector("main > .actions");
      const now = document.querySelector("main > .actions");
      if (actions && now) now.replaceWith(actions);
    }
    return goesOn;
  }

  async function poll() {
    const answer = await fetch(log.dataset.log + "?offset=" + next, { headers: { Accept: "text/plain" } });
    if (answer.redirected || answer.status === 401) {
      says.textContent = "You are logged out: log in again to see more.";
      return false;
    }
    if (!answer.ok) throw new Error(answer.statusText);
    const bytes = await answer.arrayBuffer();
    next = Number(answer.headers.get("X-Next-Offset"));
    append(decoder.decode(bytes, { stream: true }));
    wait = bytes.byteLength ? 1000 : Math.min(wait * 1.4, 15000);
    if (answer.headers.get("X-More") === "true") {
      if (!bytes.byteLength || ++polls % 5 === 0) await show();
      return true;
    }
    if (rest) append("\n");
    return show();
  }

  async function turn() {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    let goesOn = true;
    try {
      goesOn = await poll();
      if (goesOn) says.textContent = "Following the log.";
      else if (says.textContent === "Following the log.") says.textContent = "This is the end of the log.";
    } catch {
      wait = Math.min(wait * 2, 30000);
      says.textContent = "The server can't be reached; trying again in " + Math.round(wait / 1000) + " seconds.";
    }
    busy = false;
    if (goesOn) timer = setTimeout(turn, wait);
    else document.removeEventListener("visibilitychange", turn);
  }

  document.addEventListener("visibilitychange", turn);
  turn();
})();
