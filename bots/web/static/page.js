// The page: one conversation at a time, named by the address's #fragment, so that reload and back work.

import { get, newKey, path, post, remove, send } from "./api.js";
import { asking } from "./asking.js";
import { Attached } from "./attached.js";
import { listen } from "./composer.js";
import { confirmed } from "./confirmed.js";
import { announce } from "./element.js";
import { keepFocus } from "./focus.js";
import { tellLoading } from "./loading.js";
import { Sidebar } from "./sidebar.js";
import { Turn } from "./turn.js";
import { keepTyped, taken } from "./typed.js";
import { Viewer } from "./viewer.js";
import { say } from "./words.js";

const STOP_AGAIN_MS = 250;
const byId = (id) => document.getElementById(id);
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

class Page {
  constructor() {
    this.turns = [];
    this.running = null; // { turn, abort }
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
    for (const turn of known?.turns ?? []) this.#place(new Turn(this, turn));
    this.attached.show(known?.waiting ?? []);
    this.#drawn();
    this.#toEnd();
    this.sidebar.show(false);
    if (matchMedia("(pointer: fine)").matches) this.question.focus();
    const open = known?.asking.at(-1);
    if (open?.again) this.#follow(this.turns.at(-1), path(id, "/retry"), {}, open.key);
    else if (open) this.#follow(this.#place(new Turn(this, open)), "/analyze", { query: open.text, conversation: id }, open.key);
  }

  // A conversation has begun on the server.
  began(id) {
    this.attached.conversation = id;
    if (this.running) taken(this.running.turn.text);
    history.replaceState(null, "", `#${id}`);
  }

  forgotten(id) {
    if (id === this.conversation) this.open(null);
  }

  // Pictures that had to make room.
  removed(numbers) {
    for (const turn of this.turns) turn.without(numbers);
    this.attached.without(numbers);
  }

  asked(number) {
    return this.turns.some((turn) => turn.pictures.some((picture) => picture.number === number));
  }

  async ask(text) {
    const { attached } = this;
    if (this.running || this.preparing) return;
    if (attached.empty && !this.#hasPictures()) return this.complain(say("Please add a picture first."));
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
    const turn = this.#place(new Turn(this, { text: query, pictures }));
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
    const next = this.#place(new Turn(this, { text: turn.text, pictures: turn.pictures }));
    this.#follow(next, path(this.conversation, `/turns/${turn.number}/smallprint`), {}, newKey());
  }

  async rate(turn, rating) {
    try {
      await send(path(this.conversation, `/turns/${turn.number}/rating`), { rating });
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
    this.viewer.show(url, number, Boolean(number) && this.asked(number) && !this.running);
  }

  // What can be pressed follows from what is going on.
  changed() {
    const idle = !this.running && !this.preparing;
    byId("stop").hidden = !this.running;
    byId("send").hidden = Boolean(this.running);
    byId("send").disabled = !idle || (this.attached?.empty && !(this.#hasPictures() && this.question.value.trim()));
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

  #leave() {
    this.running?.abort.abort(); // only our reading ends: the answer goes on, and is there when one comes back
    this.running = null;
    this.preparing = false;
    this.attached.clear();
    this.turns = [];
    byId("thread").replaceChildren();
    this.complain("");
  }

  #place(turn) {
    this.turns.push(turn);
    byId("thread").append(turn.node);
    return turn;
  }

  #drawn() {
    const last = this.turns.at(-1);
    for (const turn of this.turns) turn.setLast(turn === last && !this.running);
    byId("welcome").hidden = this.turns.length > 0;
    const title = this.turns[0]?.text ?? say("Picture answers");
    byId("title").textContent = title;
    document.title = this.turns.length ? `${title} · ${say("Picture answers")}` : title;
    this.sidebar.draw();
    this.changed();
  }

  #hasPictures() {
    return this.turns.some((turn) => turn.pictures.length);
  }

  #atEnd() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < 80;
  }

  #toEnd() {
    this.pinned = true;
    this.scroller.scrollTop = this.turns.length ? this.scroller.scrollHeight : 0; // a welcome is read from its top
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
    const growing = new ResizeObserver(() => this.pinned && this.turns.length && this.#toEnd());
    growing.observe(this.scroller);
    growing.observe(byId("thread"));
  }
}

new Page().start();
