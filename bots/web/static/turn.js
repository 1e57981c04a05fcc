// One question and its answer on the page.

import { Asked } from "./asked.js";
import { copyFrom, richOf } from "./copying.js";
import { announce, element, icon, iconButton, prose } from "./element.js";
import { grow } from "./grow.js";
import { wordsOf } from "./math.js";
import { editOf } from "./typed.js";
import { say } from "./words.js";

export class Turn {
  // `page` offers: conversation, heard(conversation), view(url, number), viewMarked(url, number), edit(turn, words), retry(turn), again(turn), smallPrint(turn), goOn(), rate(turn, rating), complain(sentence); and sets `request`
  constructor(page, { number = 0, text, pictures, answer = null }) {
    this.page = page;
    this.number = number; // in the conversation, once it was answered
    this.text = text; // of what is answered; while it is asked in other words, `asked` has those
    this.failed = false; // here; the server may have no turn of it
    this.shown = null; // what `lookOf` its answer says
    this.rating = Promise.resolve(); // until then the server is told of thumbs that were pressed
    this.pictures = pictures;
    this.asked = new Asked(this, text, pictures);
    this.versions = null; // where there are others
    this.status = element("div", { class: "status", hidden: true }, element("span"));
    this.words = element("div");
    this.foot = element("div");
    this.answered = element("div", { class: "answered", tabindex: "-1" }, this.status, this.words, this.foot);
    this.node = element("article", { class: "turn" }, this.asked.node, this.answered);
    if (answer) this.finish(answer);
    const edit = number ? editOf(this) : null;
    if (edit !== null) this.asked.edit(edit, { focused: false });
  }

  // Whether its answer is only here: the server keeps nothing of this conversation.
  get unkept() {
    return Boolean(this.shown) && !this.number;
  }

  // What a screen reader says of the answer.
  get spoken() {
    const said = [...this.words.querySelectorAll(".prose > :not(.thoughts)")];
    return [say("Answer:"), ...said.map(wordsOf)].join(" ");
  }

  // Whether a turn of the server is this one.
  is({ number, text, answer }) {
    return this.number ? this.number === number : this.failed && answer?.ending === "failed" && this.text === text;
  }

  // Whether it looks the same already. What failed here keeps its button.
  shows({ text, pictures, answer }) {
    const same = JSON.stringify(this.shown) === JSON.stringify(answer && lookOf(answer)) || (this.failed && answer?.ending === "failed");
    return same && this.text === text && numbersOf(this.pictures) === numbersOf(pictures);
  }

  say(sentence, lost = false) {
    this.status.hidden = false;
    this.status.classList.toggle("lost", lost);
    this.status.firstChild.textContent = sentence;
    if (!lost) announce(sentence);
  }

  // The server's events, as `asking` hears them

  conversation({ conversation }) {
    this.begun = true; // the server has it
    this.page.heard(conversation);
  }

  waiting({ place, seconds }) {
    if (place < 1) return;
    if (seconds === null) this.say(say("You are number {place} in line …", { place }));
    else this.say(say("You are number {place} in line, about {seconds} s …", { place, seconds: Math.max(1, Math.round(seconds)) }));
  }

  looking({ picture, of }) {
    this.say(say("Looking at picture {picture} of {of} …", { picture, of }));
  }

  again() {
    this.words.replaceChildren();
    this.say(say("The model was interrupted. I begin again …"));
  }

  html({ html }) {
    this.status.hidden = true;
    this.#write(html);
  }

  lost() {
    this.say(say("The connection is lost. Trying again …"), true);
  }

  // Until the answers before it are there. Then it may be taken back, unless the server has it.
  wait(words = this.text, takeBack) {
    this.begin(words);
    this.answered.removeAttribute("aria-busy");
    this.answered.classList.replace("writing", "waiting");
    this.say(takeBack ? say("Waits for the answer before it. It is lost if you close this tab.") : say("Waits for the answer before it."));
    if (takeBack) this.foot.append(element("button", { type: "button", class: "pill", onclick: takeBack }, icon("close"), say("Take it back")));
  }

  // With other words where it is edited.
  begin(words = this.text) {
    this.failed = false;
    this.begun = false;
    if (editOf(this)?.trim() === words) this.asked.close(); // it was given back at the end of a session
    this.asked.show(words);
    this.#offer(1);
    this.answered.classList.remove("waiting");
    this.answered.classList.add("writing");
    this.answered.setAttribute("aria-busy", "true");
    this.before = [...this.words.childNodes]; // an answer that stays unless another one takes its place
    this.foot.replaceChildren();
    this.words.replaceChildren();
    this.say(say("Sending your question …"));
  }

