// Shows times in the reader's own zone and manner. Without it they stand there in UTC.
"use strict";
(() => {
  const form = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });

  function convert(root) {
    for (const t of root.querySelectorAll("time[datetime]:not([title])")) {
      const at = new Date(t.getAttribute("datetime"));
      if (isNaN(at)) continue;
      t.title = t.textContent;
      t.textContent = form.format(at);
    }
  }

  // A button on a page that the browser has kept, and shows again, is another wish.
  addEventListener("pageshow", (e) => {
    if (!e.persisted) return;
    for (const once of document.querySelectorAll("input[name=once]")) {
      if (!once.form.querySelector("textarea, select, input:not([type=hidden])")) once.value = once.value.split("~")[0] + "~" + Date.now();
    }
  });
  convert(document);
  new MutationObserver((changes) => {
    for (const c of changes) for (const n of c.addedNodes) if (n.nodeType === Node.ELEMENT_NODE) convert(n.parentNode);
  }).observe(document.body, { childList: true, subtree: true });
})();
