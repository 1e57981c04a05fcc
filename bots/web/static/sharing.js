// Shows the link that opens a conversation for reading, and revokes it.

import { copyFrom } from "./copying.js";
import { path, post, remove } from "./api.js";

const dialog = document.getElementById("share");
let latest = null; // the wish to see a link: an earlier one's link would look like that of the later one
let revoked = Promise.resolve(); // before that a link which is about to go would be had again

// Throws the server's refusal.
export async function shareLink(id, complain) {
  const wish = (latest = {});
  await revoked;
  const { path: address } = await post(path(id, "/link"));
  if (wish !== latest) return;
  const field = document.getElementById("link");
  field.value = new URL(address, location.href).href;
  const copy = document.getElementById("copy-link");
  copy.onclick = () => copyFrom(copy, field.value);
  document.getElementById("unshare").onclick = () => {
    dialog.close();
    revoked = remove(path(id, "/link")).catch(({ message }) => complain(message));
  };
  dialog.showModal();
  field.select();
}
