// The pages of the conversation's document, small, to tick those that the next question shows.

import { path, put } from "./api.js";
import { element } from "./element.js";
import { say } from "./words.js";

const MOST_SHOWN = 1000; // of a longer document the others are named in the question
const OPENING_MS = 60_000;
const AGAIN_MS = 5000; // until a page's picture that did not come is asked for again
const MOST_TRIES = 5;
const LOW_PIXELS = 600; // a window where the strip opens only when it is asked to
const TICKED = "ticked"; // the documents whose pages were chosen in this tab, and not asked about yet
const MOST_TICKED = 20;
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };

export class Pages {
  // `page` offers: attached, line, reading, changed(), removed(numbers), complain(sentence)
  constructor(details, page) {
    this.details = details;
    this.strip = details.querySelector("div");
    this.page = page;
    this.document = null; // as the server describes it
    this.boxes = []; // one for each page
    this.wanted = null; // { attached, pages }: what is ticked and the server was not told yet
    this.telling = null; // the pictures of the question that the server is being told about
    this.seen = new IntersectionObserver((entries) => this.#load(entries), { root: this.strip, rootMargin: "0px 400px" });
    this.strip.addEventListener("change", ({ target }) => this.#tick(target));
    this.strip.addEventListener("keydown", (event) => this.#key(event));
    this.strip.addEventListener("focusin", ({ target }) => this.#reach(target));
  }

  // Whether a choice is on its way to the server.
  get busy() {
    const { attached } = this.page;
    return this.wanted?.attached === attached || this.telling === attached;
  }

  // `document` is null where there is none; one that just came is opened to choose from.
  show(document, { fresh = false } = {}) {
    const same = document?.thumbnail === this.document?.thumbnail;
    this.document = document;
    if (!same) this.#draw();
    this.details.hidden = !document;
    if (fresh && !same) this.details.open = innerHeight > LOW_PIXELS;
    this.sync();
  }

  // What is ticked follows from what waits for the question.
  sync() {
    if (!this.document || this.busy) return;
    const { numbers } = this.page.attached;
    const chosen = new Set(this.document.chosen.filter(({ picture }) => numbers.includes(picture)).map(({ page }) => page));
    for (const box of this.boxes) box.checked = chosen.has(Number(box.value));
    this.#count();
  }

  // The pages of a question that is asked now: none unless somebody chose them, as its words may name others.
  taken() {
    this.details.open = false;
    if (!kept().includes(this.document?.id)) return {};
    keep(this.document.id, false);
    return { pages: this.#ticked().join(","), document: this.document.id };
  }

  #ticked() {
    return this.boxes.filter(({ checked }) => checked).map(({ value }) => Number(value));
  }

  #count() {
    const { pages, limit } = this.document;
    const summary = say("Pages for the next question: {chosen} of {of}, at most {limit}", { chosen: this.#ticked().length, of: pages, limit });
    this.details.querySelector("summary").textContent = summary;
  }

  #draw() {
    this.seen.disconnect();
    this.wanted = null;
    this.boxes = [];
    const labels = [];
    const shown = Math.min(this.document?.pages ?? 0, MOST_SHOWN);
    for (let page = 1; page <= shown; page++) {
      const box = element("input", { type: "checkbox", value: page, tabindex: page === 1 ? 0 : -1, "aria-label": say("Page {page}", { page }) });
      const image = element("img", { alt: "", "data-page": page });
      this.boxes.push(box);
      this.seen.observe(image);
      labels.push(element("label", {}, box, image, element("span", { "aria-hidden": "true" }, String(page))));
    }
    const more = this.document?.pages > MOST_SHOWN && element("p", {}, say("For others, name them in your question."));
    this.strip.replaceChildren(...labels, ...(more ? [more] : []));
    this.strip.scrollLeft = 0;
  }

  // A page's picture comes when it is about to be seen.
  #load(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting || !this.document) continue;
      this.seen.unobserve(target);
      const tries = (target.dataset.tries = Number(target.dataset.tries ?? 0) + 1);
      target.onerror = () => tries < MOST_TRIES && setTimeout(() => this.seen.observe(target), AGAIN_MS); // the server was busy
      target.src = this.document.thumbnail.replace("{page}", target.dataset.page);
    }
  }

  #tick(box) {
    const { limit } = this.document;
    const ticked = this.#ticked();
    const many = ticked.length > limit && say("At most {limit} pages in one question, please.", { limit });
    // Pages of a question that the server has not got yet are not known to it as its own.
    const { line, reading } = this.page;
    const unsent = line.entries.some(({ sent }) => !sent) || (reading.turn && !reading.turn.begun);
    const early = unsent && say("Please wait for the answers to your earlier questions first.");
    if (many || early) {
      box.checked = !box.checked;
      return this.page.complain(many || early);
    }
    this.page.complain("");
    keep(this.document.id, true);
    const { attached } = this.page;
    this.wanted = { attached, pages: ticked };
    this.#count();
    this.page.changed();
    attached.queue = attached.queue.then(() => this.#tell(attached)); // before a question is sent
  }

  // The server, of the newest choice. Earlier ones need not be told any more.
  async #tell(attached) {
    const { document, wanted } = this;
    if (!attached.current || wanted?.attached !== attached) return;
    this.wanted = null;
    this.telling = attached;
    const before = document.chosen.map(({ picture }) => picture);
    try {
      const answer = await put(path(attached.conversation, "/document/chosen"), { pages: wanted.pages }, { patience: OPENING_MS });
      if (!attached.current) return;
      this.page.removed(answer.removed);
      attached.exchange(before, answer.pictures);
      this.document = answer.document ?? this.document;
    } catch (error) {
      if (!attached.current) return;
      attached.refused++;
      this.page.complain(error.message);
      if (error.status === 404) this.show(null);
    } finally {
      if (this.telling === attached) this.telling = null;
    }
    this.page.changed();
  }

  // One stop for the Tab key; arrows go on from there. Enter would send the question.
  #key(event) {
    const { key, target } = event;
    const index = this.boxes.indexOf(target);
    if (index < 0) return;
    if (key === "Enter") target.click();
    else if (key in STEPS) this.boxes[Math.min(Math.max(index + STEPS[key], 0), this.boxes.length - 1)].focus();
    else return;
    event.preventDefault();
  }

  #reach(box) {
    for (const other of this.boxes) if (other.tabIndex === 0) other.tabIndex = -1;
    box.tabIndex = 0;
  }
}

const kept = () => JSON.parse(sessionStorage.getItem(TICKED)) ?? [];

function keep(id, chosen) {
  const others = kept().filter((other) => other !== id);
  sessionStorage.setItem(TICKED, JSON.stringify(chosen ? [...others, id].slice(-MOST_TICKED) : others));
}
