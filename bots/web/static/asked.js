// What one has asked: its pictures, its words, and the form in which it is asked in other words.

import { element, iconButton } from "./element.js";
import { sends } from "./keys.js";
import { forgetEdit, keepEdit } from "./typed.js";
import { say } from "./words.js";

export class Asked {
  // `turn` offers: page, number, edit(words)
  constructor(turn, text, pictures) {
    this.turn = turn;
    this.words = element("div", { class: "words" });
    this.opener = iconButton("edit", say("Ask in other words"), () => this.edit(this.text), { hidden: true });
    this.said = element("div", { class: "said" }, this.opener, this.words);
    this.node = element("div", { class: "asked" }, this.said);
    this.form = null; // while one edits
    this.update(pictures);
    this.show(text);
  }

  show(text) {
    this.text = text;
    this.words.replaceChildren(element("span", { class: "unseen" }, say("You asked:") + " "), text);
  }

  // Numbered pictures with their addresses.
  update(pictures) {
    const shown = element("ul", { class: pictures.length > 1 ? "shown many" : "shown" });
    for (const { number, url } of pictures) {
      const image = element("img", { src: url, alt: "", loading: "lazy" });
      const badge = element("span", { class: "number", "aria-hidden": "true" }, String(number));
      const label = say("Show picture {number}", { number });
      const view = () => this.turn.page.view(url, number);
      shown.append(element("li", {}, element("button", { type: "button", class: "view", "aria-label": label, onclick: view }, image), badge));
    }
    this.node.querySelector(".shown")?.remove();
    if (pictures.length) this.node.prepend(shown);
  }

  edit(words, { focused = true } = {}) {
    const field = element("textarea", { maxlength: 8000, rows: 1, enterkeyhint: "send", "aria-label": say("Your question in other words") });
    const ask = element("button", { class: "primary" }, say("Ask"));
    const cancel = element("button", { type: "button", onclick: () => this.#giveUp() }, say("Cancel"));
    const check = () => (ask.disabled = !field.value.trim());
    const typed = () => (check(), keepEdit(this.turn, field.value));
    const form = element("form", { class: "edit", oninput: typed }, field, element("div", { class: "choices" }, cancel, ask));
    form.onsubmit = (event) => {
      event.preventDefault();
      this.turn.edit(field.value.trim());
    };
    form.onkeydown = (event) => {
      if (event.key === "Escape" && !event.isComposing) {
        event.stopPropagation(); // it would stop an answer
        this.#giveUp();
      } else if (event.target === field && sends(event)) {
        event.preventDefault();
        if (!ask.disabled) form.requestSubmit();
      }
    };
    this.form?.remove();
    this.form = form;
    this.said.hidden = true;
    this.node.append(form);
    field.value = words;
    if (words !== this.text) keepEdit(this.turn, words);
    check();
    if (focused) field.focus();
  }

  // Its words are asked, or given up.
  close() {
    forgetEdit(this.turn);
    this.said.hidden = false;
    this.form?.remove();
    this.form = null;
  }

  #giveUp() {
    this.close();
    (this.opener.hidden ? this.turn.answered : this.opener).focus();
  }
}
