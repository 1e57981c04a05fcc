// The earlier versions of a question and its answer: one after the other in their place, or beside the last one.

import { get, path } from "./api.js";
import { announce, element, iconButton } from "./element.js";
import { Turn } from "./turn.js";
import { say } from "./words.js";

export class Versions {
  constructor(turn, count) {
    this.turn = turn;
    this.known = null; // as the server has them, once somebody wants to see one
    this.place = this.count = count;
    this.label = element("span");
    this.back = iconButton("left", say("Earlier version"), () => this.show(this.place - 1));
    this.on = iconButton("right", say("Later version"), () => this.show(this.place + 1));
    this.both = iconButton("columns", say("Side by side"), () => this.#pair(), { class: "quiet only-wide", "aria-pressed": "false" });
    this.earlier = element("div", { class: "earlier", hidden: true });
    const label = say("Versions of this question");
    this.node = element("div", { class: "versions", role: "group", "aria-label": label }, this.back, this.label, this.on, this.both);
    this.#draw();
  }

  // What it was `place`-th, from 1.
  async show(place) {
    const { turn } = this;
    if (place < 1 || place > this.count) return;
    try {
      this.known ??= (await get(path(turn.page.conversation, `/turns/${turn.number}/versions`))).versions;
    } catch (error) {
      return turn.page.complain(error.message);
    }
    if (!this.node.isConnected) return; // it was asked again meanwhile
    this.place = Math.min(place, this.known.length);
    this.count = this.known.length;
    const last = this.place === this.count;
    const shown = last ? turn : new Turn(turn.page, { ...this.known[this.place - 1], number: 0 }); // what has no number can only be read
    this.earlier.replaceChildren(...(last ? [] : [shown.asked.node, shown.answered]));
    if (last) this.both.setAttribute("aria-pressed", "false");
    this.#draw();
    announce(`${this.label.textContent}. ${shown.spoken}`);
  }

  // Only the turn itself is shown again.
  leave() {
    this.place = this.count;
    this.both.setAttribute("aria-pressed", "false");
    this.#draw();
    this.earlier.remove();
    this.node.remove();
  }

  async #pair() {
    const paired = this.both.getAttribute("aria-pressed") === "true";
    if (this.place === this.count) await this.show(this.count - 1);
    if (this.place === this.count) return; // it could not be had
    this.both.setAttribute("aria-pressed", String(!paired));
    this.#draw();
  }

  #draw() {
    const { turn, place, count } = this;
    const paired = this.both.getAttribute("aria-pressed") === "true";
    this.label.textContent = say("{place} of {count}", { place, count });
    this.back.setAttribute("aria-disabled", String(place === 1)); // a disabled button would lose the focus
    this.on.setAttribute("aria-disabled", String(place === count));
    this.earlier.hidden = place === count;
    turn.node.classList.toggle("paired", paired);
    for (const node of [turn.asked.node, turn.answered]) node.hidden = place < count && !paired;
  }
}
