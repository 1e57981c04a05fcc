// The list of earlier conversations.

import { address, get, path, remove } from "./api.js";
import { confirmed } from "./confirmed.js";
import { element, icon, iconButton } from "./element.js";
import { say } from "./words.js";

const DAY = 86_400_000;

export class Sidebar {
  // `page` offers: conversation, open(id), forgotten(id), complain(sentence)
  constructor(list, page) {
    this.list = list;
    this.page = page;
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

  // As many as were shown before, in case the person has asked for more.
  async load(count = this.conversations?.length ?? 0) {
    let found = [];
    let next = "";
    try {
      do {
        const page = await get(`/conversations?after=${encodeURIComponent(next)}`);
        found = [...found, ...page.conversations];
        next = page.next;
      } while (next && found.length < count);
    } catch {
      return; // the list stays as it was; whatever is asked next says what is wrong
    }
    this.conversations = found;
    this.more = Boolean(next);
    this.draw();
  }

  draw() {
    const entries = [];
    let group = "";
    for (const conversation of this.conversations ?? []) {
      const when = age(new Date(conversation.updated));
      if (when !== group) entries.push(element("li", { class: "when" }, when));
      group = when;
      entries.push(this.#entry(conversation));
    }
    if (!entries.length) entries.push(element("li", { class: "none" }, say("Your conversations will be listed here.")));
    if (this.more) entries.push(element("li", { class: "more" }, element("button", { type: "button", onclick: () => this.#further() }, say("Show earlier ones"))));
    this.list.replaceChildren(...entries);
  }

  async #further() {
    const shown = this.conversations.length;
    await this.load(shown + 1);
    this.list.querySelectorAll(".open")[shown]?.focus();
  }

  #entry({ id, title }) {
    const current = id === this.page.conversation;
    const open = element("button", { type: "button", class: "open", title, "data-focus": `open ${id}`, onclick: () => this.page.open(id), "aria-current": current && "page" }, title);
    const save = element("a", { class: "quiet", "data-focus": `save ${id}`, href: address(id, "/export"), download: "", title: say("Save as a zip file"), "aria-label": say("Save “{title}” as a zip file", { title }) }, icon("down"));
    const erase = iconButton("delete", say("Delete “{title}”", { title }), () => this.#remove(id), { "data-focus": `delete ${id}` });
    return element("li", { class: current ? "entry current" : "entry" }, open, save, erase);
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
