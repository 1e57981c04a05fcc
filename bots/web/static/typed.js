// What is being typed: kept in this tab through a reload, and while one signs in again.

import { atSignOut } from "./sign_out.js";

const QUESTION = "question";
const FIELDS = [QUESTION, "part-question"];

const nameOf = (id) => `typed ${id}`;
const nameOfEdit = ({ page, number }) => `typed for ${number} of ${page.conversation}`;

export function keepTyped() {
  for (const field of FIELDS.map((id) => document.getElementById(id))) {
    field.value = sessionStorage.getItem(nameOf(field.id)) ?? "";
    field.addEventListener("input", () => sessionStorage.setItem(nameOf(field.id), field.value));
  }
  atSignOut(() => {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(nameOf(""))) sessionStorage.removeItem(name);
  });
}

// The line keeps this question now; what was typed since stays.
export function taken(text) {
  for (const name of FIELDS.map(nameOf)) if (sessionStorage.getItem(name)?.trim() === text) sessionStorage.removeItem(name);
}

// The server does not take this question: after a reload it is where one asks, unless another one is.
export function refused(text) {
  if (!sessionStorage.getItem(nameOf(QUESTION))) sessionStorage.setItem(nameOf(QUESTION), text);
}

// The words of a turn that is being asked in other words, or null.
export const editOf = (turn) => sessionStorage.getItem(nameOfEdit(turn));
export const keepEdit = (turn, words) => sessionStorage.setItem(nameOfEdit(turn), words);
export const forgetEdit = (turn) => sessionStorage.removeItem(nameOfEdit(turn));
