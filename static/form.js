// Says beside a Dockerfile what a build would say of it, while one types; takes a file that is dropped or chosen into the text; and lets the
// target follow FROM. Without it the same is said when the form is sent.
"use strict";
(() => {
  const say = (text, ...values) => values.reduce((s, v) => s.replace("%s", () => v), (window.words || {})[text] || text);
  const form = document.querySelector("form.form");
  const text = document.getElementById("text");
  const file = document.getElementById("dockerfile");
  const target = document.getElementById("target");
  const list = document.getElementById("live");
  const says = document.getElementById("live-says");
  const docker = document.getElementById("docker");
  if (!form || !text || !list) return;

  // Loading the page again keeps what was typed, as going back does; any other way to it begins anew.
  const kept = "typed:" + location.pathname + location.search;
  const typed = ["text", "name", "build_args", "environment"].map((name) => form.elements[name]).filter(Boolean);
  try {
    const was = JSON.parse(sessionStorage.getItem(kept) || "{}");
    sessionStorage.removeItem(kept);
    const again = (performance.getEntriesByType("navigation")[0] || {}).type === "reload";
    for (const f of typed) if (again && f.value === f.defaultValue && f.name in was) f.value = was[f.name];
    addEventListener("pagehide", () => {
      sessionStorage.setItem(kept, JSON.stringify(Object.fromEntries(typed.map((f) => [f.name, f.value]))));
    });
  } catch { /* a browser that stores nothing */ }

  const gutter = document.createElement("ol");
  gutter.className = "gutter";
  gutter.setAttribute("aria-hidden", "true");
  const editor = document.createElement("div");
  editor.className = "editor";
  text.replaceWith(editor);
  editor.append(gutter, text);

  let worst = new Map(); // line → level
  let timer = 0;
  let asking = null;
  let follows = target && !target.value; // the target goes with FROM until somebody chooses one
  const often = 256 * 1024; // bytes of a context that is sent with every check
  const rank = { error: 2, warning: 1, note: 0 };
  const levels = { error: say("Error"), warning: say("Warning"), note: say("Note") };
  const signs = { error: "✕", warning: "!", note: "i" };

  function number() {
    const lines = text.value.split("\n").length;
    while (gutter.children.length > lines) gutter.lastChild.remove();
    while (gutter.children.length < lines) gutter.append(document.createElement("li"));
    for (let i = 0; i < lines; i++) {
      const level = worst.get(i + 1) || "";
      const item = gutter.children[i];
      if (item.className !== level || !item.textContent) {
        item.className = level;
        item.textContent = (level ? signs[level] + " " : "") + (i + 1);
      }
    }
    gutter.scrollTop = text.scrollTop;
  }

  function select(line) {
    const lines = text.value.split("\n");
    const from = lines.slice(0, line - 1).reduce((n, l) => n + l.length + 1, 0);
    text.focus();
    text.setSelectionRange(from, from + (lines[line - 1] || "").length);
    const height = parseFloat(getComputedStyle(text).lineHeight);
    text.scrollTop = Math.max(0, (line - 4) * height);
  }

  function show(findings) {
    worst = new Map();
    list.replaceChildren();
    for (const f of findings) {
      const last = Math.max(f.line, f.end_line);
      if (f.line > 0 && !(rank[worst.get(last)] >= rank[f.level])) worst.set(last, f.level);
      const item = document.createElement("li");
      item.className = "finding " + f.level;
      const first = document.createElement("p");
      if (f.line > 0) {
        const go = document.createElement("button");
        go.type = "button";
        go.className = "line";
        go.textContent = say("Line %s", f.line);
        go.addEventListener("click", () => select(f.line));
        first.append(go, " ");
      }
      const level = document.createElement("span");
      level.className = "level";
      level.textContent = levels[f.level];
      first.append(level, " · " + f.message);
      item.append(first);
      if (f.advice) {
        const advice = document.createElement("p");
        advice.textContent = f.advice;
        item.append(advice);
      }
      const rule = document.createElement("p");
      const link = document.createElement("a");
      rule.className = "rule";
      link.href = f.url && /^https?:/.test(f.url) ? f.url : form.dataset.help + "#" + encodeURIComponent(f.rule);
      link.target = "_blank";
      link.rel = "noreferrer";
      link.textContent = f.rule;
      rule.append(link);
      item.append(rule);
      list.append(item);
    }
    number();
  }

  function sum(findings, steps) {
    const n = { error: 0, warning: 0, note: 0 };
    for (const f of findings) n[f.level]++;
    const one = { error: say("1 error"), warning: say("1 warning"), note: say("1 note") };
    const more = { error: say("%s errors", n.error), warning: say("%s warnings", n.warning), note: say("%s notes", n.note) };
    const parts = Object.keys(n).filter((k) => n[k]).map((k) => (n[k] === 1 ? one[k] : more[k]));
    let text = say("Your Dockerfile can't be built.");
    if (steps === true) text = say("Your Dockerfile can be built."); // how many steps that are is known when the form is sent
    else if (steps) text = steps === 1 ? say("Your Dockerfile can be built, in one step.") : say("Your Dockerfile can be built, in %s steps.", steps);
    return text + (parts.length ? " " + parts.join(", ") + "." : "");
  }

  async function check() {
    if (asking) asking.abort();
    if (!text.value.trim()) {
      says.textContent = "";
      show([]);
      return;
    }
    asking = new AbortController();
    const data = new FormData();
    data.set("text", text.value);
    for (const name of ["build_args", "environment", "target", "revision", "context_digest"]) if (form.elements[name]) data.set(name, form.elements[name].value);
    if (form.dataset.target) data.set("target", form.dataset.target);
    if (follows) data.set("target", "");
    const context = form.elements.context.files[0];
    const sent = context && context.size <= often;
    const large = context && context.size > Number(form.elements.context.dataset.most);
    if (sent) data.set("context", context);
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body: data, headers: { Accept: "application/json" }, signal: asking.signal });
      if (answer.status === 401) {
        says.textContent = say("You are logged out. Your text is kept: log in to continue.");
        return;
      }
      const got = await answer.json();
      if (!answer.ok) {
        says.textContent = [got.detail || got.title, got.advice].filter(Boolean).join(" ");
        show(got.findings || []);
        return;
      }
      let findings = got.findings;
      const unread = !sent && (context || (form.dataset.stored && !form.elements.context_digest));
      if (unread) findings = findings.filter((f) => f.rule !== "MissingSource"); // that is known when the form is sent
      says.textContent = sum(findings, (got.ok && got.steps) || (unread && !findings.some((f) => f.level === "error")));
      if (large) says.textContent = say("%s is too large for a build context.", context.name);
      for (const e of got.errors || []) says.textContent += " " + [e.detail, e.advice].filter(Boolean).join(" ");
      show(findings);
      if (follows && got.target) target.value = got.target;
      if (docker) docker.textContent = got.docker_build;
    } catch (e) {
      if (e.name === "AbortError") return;
      says.textContent = say("The server can't be reached. Your text is still here.");
      clearTimeout(timer);
      timer = setTimeout(check, 10000); // it may be back
    }
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(check, 600);
  }

  // The text of a file; null where it is no UTF-8: a picture, an archive.
  async function read(f) {
    try {
      const t = new TextDecoder("utf-8", { fatal: true }).decode(await f.arrayBuffer(), { stream: true });
      return t.includes("\0") ? null : t;
    } catch {
      return null;
    }
  }

  // Asks the server what a file is that is no Dockerfile: it tells by the first bytes.
  async function name(f) {
    const data = new FormData();
    data.set("dockerfile", f.slice(0, Math.min(Number(text.dataset.most), 65536)), f.name);
    try {
      const got = await (await fetch(form.dataset.check, { method: "POST", body: data, headers: { Accept: "application/json" } })).json();
      const is = (got.errors || []).find((e) => e.field === "dockerfile") || got;
      says.textContent = [f.name + ":", is.detail, is.advice].filter(Boolean).join(" ");
    } catch {
      says.textContent = say("The server can't be reached. Your text is still here.");
    }
  }

  async function take(f) {
    if (!f) return;
    if ((await read(f.slice(0, 4096))) === null) return name(f);
    if (f.size > Number(text.dataset.most)) {
      says.textContent = say("%s is too large for a Dockerfile.", f.name);
      return;
    }
    text.value = (await f.text()).replace(/\r\n/g, "\n");
    number();
    check();
  }

  file.addEventListener("change", async () => {
    await take(file.files[0]);
    file.value = ""; // it stands in the text now, where it can be changed
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    editor.addEventListener(kind, (e) => {
      if (!e.dataTransfer || ![...e.dataTransfer.types].includes("Files")) return;
      e.preventDefault();
      editor.classList.toggle("over", kind === "dragover");
      if (kind === "drop") take(e.dataTransfer.files[0]);
    });
  }
  text.addEventListener("input", () => { number(); soon(); });
  text.addEventListener("scroll", () => { gutter.scrollTop = text.scrollTop; });
  form.elements.context.addEventListener("change", () => {
    const f = form.elements.context.files[0];
    if (f && f.size > Number(form.elements.context.dataset.most)) says.textContent = say("%s is too large for a build context.", f.name);
  });
  for (const name of ["build_args", "environment", "context"]) form.elements[name].addEventListener(name === "context" ? "change" : "input", soon);
  if (target) target.addEventListener("change", () => { follows = !target.value; soon(); });
  // A browser that goes back, or loads the page again, fills the form in after this has run; and what is sent from a page that it
  // kept is another wish.
  addEventListener("pageshow", (e) => { if (e.persisted || text.value !== text.defaultValue) { number(); check(); } });
  number();
  if (text.value.trim() && !document.querySelector(".source")) check();
})();
