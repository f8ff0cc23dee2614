// Copies what a button names to the clipboard. Without it there are no such buttons.
"use strict";
(() => {
  async function copy(from) {
    if (navigator.clipboard) return navigator.clipboard.writeText(from.textContent);
    const range = document.createRange(); // where the connection is not secure
    range.selectNodeContents(from);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    if (!document.execCommand("copy")) throw new Error("not copied");
  }

  function show(root) {
    for (const button of root.querySelectorAll("button[data-copy]")) button.classList.remove("gone");
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const says = document.getElementById("copied");
    if (says) says.classList.add("gone");
    try {
      await copy(document.getElementById(button.dataset.copy));
    } catch {
      return;
    }
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 2000);
    if (says) says.classList.remove("gone");
  });

  show(document);
  const status = document.getElementById("status");
  if (status) new MutationObserver(() => show(status)).observe(status, { childList: true });
})();