  finish(answer) {
    this.#end();
    this.text = this.asked.text;
    this.shown = lookOf(answer);
    if (answer.number) this.number = answer.number;
    if (answer.pictures) this.#update(answer.pictures);
    this.#write(answer.html);
    if (answer.marked.length) this.words.append(this.#marked(answer.marked));
    const note = noteOf(answer);
    this.foot.replaceChildren();
    if (note) this.foot.append(element("p", { class: "note" }, note));
    const receipt = [answer.receipt, ...(answer.notes ?? [])].filter(Boolean).join(" · ");
    if (receipt) this.foot.append(element("p", { class: "receipt" }, receipt));
    this.foot.append(this.#actions(answer));
    this.#offer(answer.versions);
  }

  // With a button where the same may go well now.
  fail({ message, retryable }) {
    this.#end();
    this.failed = true;
    const unanswered = this.asked.text;
    this.asked.show(this.text);
    if (unanswered !== this.text) this.asked.edit(unanswered, { focused: false }); // who writes elsewhere goes on there
    if (this.before.length) this.words.replaceChildren(...this.before);
    this.#offer(this.shown?.versions);
    const again = retryable && element("button", { type: "button", onclick: () => this.page.again(this) }, icon("again"), say("Try again"));
    this.foot.replaceChildren(element("div", { class: "trouble", role: "alert" }, icon("warn"), element("span", {}, message), again || null));
  }

  edit(words) {
    this.page.edit(this, words);
  }

  // The server has this rating: 1, -1, or 0 for none.
  rated(rating) {
    this.shown.rating = rating;
    for (const thumb of this.foot.querySelectorAll("[data-rating]")) thumb.setAttribute("aria-pressed", String(Number(thumb.dataset.rating) === rating));
  }

  // Only the last answer can be drawn again, and only what is answered can be asked in other words.
  setLast(last, idle) {
    this.node.classList.toggle("last", last);
    this.asked.opener.hidden = !(idle && this.number);
    for (const button of this.foot.querySelectorAll(".again, .go-on")) button.hidden = !last;
  }

  #write(html) {
    const fresh = element("div", {}, prose(html));
    grow(this.words, fresh);
  }

  #end() {
    this.status.hidden = true;
    this.answered.classList.remove("writing");
    this.answered.removeAttribute("aria-busy");
  }

  // Pictures that the conversation no longer has.
  without(numbers) {
    this.#update(this.pictures.filter(({ number }) => !numbers.includes(number)));
    for (const item of this.words.querySelectorAll(".marked > li")) if (numbers.includes(Number(item.dataset.number))) item.remove();
    if (this.shown) this.shown.marked = this.shown.marked.filter((number) => !numbers.includes(number));
  }

  // A closer look has new pictures.
  #update(pictures) {
    if (numbersOf(pictures) === numbersOf(this.pictures)) return;
    this.pictures = pictures;
    this.asked.update(pictures);
  }

  #marked(marked) {
    const shown = element("ul", { class: "marked" });
    for (const { number, url } of marked) {
      const image = element("img", { src: url, alt: say("Picture {number}, with what was found marked in it", { number }) });
      shown.append(element("li", { "data-number": number }, element("button", { type: "button", class: "view", onclick: () => this.page.viewMarked(url, number) }, image)));
    }
    return shown;
  }

  // Its module comes when it is wanted: most questions have one version.
  async #offer(count) {
    this.versions?.leave();
    this.versions = null;
    const offered = (this.offered = {});
    if (!(this.number && count > 1)) return;
    const found = await import("./versions.js").catch(() => null); // offered again when the conversation is opened again
    if (!found || offered !== this.offered) return;
    this.versions = new found.Versions(this, count);
    this.node.prepend(this.versions.earlier);
    this.node.append(this.versions.node);
  }

  #actions(answer) {
    const actions = element("div", { class: "actions" });
    const copy = iconButton("copy", say("Copy the answer"), () => copyFrom(copy, answer.text, richOf(answer.html)));
    const again = iconButton("again", say("Answer again"), () => this.page.retry(this), { class: "quiet again" });
    actions.append(copy);
    if (!this.unkept) actions.append(again);
    if (this.number && this.page.ratings) actions.append(...this.#thumbs(answer.rating));
    if (answer.table) actions.append(download(answer.table, "table", say("Table as CSV")));
    if (answer.file) actions.append(download(answer.file, "file", say("As a text file")));
    if (this.unkept) return actions; // there is nothing to go on from
    if (answer.ending === "length") actions.append(element("button", { type: "button", class: "pill go-on", onclick: () => this.page.goOn() }, icon("down"), say("Go on")));
    if (answer.small_print) actions.append(element("button", { type: "button", class: "pill", onclick: () => this.page.smallPrint(this) }, icon("zoom"), say("Read the small print")));
    return actions;
  }

  #thumbs(given) {
    return [
      [1, say("A good answer"), "quiet"],
      [-1, say("A bad answer"), "quiet thumb-down"],
    ].map(([rating, label, look]) => {
      const tap = () => this.page.rate(this, this.shown.rating === rating ? 0 : rating);
      // One after the other: of two requests at once the earlier could be stored last.
      const queue = () => (this.rating = this.rating.then(tap));
      return iconButton("thumb", label, queue, { class: look, "data-rating": rating, "aria-pressed": String(rating === given) });
    });
  }
}

// What tells an answer from another one, or from what has become of it.
function lookOf({ html, rating, versions, marked, receipt, small_print }) {
  return { html, rating, versions, marked: marked.map(({ number }) => number), receipt, small_print };
}

function numbersOf(pictures) {
  return pictures.map(({ number }) => number).join();
}

function download(address, name, label) {
  return element("a", { class: "pill", href: address, download: "" }, icon(name), label);
}

function noteOf(answer) {
  if (answer.ending === "stopped") return say("(stopped)");
  if (answer.ending === "length") return say("(This is as long as one answer can be. Say “go on” for the rest.)");
  if (answer.ending === "repeated") return say("(I began to repeat myself, so I stopped. Please ask in other words.)");
  if (answer.ending === "failed") return say("Something went wrong on my side. Please try again.");
  return answer.text.trim() ? "" : say("(No answer came. Please ask in other words.)");
}
