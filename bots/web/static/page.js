// The page: one conversation at a time, named by the address's #fragment, so that reload and back work.

import { get, newKey, path, post, remove } from "./api.js";
import { asking } from "./asking.js";
import { Attached } from "./attached.js";
import { listen } from "./composer.js";
import { confirmed } from "./confirmed.js";
import { announce } from "./element.js";
import { keepFocus } from "./focus.js";
import { tellLoading } from "./loading.js";
import { whileSeen } from "./seen.js";
import { Sidebar } from "./sidebar.js";
import { Thread } from "./thread.js";
import { keepTyped, taken } from "./typed.js";
import { Viewer } from "./viewer.js";
import { say } from "./words.js";

const STOP_AGAIN_MS = 250;
const byId = (id) => document.getElementById(id);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

class Page {
  constructor() {
    this.thread = new Thread(byId("thread"), this);
    this.running = null; // { turn, abort }
    this.seen = ""; // when what is shown was changed, as the list says it
    this.pinned = true; // to the end of the conversation
    this.limit = Number(document.body.dataset.limit);
    this.uploadBytes = Number(document.body.dataset.uploadMb) * 1048576;
    this.ratings = document.body.dataset.ratings === "yes";
    this.question = byId("question");
    this.scroller = byId("scroller");
    this.attached = new Attached(byId("attached"), this, null);
    this.sidebar = new Sidebar(byId("conversations"), this);
    this.viewer = new Viewer(byId("viewer"), this);
    keepFocus();
    keepTyped();
    listen(this);
    this.#listen();
  }

  // The id of what is shown, or null before it has begun.
  get conversation() {
    return this.attached.conversation;
  }

  // Opens what the address names; an unknown conversation begins a new one.
  async start() {
    tellLoading(byId("loading"));
    await Promise.all([this.sidebar.load(), this.open(location.hash.slice(1) || null)]);
    whileSeen(() => this.sidebar.load());
  }

  async open(id, { again = false } = {}) {
    if (id !== null && id === this.conversation && !again) return this.sidebar.show(false);
    const opening = (this.opening = {});
    let known = null;
    let complaint = null;
    if (id !== null) known = await get(path(id)).catch((error) => void (complaint = error));
    if (opening !== this.opening) return; // something else was opened meanwhile
    if (complaint && complaint.status !== 404) return this.complain(complaint.message);
    this.#leave();
    this.complain(complaint?.message ?? "");
    this.attached = new Attached(byId("attached"), this, known?.id ?? null);
    const same = complaint || location.hash.slice(1) === (this.conversation ?? "");
    history[same ? "replaceState" : "pushState"](null, "", this.conversation ? `#${this.conversation}` : location.pathname);
    this.thread.show(known?.turns ?? []);
    this.attached.show(known?.waiting ?? []);
    this.#drawn();
    this.#toEnd();
    this.sidebar.show(false);
    if (matchMedia("(pointer: fine)").matches) this.question.focus();
    this.#join(known?.asking.at(-1));
  }

