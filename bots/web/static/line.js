// Questions that the server has not got yet: one on its way, and those that wait until the answers before them are there.
// This tab keeps each, also through a reload and a new sign-in; who goes to another conversation leaves them to the
// server, which answers them in their order.

import { events, leaveBehind } from "./api.js";
import { requestOf } from "./reading.js";
import { atSignOut } from "./sign_out.js";

const LIMIT = 3; // with the one that is answered the server takes four
const NAME = "line";

export class Line {
  // `page` offers: conversation, reading, takenBack(entry)
  constructor(page) {
    this.page = page;
    this.entries = []; // those that wait: { turn, where, fields, key, sent }: `sent` is with the server already
    addEventListener("pagehide", () => this.#part());
    atSignOut(() => sessionStorage.removeItem(NAME));
  }

  get full() {
    return this.entries.length >= LIMIT;
  }

  add(turn, where, fields, key, sent) {
    const entry = { turn, where, fields, key, sent };
    this.entries.push(entry);
    turn.wait(fields.query, sent ? null : () => this.#takeBack(entry));
  }

  // Whether it is being asked, or waits.
  asks(where) {
    return this.page.reading.turn?.request[0] === where || this.entries.some((entry) => entry.where === where);
  }

  // Until `forget`.
  keep(turn, where, fields, key) {
    const kept = read();
    if (kept.some((other) => other.key === key)) return; // since it waited, or since before a reload
    const { number, text, pictures } = turn;
    const asked = { text: fields.query ?? text, pictures, turn: number || null, again: where.endsWith("/retry") };
    write([...kept, { conversation: this.page.conversation, where, fields, key, ...asked }]);
  }

  next() {
    return this.entries.shift();
  }

  // What this tab keeps of the conversation, each as the server would describe it.
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

  // The page is left. What is on its way arrives; what waits may be taken back after a reload.
  #part() {
    for (const { where, fields, key } of this.kept) if (key === this.page.reading.key) leaveBehind(...requestOf(where, fields), key);
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
