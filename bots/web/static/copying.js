// Copies text, and shows on the button that it is done.

import { element, icon } from "./element.js";

const SHOWN_MS = 1600;
// What a spreadsheet would calculate, behind what it skips. core/answers/tables.py has the same for CSV.
const FORMULA = /^[\s"\p{Cc}\p{Cf}]*(?:[=@＝＠]|[+\-＋－](?![\d.,\s%]*$))/u;

// With `html`, programs that take rich text get that: a table becomes cells of a spreadsheet.
export async function copyFrom(button, text, html = "") {
  await (html ? copyRich(text, html) : copyText(text));
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

// An answer as other programs want it: without what folds or scrolls only on the page.
export function richOf(html) {
  const parsed = document.createElement("template");
  parsed.innerHTML = html; // in a template nothing is shown, loaded or run
  for (const thoughts of parsed.content.querySelectorAll(".thoughts")) thoughts.remove();
  for (const frame of parsed.content.querySelectorAll("div.table, .math")) frame.replaceWith(...frame.childNodes);
  for (const cell of parsed.content.querySelectorAll("th, td")) {
    if (cell.className) cell.setAttribute("align", cell.className); // the page's style sheet does not come along
    cell.removeAttribute("class");
    if (FORMULA.test(cell.textContent)) cell.prepend("'");
  }
  return parsed.innerHTML;
}

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  copySelected(text, { "text/plain": text });
}

async function copyRich(text, html) {
  const kinds = { "text/plain": text, "text/html": html };
  if (!navigator.clipboard) return copySelected(text, kinds);
  if (!window.ClipboardItem) return navigator.clipboard.writeText(text);
  const blobs = Object.entries(kinds).map(([type, data]) => [type, new Blob([data], { type })]);
  return navigator.clipboard.write([new ClipboardItem(Object.fromEntries(blobs))]);
}

// There is no clipboard API where the page has no TLS.
function copySelected(text, kinds) {
  const area = element("textarea", { class: "unseen", readonly: true });
  area.addEventListener("copy", (event) => {
    event.preventDefault();
    for (const [type, data] of Object.entries(kinds)) event.clipboardData.setData(type, data);
  });
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
