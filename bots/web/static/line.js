// Questions that wait until the answers before them are there. They are kept in this tab through a reload; who goes to
// another conversation leaves them to the server, which answers them in their order.

import { events, newKey } from "./api.js";
import { requestOf } from "./reading.js";

const LIMIT = 3; // with the one that is answered the server takes four
const NAME = "line of ";

export class Line {
  // `page` offers: conversation, takenBack(entry)
  constructor(page) {
    this.page = page;
    this.entries = []; // { turn, where, fields, key, sent }: `sent` is with the server already
    document.querySelector("form[action='logout']")?.addEventListener("submit", () => {
      for (const name of Object.keys(sessionStorage)) if (name.startsWith(NAME)) sessionStorage.removeItem(name);
    });
  }

  get full() {
    return this.entries.length >= LIMIT;
  }

  add(turn, where, fields, key = newKey(), sent = false) {
    const entry = { turn, where, fields, key, sent };
    this.entries.push(entry);
    turn.wait(fields.query, sent ? null : () => this.#takeBack(entry));
    this.#keep();
  }

  next() {
    const entry = this.entries.shift();
    this.#keep();
    return entry;
  }

  // What this tab kept, without what the server has.
  kept(keys) {
    const found = JSON.parse(sessionStorage.getItem(NAME + this.page.conversation)) ?? [];
    return found.filter(({ key }) => !keys.includes(key));
  }

  // The reader goes to another conversation.
  async leave() {
    const left = this.entries.filter(({ sent }) => !sent);
    const name = NAME + this.page.conversation;
    this.entries = [];
    try {
      for (const { where, fields, key } of left) await hand(where, fields, key);
      if (left.length) sessionStorage.removeItem(name);
    } catch {
      // They wait here until the conversation is opened again.
    }
  }

  #takeBack(entry) {
    if (!this.entries.includes(entry)) return; // it is being asked
    this.entries = this.entries.filter((other) => other !== entry);
    this.#keep();
    this.page.takenBack(entry);
  }

  #keep() {
    const name = NAME + this.page.conversation;
    const kept = this.entries.filter(({ sent }) => !sent);
    const written = kept.map(({ turn: { pictures }, where, fields, key }) => ({ where, fields, key, text: fields.query, pictures }));
    if (kept.length) sessionStorage.setItem(name, JSON.stringify(written));
    else sessionStorage.removeItem(name);
  }
}

// The first event says that the server has it.
async function hand(where, fields, key) {
  for await (const _ of events(...requestOf(where, fields), key)) return;
}
