// One question and its answer on the page.

import { element, icon, iconButton, prose } from "./element.js";
import { say } from "./words.js";

export class Turn {
  // `page` offers: view(url, number), retry(turn), again(turn, key)
  constructor(page, { text, pictures, answer = null }) {
    this.page = page;
    this.text = text;
    this.pictures = pictures;
    this.status = element("div", { class: "status", hidden: true }, element("span"));
    this.words = element("div");
    this.foot = element("div");
    this.answered = element("div", { class: "answered" }, this.status, this.words, this.foot);
    this.node = element("article", { class: "turn" }, this.#asked(), this.answered);
    if (answer) this.finish(answer);
  }

  say(sentence, lost = false) {
    this.status.hidden = false;
    this.status.classList.toggle("lost", lost);
    this.status.firstChild.textContent = sentence;
  }

  begin() {
    this.answered.classList.add("writing");
    this.answered.setAttribute("aria-busy", "true");
    this.foot.replaceChildren();
    this.words.replaceChildren();
    this.say(say("Sending your question …"));
  }

  write(html) {
    this.status.hidden = true;
    this.words.replaceChildren(prose(html));
  }

  finish(answer) {
    this.#end();
    this.answer = answer;
    this.words.replaceChildren(prose(answer.html));
    const note = noteOf(answer);
    this.foot.replaceChildren();
    if (note) this.foot.append(element("p", { class: "note" }, note));
    this.foot.append(this.#actions(answer));
  }

  fail(sentence) {
    this.#end();
    const again = element("button", { type: "button", onclick: () => this.page.again(this) }, icon("again"), say("Try again"));
    this.foot.replaceChildren(element("div", { class: "trouble", role: "alert" }, icon("warn"), element("span", {}, sentence), again));
  }

  // Only the last answer can be drawn again.
  setLast(last) {
    this.node.classList.toggle("last", last);
    const button = this.foot.querySelector(".again");
    if (button) button.hidden = !last;
  }

  #end() {
    this.status.hidden = true;
    this.answered.classList.remove("writing");
    this.answered.removeAttribute("aria-busy");
  }

  #asked() {
    const shown = element("ul", { class: this.pictures.length > 1 ? "shown many" : "shown" });
    for (const { number, url } of this.pictures) {
      const image = element("img", { src: url, alt: "", loading: "lazy" });
      const badge = element("span", { class: "number", "aria-hidden": "true" }, String(number));
      const label = say("Show picture {number}", { number });
      shown.append(element("li", {}, element("button", { type: "button", class: "view", "aria-label": label, onclick: () => this.page.view(url, number) }, image, badge)));
    }
    const words = element("div", { class: "words" }, element("span", { class: "unseen" }, say("You asked:") + " "), this.text);
    return element("div", { class: "asked" }, this.pictures.length ? shown : null, words);
  }

  #actions(answer) {
    const actions = element("div", { class: "actions" });
    const copy = iconButton("copy", say("Copy the answer"), async () => {
      await copyText(answer.text);
      copy.replaceChildren(icon("done"));
      setTimeout(() => copy.replaceChildren(icon("copy")), 1600);
    });
    const again = iconButton("again", say("Answer again"), () => this.page.retry(this), { class: "quiet again" });
    actions.append(copy, again);
    return actions;
  }
}

function noteOf(answer) {
  if (answer.ending === "stopped") return say("(stopped)");
  if (answer.ending === "length") return say("(cut at the length limit; ask me to go on)");
  if (answer.ending === "failed") return say("Something went wrong on my side. Please try again.");
  return answer.text.trim() ? "" : say("(the model had nothing to say)");
}

async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = element("textarea", { class: "unseen", readonly: true }); // no clipboard API where the page has no TLS
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
