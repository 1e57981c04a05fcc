// The question that is being typed: kept in this tab through a reload, and while one signs in again.

const NAME = "typed";
const question = document.getElementById("question");

export function keepTyped() {
  question.value = sessionStorage.getItem(NAME) ?? "";
  question.addEventListener("input", () => sessionStorage.setItem(NAME, question.value));
  document.querySelector("form[action='logout']")?.addEventListener("submit", () => sessionStorage.removeItem(NAME));
}

// The server has this question now; what was typed since stays.
export function taken(text) {
  if (sessionStorage.getItem(NAME)?.trim() === text) sessionStorage.removeItem(NAME);
}
