// Copies text, and shows on the button that it is done.

import { element, icon } from "./element.js";

const SHOWN_MS = 1600;

export async function copyFrom(button, text) {
  await copyText(text);
  button.replaceChildren(icon("done"));
  setTimeout(() => button.replaceChildren(icon("copy")), SHOWN_MS);
}

// The buttons of code, which come and go while an answer grows.
export function copyCode(thread) {
  thread.addEventListener("click", ({ target }) => {
    const button = target.closest(".code button");
    if (button) copyFrom(button, button.parentElement.querySelector("code").textContent);
  });
}

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = element("textarea", { class: "unseen", readonly: true }); // no clipboard API where the page has no TLS
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
