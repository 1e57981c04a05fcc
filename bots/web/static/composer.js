// Where one asks: the question, its buttons, and every way for a picture to get there.

import { dropping } from "./dropping.js";
import { sends } from "./keys.js";

const byId = (id) => document.getElementById(id);

// `page` offers: ask(text), stop(), add(files), sample(address, question), changed()
export function listen(page) {
  const question = byId("question");
  byId("composer").onsubmit = (event) => {
    event.preventDefault();
    if (!byId("send").disabled) page.ask(question.value);
  };
  question.onkeydown = (event) => {
    if (!sends(event)) return;
    event.preventDefault();
    byId("composer").requestSubmit();
  };
  question.oninput = () => page.changed();
  for (const button of byId("first-questions").children) button.onclick = () => first(button.dataset);
  byId("stop").onclick = () => page.stop();
  const files = byId("files");
  const camera = byId("camera");
  for (const button of [byId("choose"), document.querySelector("[data-choose]")]) button.onclick = () => files.click();
  byId("photograph").onclick = () => camera.click();
  for (const input of [files, camera]) {
    input.onchange = () => {
      page.add(input.files);
      input.value = "";
    };
  }
  for (const button of document.querySelectorAll("[data-sample]")) button.onclick = () => page.sample(button.dataset.sample, button.dataset.question);
  document.querySelector(".skip").onclick = (event) => {
    event.preventDefault(); // following the link would be a popstate, and open a conversation named "question"
    question.focus();
  };
  addEventListener("paste", (event) => page.add(event.clipboardData?.files ?? []));
  dropping((dropped) => page.add(dropped));

  // Asks a first question, or writes it where one replaces some of its words.
  function first({ question: text, words }) {
    if (!words) return page.ask(text);
    const start = text.indexOf(words);
    question.value = text;
    question.focus();
    question.setSelectionRange(start, start + words.length);
    question.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
}
