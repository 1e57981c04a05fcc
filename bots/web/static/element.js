// Makes elements. Text is always set as text; the one place that takes HTML is `prose`, for what the server rendered.

import { drawMath } from "./math.js";
import { say } from "./words.js";

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value == null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function iconButton(name, label, onclick, properties = {}) {
  return element("button", { type: "button", class: "quiet", title: label, "aria-label": label, onclick, ...properties }, icon(name));
}

export function prose(html) {
  const made = element("div", { class: "prose" });
  made.innerHTML = html; // bots/web/markdown.py made it: raw HTML was off, and the page's policy runs no script in it
  for (const code of made.querySelectorAll("pre")) {
    const framed = element("div", { class: "code" });
    code.replaceWith(framed);
    framed.append(code, iconButton("copy", say("Copy the code"), null));
  }
  drawMath(made);
  return made;
}

// Gives a list these children. What was there already is not touched, so that it keeps focus, selection and a press.
export function arrange(list, nodes) {
  const wanted = new Set(nodes);
  for (const node of [...list.children]) if (!wanted.has(node)) node.remove();
  for (const [index, node] of nodes.entries()) {
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  }
}

let last = "";
export function announce(text) {
  if (text === last) return;
  last = text;
  document.getElementById("announcer").textContent = text;
}
