// Questions that wait until the answers before them are there. This tab keeps each, also through a reload and a new
// sign-in, until the server has it; who goes to another conversation leaves them to the server, which answers them in
// their order.

import { events, newKey } from "./api.js";
import { requestOf } from "./reading.js";
import { atSignOut } from "./sign_out.js";

const LIMIT = 3; // with the one that is answered the server takes four
const NAME = "line";

export class Line {
  // `page` offers: conversation, takenBack(entry)
  constructor(page) {
    this.page = page;
    this.entries = []; // { turn, where, fields, key, sent }: `sent` is with the server already
    atSignOut(() => sessionStorage.removeItem(NAME));
  }

  get full() {
    return this.entries.length >= LIMIT;
  }

  add(turn, where, fields, key = newKey(), sent = false) {
    const entry = { turn, where, fields, key, sent };
    this.entries.push(entry);
    turn.wait(fields.query, sent ? null : () => this.#takeBack(entry));
    if (!sent) this.#keep(entry);
  }

  // It stays kept until the server has it.
  next() {
    return this.entries.shift();
  }

  // What this tab keeps of the conversation.
  get kept() {
    return read().filter(({ conversation }) => conversation === this.page.conversation);
  }

  // The server has it, or refuses it for good.
  forget(key) {
    write(read().filter((kept) => kept.key !== key));
  }

  // The reader goes to another conversation.
  async leave() {
    const { kept } = this;
    this.entries = [];
    try {
      for (const { where, fields, key } of kept) {
        await hand(where, fields, key);
        this.forget(key);
      }
    } catch {
      // They wait here until the conversation is opened again.
    }
  }

  #takeBack(entry) {
    if (!this.entries.includes(entry)) return; // it is being asked
    this.entries = this.entries.filter((other) => other !== entry);
    this.forget(entry.key);
    this.page.takenBack(entry);
  }

  #keep({ turn, where, fields, key }) {
    const kept = read();
    if (kept.some((other) => other.key === key)) return; // since before a reload
    const { asked, pictures } = turn;
    write([...kept, { conversation: this.page.conversation, where, fields, key, text: asked.text, pictures }]);
  }
}

function read() {
  return JSON.parse(sessionStorage.getItem(NAME)) ?? [];
}

function write(kept) {
  if (kept.length) sessionStorage.setItem(NAME, JSON.stringify(kept));
  else sessionStorage.removeItem(NAME);
}

// The first event says that the server has it.
async function hand(where, fields, key) {
  for await (const _ of events(...requestOf(where, fields), key)) return;
}
