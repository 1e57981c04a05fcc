// How conversations that begin in this browser are answered: kept here until their first picture brings it to the server.

import { atSignOut } from "./sign_out.js";

const NAME = "settings";

// As JSON, or null for the usual.
export const ofNew = () => localStorage.getItem(NAME);
export const keepForNew = (settings) => localStorage.setItem(NAME, JSON.stringify(settings));

// What was changed in the panel and not saved yet, in this tab.
export const draftOf = (conversation) => `${NAME} of ${conversation ?? "new"}`;

// Who signs out leaves nothing to the next person.
export function forgetAtSignOut() {
  atSignOut(() => {
    localStorage.removeItem(NAME);
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(draftOf(""))) sessionStorage.removeItem(name);
  });
}
