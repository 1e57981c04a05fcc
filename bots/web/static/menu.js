// What can be done with one thing, beside the button that opens it.

import { element, icon } from "./element.js";

const STEPS = { ArrowDown: 1, ArrowUp: -1 };
const menu = document.getElementById("menu");

menu.onkeydown = (event) => {
  const items = [...menu.children];
  const step = STEPS[event.key];
  if (!step) return;
  event.preventDefault();
  items[(items.indexOf(document.activeElement) + step + items.length) % items.length].focus();
};

// `choices` are [icon, label, what to do, or an address to download].
export function openMenu(button, choices) {
  const { focus } = button.dataset; // whoever held it gets the focus back, also if it was drawn again meanwhile
  menu.replaceChildren(
    ...choices.map(([name, label, action]) => {
      const close = () => menu.hidePopover();
      if (typeof action === "string") return element("a", { role: "menuitem", href: action, download: "", "data-focus": focus, onclick: close }, icon(name), label);
      return element("button", { type: "button", role: "menuitem", "data-focus": focus, onclick: () => (close(), action()) }, icon(name), label);
    }),
  );
  menu.setAttribute("aria-label", button.getAttribute("aria-label"));
  menu.showPopover();
  const { right, bottom, top } = button.getBoundingClientRect();
  const below = bottom + menu.offsetHeight < innerHeight;
  menu.style.top = `${Math.max(8, below ? bottom : top - menu.offsetHeight)}px`;
  menu.style.left = `${Math.min(Math.max(8, right - menu.offsetWidth), innerWidth - menu.offsetWidth - 8)}px`;
  menu.firstChild.focus();
}
