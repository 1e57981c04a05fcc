// The question that is being typed: kept in this tab through a reload, and while one signs in again.

import { atSignOut } from "./sign_out.js";

const NAME = "typed";
const question = document.getElementById("question");

export function keepTyped() {
  question.value = sessionStorage.getItem(NAME) ?? "";
  question.addEventListener("input", () => sessionStorage.setItem(NAME, question.value));
  atSignOut(() => sessionStorage.removeItem(NAME));
}

// The server has this question now; what was typed since stays.
export function taken(text) {
  if (sessionStorage.getItem(NAME)?.trim() === text) sessionStorage.removeItem(NAME);
}
