// Shows the link that opens a conversation for reading, and revokes it.

import { copyFrom } from "./copying.js";
import { path, post, remove } from "./api.js";

const dialog = document.getElementById("share");

// Throws the server's refusal.
export async function shareLink(id, complain) {
  const { path: address } = await post(path(id, "/link"));
  const field = document.getElementById("link");
  field.value = new URL(address, location.href).href;
  const copy = document.getElementById("copy-link");
  copy.onclick = () => copyFrom(copy, field.value);
  document.getElementById("unshare").onclick = () => {
    dialog.close();
    remove(path(id, "/link")).catch(({ message }) => complain(message));
  };
  dialog.showModal();
  field.select();
}
