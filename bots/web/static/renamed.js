// Asks for another name. Resolves with it, or with null.

let settle = () => {};

export function renamed(name) {
  settle(null);
  const dialog = document.getElementById("rename");
  const field = document.getElementById("name");
  field.value = name;
  dialog.returnValue = "";
  dialog.onclose = () => dialog.open || settle(dialog.returnValue === "yes" ? field.value.trim() : null);
  document.getElementById("keep-name").onclick = () => dialog.close("");
  dialog.showModal();
  field.select();
  return new Promise((resolve) => (settle = resolve));
}
