// Keeps the keyboard's place: when the focused element goes away, another one takes the focus, and never the page's body.

let held = null; // the focused element, and where it was: { element, name, list, place, turn }

addEventListener("focusin", ({ target }) => {
  const item = target.closest("li");
  const place = item ? [...item.parentElement.children].indexOf(item) : 0;
  held = { element: target, name: target.dataset.focus, list: item?.parentElement, place, turn: target.closest(".turn") };
});
// Who presses beside it has let go of it.
addEventListener("pointerdown", ({ target }) => held?.element.contains(target) || (held = null), true);

// Watches the whole page. The observer is called before the browser itself looks for a lost focus.
export function keepFocus() {
  const attributeFilter = ["class", "disabled", "hidden", "inert", "open"];
  new MutationObserver(mend).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter });
}

function mend() {
  if (!held || usable(held.element) || usable(document.activeElement)) return;
  successor()?.focus({ preventScroll: true });
}

// The same thing drawn anew, what moved up in its list, the answer it belonged to, or where one asks.
function successor() {
  const { name, list, place, turn } = held;
  const again = name && document.querySelector(`[data-focus="${CSS.escape(name)}"]`);
  const items = list?.isConnected ? [...list.children].filter((item) => item.querySelector("button")) : [];
  const moved = items.find((item) => [...list.children].indexOf(item) >= place) ?? items.at(-1);
  const found = [again, moved?.querySelector("button"), turn?.querySelector(".answered")].find((it) => it && usable(it));
  return found ?? home();
}

// A finger gets no keyboard that it did not ask for. While the list lies over the page, one stays in the list.
function home() {
  const asking = matchMedia("(pointer: fine)").matches ? "question" : "scroller";
  return [asking, "close-sidebar"].map((id) => document.getElementById(id)).find(usable);
}

function usable(element) {
  return element !== document.body && element?.isConnected && !element.disabled && !element.closest("[inert]") && element.checkVisibility();
}
