// The conversation's pictures, one at a time and as large as the window allows: to zoom into, and to ask about a part of.

import { Selection } from "./selection.js";
import { say } from "./words.js";
import { Zoom } from "./zoom.js";

const FIRST_PART = [250, 250, 750, 750]; // before it is drawn or moved
const STEP = 1.5;
const PAN_PIXELS = 60;
const PANS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const byId = (id) => document.getElementById(id);
const originalOf = (url) => url.replace(/(\/pictures\/\d+)\?/, "$1/original?");

export class Viewer {
  // `page` offers: conversation, pictures, isFull(), mayRemove(number), removePicture(number), askPart(picture, region, text)
  constructor(dialog, page) {
    this.dialog = dialog;
    this.page = page;
    this.image = dialog.querySelector("img");
    this.part = new Selection(byId("part"));
    this.zoom = new Zoom(byId("stage"), byId("plane"), (scale) => this.#scaled(scale));
    this.beside = false; // whether the last press began and ended outside the picture and its buttons
    dialog.addEventListener("pointerdown", ({ target }) => (this.beside = target === dialog));
    dialog.addEventListener("pointerup", ({ target }) => (this.beside &&= target === dialog));
    dialog.addEventListener("click", ({ target }) => target === dialog && this.beside && dialog.close());
    dialog.addEventListener("keydown", (event) => this.#key(event));
    dialog.addEventListener("close", () => this.image.removeAttribute("src"));
    byId("zoom-in").onclick = () => this.zoom.by(STEP);
    byId("zoom-out").onclick = () => this.zoom.by(1 / STEP);
    byId("previous-picture").onclick = () => this.#turn(-1);
    byId("next-picture").onclick = () => this.#turn(1);
    byId("select-part").onclick = () => this.#select(!this.part.region);
    byId("show-boxes").onclick = () => this.#mark(byId("show-boxes").getAttribute("aria-pressed") !== "true");
    byId("ask-part").onsubmit = (event) => this.#ask(event);
  }

  // `marked` is the address of the picture with what was found drawn on it.
  show(url, number, marked = null) {
    this.#draw({ url, number }, marked);
    if (!this.dialog.open) this.dialog.showModal();
    this.zoom.reset();
  }

  #draw(picture, marked = null) {
    const { number } = (this.picture = picture);
    const caption = number ? say("Picture {number}", { number }) : "";
    this.marked = marked;
    this.image.removeAttribute("style"); // another one's size
    this.image.alt = caption || say("Picture");
    this.dialog.querySelector(".caption").textContent = caption;
    const removal = byId("remove-picture");
    removal.hidden = !(number && this.page.mayRemove(number));
    removal.onclick = () => {
      this.dialog.close();
      this.page.removePicture(number);
    };
    const others = this.page.pictures.length < 2 || !number;
    for (const id of ["previous-picture", "next-picture"]) byId(id).hidden = others;
    for (const id of ["select-part", "original"]) byId(id).hidden = !number;
    byId("original").href = number ? originalOf(picture.url) : "";
    byId("show-boxes").hidden = !marked;
    this.#select(false);
    this.zoom.reset();
    this.#mark(Boolean(marked));
  }

  #mark(shown) {
    byId("show-boxes").setAttribute("aria-pressed", String(shown));
    this.image.src = shown ? this.marked : this.picture.url;
    this.sharp = shown;
  }

  // The model's picture may be smaller than what was sent, which is shown as soon as one looks closely.
  #scaled(scale) {
    if (scale <= 1 || this.sharp || !this.picture?.number) return;
    this.sharp = true;
    const { picture } = this;
    const original = new Image();
    original.onload = () => {
      if (this.picture !== picture || byId("show-boxes").getAttribute("aria-pressed") === "true") return;
      Object.assign(this.image.style, { width: `${this.image.clientWidth}px`, height: `${this.image.clientHeight}px` });
      this.image.src = original.src;
    };
    original.src = originalOf(picture.url);
  }

  #turn(by) {
    const { pictures } = this.page;
    const index = pictures.findIndex(({ number }) => number === this.picture.number);
    if (index < 0 || pictures.length < 2) return;
    this.#draw(pictures[(index + by + pictures.length) % pictures.length]);
  }

  #select(selecting) {
    byId("select-part").setAttribute("aria-pressed", String(selecting));
    byId("ask-part").hidden = !selecting;
    this.zoom.single = selecting ? this.part : null;
    this.part.set(selecting ? FIRST_PART : null);
    if (selecting) this.part.frame.focus();
  }

  #ask(event) {
    event.preventDefault();
    const words = byId("part-question");
    if (!words.value.trim()) return words.focus();
    const [{ picture }, { region }] = [this, this.part];
    this.dialog.close();
    if (this.page.isFull()) return; // the page says so, and the words stay here
    this.page.askPart(picture, region, words.value.trim());
    words.value = "";
  }

  #key(event) {
    if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    const pan = PANS[event.key];
    if (event.key === "+" || event.key === "=") this.zoom.by(STEP);
    else if (event.key === "-") this.zoom.by(1 / STEP);
    else if (event.key === "0") this.zoom.reset();
    else if (pan && this.zoom.scale > 1) this.zoom.move(pan[0] * PAN_PIXELS, pan[1] * PAN_PIXELS);
    else if (event.key === "ArrowLeft" || event.key === "PageUp") this.#turn(-1);
    else if (event.key === "ArrowRight" || event.key === "PageDown") this.#turn(1);
    else return;
    event.preventDefault();
  }
}
