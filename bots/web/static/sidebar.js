// The list of earlier conversations.

import { address, get, patch, path } from "./api.js";
import { arrange, element } from "./element.js";
import { entry, group, short } from "./entry.js";
import { openMenu } from "./menu.js";
import { renamed } from "./renamed.js";
import { shareLink } from "./sharing.js";
import { Undo } from "./undo.js";
import { say } from "./words.js";

const TYPING_MS = 200; // after which what was typed is searched for

export class Sidebar {
  // `page` offers: conversation, open(id), forgotten(id), drawn(), listed(), complain(sentence)
  constructor(list, page) {
    this.list = list;
    this.page = page;
    this.conversations = [];
    this.more = true; // there may be others
    this.count = 0; // so many at least are wanted
    this.words = ""; // that are searched for
    this.arranged = Promise.resolve();
    this.undo = new Undo(document.getElementById("undo"), this);
    this.field = document.getElementById("search");
    this.field.oninput = () => this.#search();
    this.drawn = new Map(); // what is in the list, by what it shows
    this.opener = document.getElementById("open-sidebar");
    this.opener.onclick = () => this.show(true);
    document.getElementById("close-sidebar").onclick = () => this.show(false);
    document.getElementById("shade").onclick = () => this.show(false);
    matchMedia("(max-width: 860px)").addEventListener("change", () => this.show(false)); // next to the page it hides nothing
    addEventListener("keydown", (event) => event.key === "Escape" && this.shown && !busy(event) && this.show(false));
  }

  // Whether everything is listed.
  get whole() {
    return !this.more && !this.words;
  }

  get shown() {
    return document.body.classList.contains("listing");
  }

  show(shown) {
    if (shown === this.shown) return;
    document.body.classList.toggle("listing", shown);
    document.getElementById("shade").hidden = !shown;
    document.querySelector("main").inert = shown;
    this.opener.setAttribute("aria-expanded", String(shown));
    if (shown) document.getElementById("close-sidebar").focus();
    else this.opener.focus();
  }

  find(id) {
    return this.conversations.find((conversation) => conversation.id === id);
  }

  // As many as were shown before, where the person has asked for more. Ends when the list is drawn, also by a later call.
  load() {
    return (this.latest = this.#load());
  }

  async #load() {
    const loading = (this.loading = {});
    let found = [];
    let next = "";
    try {
      do {
        const page = await get(`/conversations?${new URLSearchParams({ after: next, words: this.words })}`, { quiet: true });
        found = [...found, ...page.conversations];
        next = page.next;
      } while (next && found.length < this.count);
    } catch {
      return; // the list stays as it was; whatever is asked next says what is wrong
    }
    if (loading !== this.loading) return this.latest; // a later one knows more
    this.conversations = found;
    this.more = Boolean(next);
    this.draw();
    this.page.listed();
  }

  draw() {
    const drawn = new Map();
    const put = (make, ...shown) => {
      const key = JSON.stringify(shown);
      drawn.set(key, this.drawn.get(key) ?? make());
    };
    let heading = "";
    for (const known of this.conversations.filter(({ id }) => !this.undo.gone.has(id))) {
      const next = group(known);
      if (next !== heading) put(() => element("li", { class: "when" }, next), next);
      heading = next;
      const current = known.id === this.page.conversation;
      put(() => this.#entry(known, current), known, current, short(known.updated));
    }
    const none = this.words ? say("Nothing was found.") : say("Your conversations will be listed here.");
    if (!drawn.size) put(() => element("li", { class: "none" }, none), none);
    if (this.more && this.conversations.length) put(() => this.#earlier(), "more");
    arrange(this.list, [...drawn.values()]);
    this.drawn = drawn;
  }

  complain(sentence) {
    this.page.complain(sentence);
  }

  // It is not deleted after all.
  back(id) {
    this.draw();
    this.page.open(id);
  }

  #search() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => {
      this.words = this.field.value.trim();
      this.count = 0;
      this.load();
    }, TYPING_MS);
  }

  #earlier() {
    return element("li", { class: "more" }, element("button", { type: "button", onclick: () => this.#further() }, say("Show earlier ones")));
  }

  async #further() {
    const shown = this.conversations.length;
    this.count = shown + 1;
    await this.load();
    this.list.querySelectorAll(".open")[shown]?.focus();
  }

  #entry(known, current) {
    return entry(known, current, { open: () => this.page.open(known.id), more: (button) => this.#more(known, button) });
  }

  #more({ id, title, pinned }, button) {
    openMenu(button, [
      ["pin", pinned ? say("Unpin") : say("Pin to the top"), () => this.#arrange(id, { pinned: !pinned })],
      ["edit", say("Rename"), () => this.#rename(id, title)],
      ["down", say("Save as a zip file"), address(id, "/export")],
      ["link", say("Share by a link"), () => shareLink(id, (sentence) => this.complain(sentence)).catch(({ message }) => this.complain(message))],
      ["delete", say("Delete"), () => this.#remove(id, title)],
    ]);
  }

  async #rename(id, title) {
    const name = await renamed(title);
    if (name !== null) await this.#arrange(id, { name });
  }

  // One after the other: of two names on their way at once the earlier could be kept.
  #arrange(id, changes) {
    return (this.arranged = this.arranged.then(() => this.#change(id, changes)));
  }

  async #change(id, changes) {
    try {
      await patch(path(id), changes);
    } catch (error) {
      this.page.complain(error.message);
    }
    await this.load();
    this.page.drawn();
  }

  #remove(id, title) {
    const byKeys = document.activeElement.matches(":focus-visible");
    this.page.forgotten(id);
    this.undo.remove(id, title, byKeys);
  }
}

// What Escape closes first.
function busy({ target }) {
  return document.querySelector(":popover-open, dialog[open]") || (target.type === "search" && target.value);
}
