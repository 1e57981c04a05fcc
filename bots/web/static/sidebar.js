// The list of earlier conversations.

import { address, get, path, remove } from "./api.js";
import { confirmed } from "./confirmed.js";
import { arrange, element, icon, iconButton } from "./element.js";
import { say } from "./words.js";

const DAY = 86_400_000;

export class Sidebar {
  // `page` offers: conversation, open(id), forgotten(id), listed(), complain(sentence)
  constructor(list, page) {
    this.list = list;
    this.page = page;
    this.conversations = [];
    this.more = true; // there may be others
    this.count = 0; // so many at least are wanted
    this.drawn = new Map(); // what is in the list, by what it shows
    this.opener = document.getElementById("open-sidebar");
    this.opener.onclick = () => this.show(true);
    document.getElementById("close-sidebar").onclick = () => this.show(false);
    document.getElementById("shade").onclick = () => this.show(false);
    matchMedia("(max-width: 860px)").addEventListener("change", () => this.show(false)); // next to the page it hides nothing
    addEventListener("keydown", (event) => event.key === "Escape" && this.shown && this.show(false));
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

  // As many as were shown before, where the person has asked for more.
  async load() {
    const loading = (this.loading = {});
    let found = [];
    let next = "";
    try {
      do {
        const page = await get(`/conversations?after=${encodeURIComponent(next)}`, { quiet: true });
        found = [...found, ...page.conversations];
        next = page.next;
      } while (next && found.length < this.count);
    } catch {
      return; // the list stays as it was; whatever is asked next says what is wrong
    }
    if (loading !== this.loading) return; // a later one knows more
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
    let group = "";
    for (const { id, title, updated, writing } of this.conversations) {
      const when = age(new Date(updated));
      if (when !== group) put(() => element("li", { class: "when" }, when), when);
      group = when;
      const current = id === this.page.conversation;
      put(() => this.#entry(id, title, writing, current), id, title, writing, current);
    }
    if (!drawn.size) put(() => element("li", { class: "none" }, say("Your conversations will be listed here.")), "none");
    if (this.more && this.conversations.length) put(() => this.#earlier(), "more");
    arrange(this.list, [...drawn.values()]);
    this.drawn = drawn;
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

  #entry(id, title, writing, current) {
    const state = writing ? element("span", { class: "unseen" }, " " + say("(is being answered)")) : null;
    const open = element("button", { type: "button", class: "open", title, "data-focus": `open ${id}`, onclick: () => this.page.open(id), "aria-current": current && "page" }, title, state);
    const save = element("a", { class: "quiet", "data-focus": `save ${id}`, href: address(id, "/export"), download: "", title: say("Save as a zip file"), "aria-label": say("Save “{title}” as a zip file", { title }) }, icon("down"));
    const erase = iconButton("delete", say("Delete “{title}”", { title }), () => this.#remove(id), { "data-focus": `delete ${id}` });
    const look = ["entry", current && "current", writing && "answering"].filter(Boolean).join(" ");
    return element("li", { class: look }, open, save, erase);
  }

  async #remove(id) {
    if (!(await confirmed(say("Delete this conversation and its pictures for good?")))) return;
    try {
      await remove(path(id));
    } catch (error) {
      if (error.status !== 404) return this.page.complain(error.message);
    }
    this.page.forgotten(id);
    await this.load();
  }
}

function age(date) {
  const today = new Date().setHours(0, 0, 0, 0);
  if (date >= today) return say("Today");
  if (date >= today - DAY) return say("Yesterday");
  return date >= today - 6 * DAY ? say("This week") : say("Earlier");
}
