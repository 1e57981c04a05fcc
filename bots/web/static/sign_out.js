// What this browser keeps for a person goes when that person signs out.

export function atSignOut(forget) {
  document.querySelector("form[action='logout']")?.addEventListener("submit", forget);
}
