// Asks before something is gone for good.

let settle = () => {};

export function confirmed(question) {
  settle(false); // an earlier question whose dialog is closed, but whose event is still on its way
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-question").textContent = question;
  dialog.returnValue = "";
  dialog.onclose = () => dialog.open || settle(dialog.returnValue === "yes");
  dialog.showModal();
  return new Promise((resolve) => (settle = resolve));
}
