// The pictures of the next question: uploaded as soon as they are chosen, so that they are looked at while one types.
// They belong to one conversation, also when another one is opened while they are on their way.

import { get, path, remove, signedOut, upload } from "./api.js";
import { ofNew } from "./beginning.js";
import { element, icon } from "./element.js";
import { say } from "./words.js";

const onTheirWay = new Set(); // pictures of all conversations

// They would be lost with the page.
addEventListener("beforeunload", (event) => {
  if (!signedOut && [...onTheirWay].some(({ unwanted }) => !unwanted)) event.preventDefault();
});

export class Attached {
  // `page` offers: attached, began(id), removed(numbers), complain(sentence), pages, view(source, number), changed(), limit, uploadBytes
  constructor(list, page, conversation) {
    this.list = list;
    this.page = page;
    this.conversation = conversation; // its id, or null until the server has given one
    this.pictures = []; // { number, url, item } in order; number is null until the server has it
    this.refused = 0;
    this.queue = Promise.resolve();
  }

  // Whether this is what the reader still looks at.
  get current() {
    return this.page.attached === this;
  }

  get empty() {
    return this.pictures.length === 0;
  }

  get numbers() {
    return this.pictures.map((picture) => picture.number).filter((number) => number !== null);
  }

  // What the server keeps waiting for its question, after a reload or because another tab changed it.
  show(pictures) {
    if (pictures.map(({ number }) => number).join() === this.numbers.join()) return;
    this.clear();
    for (const { number, url } of pictures) this.#place({ number, url });
  }

  clear() {
    for (const { url } of this.pictures) if (url.startsWith("blob:")) URL.revokeObjectURL(url);
    this.pictures = [];
    this.list.replaceChildren();
    this.page.changed();
  }

  without(numbers) {
    for (const picture of this.pictures) if (numbers.includes(picture.number)) this.#drop(picture);
  }

  // Whether every chosen picture has arrived, also those that were chosen while the others were on their way.
  async settled() {
    const before = this.refused;
    let queue;
    do {
      queue = this.queue;
      await queue;
    } while (queue !== this.queue);
    return this.refused === before;
  }

  add(files) {
    for (const file of files) {
      if (this.pictures.length >= this.page.limit) {
        this.page.complain(say("At most {limit} pictures in one question, please.", { limit: this.page.limit }));
        return;
      }
      if (file.size > this.page.uploadBytes) {
        this.page.complain(say("This file is too large: at most {limit} MB, please.", { limit: this.page.uploadBytes / 1048576 }));
        continue;
      }
      const picture = this.#place({ number: null, url: URL.createObjectURL(file) });
      onTheirWay.add(picture);
      this.queue = this.queue.then(() => this.#send(file, picture)).finally(() => onTheirWay.delete(picture));
    }
  }

  // What waits of a document now, in place of those `before`.
  exchange(before, pictures) {
    const numbers = pictures.map(({ number }) => number);
    for (const picture of this.pictures) if (before.includes(picture.number) && !numbers.includes(picture.number)) this.#drop(picture);
    for (const { number, url } of pictures) if (!this.numbers.includes(number)) this.#place({ number, url });
  }

  async #send(file, picture) {
    if (picture.unwanted) return; // removed while it waited
    try {
      const answer = await upload("/pictures", file, { conversation: this.conversation, settings: this.conversation ? null : ofNew() });
      this.conversation = answer.conversation;
      const fresh = answer.pictures.filter(({ number }) => !this.numbers.includes(number)); // a document becomes several pictures
      if (picture.unwanted) return await this.#erase(fresh);
      if (!this.current) return;
      this.page.began(answer.conversation);
      this.page.removed(answer.removed);
      if (answer.notes.length) this.page.complain(answer.notes.join(" "));
      const [first, ...more] = fresh;
      if (first) this.#arrived(picture, first);
      else this.#drop(picture);
      for (const { number, url } of more.reverse()) this.#place({ number, url }, picture); // each before the later ones
      this.page.pages.show(answer.document, { fresh: true });
    } catch (error) {
      if (!this.current || picture.unwanted) return;
      this.refused++;
      this.#drop(picture);
      this.page.complain(error.message);
    }
    this.page.changed();
  }

  // At the end, or right after another one.
  #place(picture, before = this.pictures.at(-1)) {
    const image = element("img", { src: picture.url, alt: "" });
    const view = element("button", { type: "button", class: "view", onclick: () => this.page.view(picture.url, picture.number) }, image);
    const removal = element("button", { type: "button", class: "remove", "aria-label": say("Remove this picture"), onclick: () => this.#remove(picture) }, icon("close"));
    picture.item = element("li", { class: "busy" }, view, removal);
    this.pictures.splice(this.pictures.indexOf(before) + 1, 0, picture);
    if (before) before.item.after(picture.item);
    else this.list.append(picture.item);
    if (picture.number !== null) this.#arrived(picture, picture);
    else view.setAttribute("aria-label", say("A picture on its way"));
    this.page.changed();
    return picture;
  }

  #arrived(picture, { number, url }) {
    picture.number = number;
    const view = picture.item.querySelector(".view");
    if (picture.url !== url) {
      const image = view.querySelector("img"); // the server's version: browsers cannot show every kind of file
      image.src = url;
      if (picture.url.startsWith("blob:")) URL.revokeObjectURL(picture.url);
      picture.url = url;
    }
    picture.item.classList.remove("busy");
    view.after(element("span", { class: "number", "aria-hidden": "true" }, String(number)));
    view.setAttribute("aria-label", say("Show picture {number}", { number }));
    picture.item.querySelector(".remove").setAttribute("aria-label", say("Remove picture {number}", { number }));
  }

  #remove(picture) {
    const index = this.pictures.indexOf(picture);
    this.#drop(picture);
    const next = this.list.children[Math.min(index, this.list.children.length - 1)];
    (next?.querySelector(".remove") ?? document.getElementById("question")).focus();
    picture.unwanted = true; // also for an upload that is on its way
    if (picture.number !== null) this.queue = this.queue.then(() => this.#erase([picture])); // before a question is sent
  }

  // On the server, where an earlier question keeps its picture.
  async #erase(pictures) {
    for (const { number } of pictures) {
      await remove(path(this.conversation, `/waiting/${number}`)).catch((error) => this.page.complain(error.message));
    }
    const pages = this.page.pages.document?.chosen.map(({ picture }) => picture) ?? [];
    if (!pages.length || pages.some((number) => this.numbers.includes(number))) return;
    const known = await get(path(this.conversation)).catch(() => null); // a document goes with the last of its pages
    if (known && this.current) this.page.pages.show(known.document);
  }

  #drop(picture) {
    this.pictures = this.pictures.filter((other) => other !== picture);
    picture.item.remove();
    this.page.changed();
  }
}