  // The list is here: what is shown may have been changed in another tab, or on another device.
  async listed(conversations, more) {
    const { attached, opening, seen } = this;
    const id = this.conversation;
    const entry = conversations.find((listed) => listed.id === id);
    const changed = entry ? entry.writing || entry.updated !== seen : !more && this.thread.saved;
    if (this.#busy || !changed) return;
    await attached.settled();
    const { numbers, queue } = attached;
    const known = await get(path(id)).catch((error) => error.status);
    if (opening !== this.opening || this.#busy || id !== this.conversation) return; // the reader has gone on
    if (known === 404) return this.open(id, { again: true });
    if (!known.turns) return; // there is no connection; whatever is asked next says so
    this.seen = entry?.updated ?? "";
    const { pinned } = this;
    this.thread.show(known.turns);
    if (queue === attached.queue && numbers.join() === attached.numbers.join()) attached.show(known.waiting);
    this.#drawn();
    if (pinned) this.#toEnd();
    this.#join(known.asking.at(-1));
  }

  // A conversation has begun on the server.
  began(id) {
    this.attached.conversation = id;
    if (this.running) {
      taken(this.running.turn.text);
      this.sidebar.load(); // it is listed from now on, also for who leaves before it is answered
    }
    history.replaceState(null, "", `#${id}`);
  }

  forgotten(id) {
    if (id === this.conversation) this.open(null);
  }

  // Pictures that had to make room.
  removed(numbers) {
    this.thread.without(numbers);
    this.attached.without(numbers);
  }

  async ask(text) {
    const { attached } = this;
    if (this.#busy) return;
    if (attached.empty && !this.thread.hasPictures) return this.complain(say("Please add a picture first."));
    this.complain("");
    this.preparing = true;
    this.changed();
    const arrived = await attached.settled();
    if (!attached.current) return; // the reader has gone to another conversation
    this.preparing = false;
    this.changed();
    if (!arrived) return; // the reader was told why
    const query = text.trim() || say("Describe this picture.");
    const pictures = attached.pictures.map(({ number, url }) => ({ number, url }));
    const fields = { query, conversation: this.conversation, pictures: attached.numbers.join(",") };
    const turn = this.thread.add({ text: query, pictures });
    attached.clear();
    if (this.question.value === text) this.question.value = "";
    await this.#follow(turn, "/analyze", fields, newKey());
  }

  // Files that were chosen, dropped, pasted or photographed.
  add(files) {
    if (!files.length) return;
    this.complain("");
    this.attached.add(files);
    this.question.focus();
  }

  retry(turn) {
    if (!this.running) this.#follow(turn, path(this.conversation, "/retry"), {}, newKey());
  }

  // What failed, once more.
  again(turn) {
    if (!this.running) this.#follow(turn, ...turn.request, newKey());
  }

  // The same question about the same pictures, less shrunk.
  closer(turn) {
    if (this.running) return;
    const next = this.thread.add({ text: turn.text, pictures: turn.pictures });
    this.#follow(next, path(this.conversation, `/turns/${turn.number}/smallprint`), {}, newKey());
  }

  async rate(turn, rating) {
    try {
      await post(path(this.conversation, `/turns/${turn.number}/rating`), { rating });
      return true;
    } catch (error) {
      this.complain(error.message);
      return false;
    }
  }

  async stop() {
    const { running } = this;
    if (!running || running.stopping) return;
    running.stopping = true;
    try {
      // Again, as long as the question is still on its way to where it can be stopped.
      while (this.running === running && !(await post(path(this.conversation, "/stop"))).stopped) await pause(STOP_AGAIN_MS);
    } catch (error) {
      this.complain(error.message);
    }
    running.stopping = false;
  }

  complain(sentence) {
    const notice = byId("notice");
    notice.hidden = !sentence;
    notice.textContent = sentence;
  }

  view(url, number = null) {
    this.viewer.show(url, number, Boolean(number) && this.thread.has(number) && !this.running);
  }

  // What can be pressed follows from what is going on.
  changed() {
    byId("stop").hidden = !this.running;
    byId("send").hidden = Boolean(this.running);
    byId("send").disabled = this.#busy || (this.attached?.empty && !(this.thread.hasPictures && this.question.value.trim()));
  }

  // From the conversation, for good.
  async removePicture(number) {
    if (!(await confirmed(say("Remove picture {number} from the conversation for good?", { number })))) return;
    try {
      await remove(path(this.conversation, `/pictures/${number}`));
    } catch (error) {
      return this.complain(error.message);
    }
    await this.open(this.conversation, { again: true });
    announce(say("Picture {number} is removed.", { number }));
  }

  async #follow(turn, where, fields, key) {
    const abort = new AbortController();
    const running = (this.running = { turn, abort });
    turn.request = [where, fields];
    turn.begin();
    this.#drawn();
    this.#toEnd();
    const whole = where === "/analyze" ? { ...fields, stream: true, html: true } : {};
    const address = where === "/analyze" ? where : `${where}?stream=true&html=true`;
    try {
      const answer = await asking(address, whole, key, turn, abort.signal);
      turn.finish(answer);
      this.removed(answer.removed);
      announce(say("Answer:") + " " + turn.words.textContent);
    } catch (error) {
      if (abort.signal.aborted) return;
      turn.fail(error);
    }
    if (this.running === running) this.running = null;
    this.#drawn();
    this.sidebar.load();
  }

  // An answer that is being written already.
  #join(open) {
    if (!open) return;
    const id = this.conversation;
    if (open.again) this.#follow(this.thread.last, path(id, "/retry"), {}, open.key);
    else this.#follow(this.thread.add(open), "/analyze", { query: open.text, conversation: id }, open.key);
  }

  #leave() {
    this.running?.abort.abort(); // only our reading ends: the answer goes on, and is there when one comes back
    this.running = null;
    this.preparing = false;
    this.attached.clear();
    this.seen = "";
    this.thread.clear();
    this.complain("");
  }

  get #busy() {
    return Boolean(this.running || this.preparing);
  }

  #drawn() {
    const { turns } = this.thread;
    this.thread.setLast(!this.running);
    byId("welcome").hidden = turns.length > 0;
    const title = turns[0]?.text ?? say("Picture answers");
    byId("title").textContent = title;
    document.title = turns.length ? `${title} · ${say("Picture answers")}` : title;
    this.sidebar.draw();
    this.changed();
  }

  #atEnd() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 80;
  }

  #toEnd() {
    this.pinned = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  async #sample(button) {
    const { attached } = this;
    const picture = await (await fetch(button.dataset.sample)).blob();
    if (!attached.current) return;
    attached.add([picture]);
    await this.ask(button.dataset.question);
  }

  #listen() {
    for (const button of document.querySelectorAll("[data-new]")) button.onclick = () => this.open(null);
    for (const button of document.querySelectorAll("[data-sample]")) button.onclick = () => this.#sample(button);
    document.querySelector(".skip").onclick = (event) => {
      event.preventDefault(); // following the link would be a popstate, and open a conversation named "question"
      this.question.focus();
    };
    addEventListener("keydown", ({ key, isComposing }) => {
      const busy = isComposing || this.sidebar.shown || document.querySelector("dialog[open]");
      if (key === "Escape" && this.running && !busy) this.stop();
    });
    addEventListener("popstate", () => this.open(location.hash.slice(1) || null));
    this.scroller.onscroll = () => (this.pinned = this.#atEnd());
    // A reader at the end stays there while the answer, a late picture or the question box grows.
    const growing = new ResizeObserver(() => this.pinned && this.thread.last && this.#toEnd());
    growing.observe(this.scroller);
    growing.observe(byId("thread"));
  }
}

new Page().start();
