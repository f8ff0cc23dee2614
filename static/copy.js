// Puts a button behind what can be copied, and copies it to the clipboard.
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

  async function press(button, from) {
    const says = document.getElementById("copied");
    says.textContent = "";
    try {
      await copy(from);
    } catch {
      return;
    }
    says.textContent = says.dataset.says;
    button.classList.add("done");
    setTimeout(() => button.classList.remove("done"), 2000);
  }

  function show(root) {
    for (const from of root.querySelectorAll("[data-copy]")) {
      if (from.nextElementSibling && from.nextElementSibling.tagName === "BUTTON") continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = from.dataset.copy;
      button.setAttribute("aria-describedby", from.id);
      button.addEventListener("click", () => press(button, from));
      from.after(" ", button);
    }
  }

  show(document);
  const status = document.getElementById("status");
  if (status) new MutationObserver(() => show(status)).observe(status, { childList: true });
})();
