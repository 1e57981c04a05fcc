// Deletes a conversation some seconds after somebody said so. Until then it can be had back.

import { address, path, remove } from "./api.js";
import { announce } from "./element.js";
import { say } from "./words.js";

const PAUSE_MS = 8_000;

export class Undo {
  // `list` offers: draw(), load(), complain(sentence), back(id)
  constructor(bar, list) {
    this.bar = bar;
    this.list = list;
    this.gone = new Set(); // the ids of what is deleted, or will be
    this.waiting = null; // the id of what can be had back
    bar.querySelector("button").onclick = () => this.#back();
    for (const event of ["pointerenter", "focusin"]) bar.addEventListener(event, () => clearTimeout(this.timer));
    for (const event of ["pointerleave", "focusout"]) bar.addEventListener(event, () => this.#wait());
    // Who leaves the page has made up their mind. Telephones end a page in the background without a word.
    const leave = () => this.waiting && fetch(address(this.#taken(), ""), { method: "DELETE", keepalive: true });
    addEventListener("pagehide", leave);
    document.addEventListener("visibilitychange", () => document.hidden && leave());
  }

  // Who uses the keyboard has the way back at hand, and it does not go while it is `focused`.
  remove(id, title, focused) {
    this.finish();
    this.gone.add(id);
    this.waiting = id;
    this.bar.firstElementChild.textContent = say("“{title}” is deleted.", { title });
    this.bar.hidden = false;
    announce(this.bar.firstElementChild.textContent);
    if (focused) this.bar.querySelector("button").focus();
    this.#wait();
    this.list.draw();
  }

  async finish() {
    const id = this.#taken();
    if (!id) return;
    try {
      await remove(path(id));
    } catch (error) {
      if (error.status === 404) return;
      this.gone.delete(id);
      this.list.complain(error.message);
    }
    await this.list.load();
  }

  #wait() {
    clearTimeout(this.timer);
    if (this.waiting) this.timer = setTimeout(() => this.finish(), PAUSE_MS);
  }

  #back() {
    const id = this.#taken();
    this.gone.delete(id);
    this.list.back(id);
  }

  #taken() {
    const id = this.waiting;
    this.waiting = null;
    this.bar.hidden = true;
    clearTimeout(this.timer);
    return id;
  }
}
