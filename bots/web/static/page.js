// The page: one conversation at a time, named by the address's #fragment, so that reload and back work.

import { get, newKey, path, post, remove } from "./api.js";
import { Attached } from "./attached.js";
import { forgetAtSignOut } from "./beginning.js";
import { listen } from "./composer.js";
import { confirmed } from "./confirmed.js";
import { copyCode } from "./copying.js";
import { announce } from "./element.js";
import { keepFocus } from "./focus.js";
import { Line } from "./line.js";
import { tellLoading } from "./loading.js";
import { Pages } from "./pages.js";
import { Lost } from "./problems.js";
import { Reading } from "./reading.js";
import { Scroller } from "./scroller.js";
import { whileSeen } from "./seen.js";
import { Sidebar } from "./sidebar.js";
import { Thread } from "./thread.js";
import { keepTyped, refused, taken } from "./typed.js";
import { Viewer } from "./viewer.js";
import { say } from "./words.js";

const byId = (id) => document.getElementById(id);

class Page {
  constructor() {
    this.moment = {}; // another one after each opening, question and rating: what was fetched before is old
    this.opening = {}; // { id } of what is on its way to be shown; another one when the reader wants something else
    this.updated = ""; // when what is shown was changed, as the list says it
    this.limit = Number(document.body.dataset.limit);
    this.uploadBytes = Number(document.body.dataset.uploadMb) * 1048576;
    this.ratings = document.body.dataset.ratings === "yes";
    this.question = byId("question");
    this.thread = new Thread(byId("thread"), this);
    this.reading = new Reading(this);
    this.line = new Line(this);
    this.attached = new Attached(byId("attached"), this, null);
    this.pages = new Pages(byId("pages"), this);
    this.sidebar = new Sidebar(byId("conversations"), this);
    this.viewer = new Viewer(byId("viewer"), this);
    this.scroller = new Scroller(byId("scroller"), byId("thread"), () => Boolean(this.thread.last));
    keepFocus();
    keepTyped();
    forgetAtSignOut();
    listen(this);
    copyCode(byId("thread"));
    this.#listen();
    this.loaded = false;
    this.ready = this.#load();
    this.sidebar.load();
    tellLoading(byId("loading"));
    whileSeen(() => this.sidebar.load());
  }

  // The id of what is shown, or null before it has begun.
  get conversation() {
    return this.attached.conversation;
  }

  // What the address names; an unknown one begins a new one.
  async #load() {
    await this.open(location.hash.slice(1) || null);
    this.loaded = true;
    this.changed();
  }

  async open(id, { again = false } = {}) {
    const opening = (this.opening = { id });
    if (id !== null && id === this.conversation && !again) return this.#stay();
    const updated = this.sidebar.find(id)?.updated ?? "";
    let known = null;
    let complaint = null;
    if (id !== null) known = await this.#latest(id).catch((error) => void (complaint = error));
    if (opening !== this.opening) return; // the reader wants something else by now
    this.opening = {};
    if (complaint && complaint.status !== 404) return this.complain(complaint.message);
    this.#leave();
    this.complain(complaint?.message ?? "");
    this.attached = new Attached(byId("attached"), this, known?.id ?? null);
    const same = complaint || location.hash.slice(1) === (this.conversation ?? "");
    history[same ? "replaceState" : "pushState"](null, "", this.conversation ? `#${this.conversation}` : location.pathname);
    this.thread.show(known?.turns ?? []);
    this.attached.show(known?.waiting ?? []);
    this.pages.show(known?.document ?? null);
    this.updated = updated;
    this.drawn();
    this.#join(known?.asking ?? []);
    this.scroller.toEnd();
    this.sidebar.show(false);
    if (matchMedia("(pointer: fine)").matches) this.question.focus();
  }

  // The list is here: what is shown may have been changed in another tab, or on another device.
  async listed() {
    const { attached, conversation, moment, opening } = this;
    const named = location.hash.slice(1);
    if (named && !conversation && !opening.id && attached.empty && !this.#inHand) return this.open(named); // it could not be had before
    const entry = this.sidebar.find(conversation);
    const changed = entry ? entry.writing || entry.updated !== this.updated : this.sidebar.whole && this.thread.saved;
    if (this.#inHand || !changed) return;
    await attached.settled();
    const { queue } = attached;
    const known = await get(path(conversation), { quiet: true }).catch(({ status }) => ({ status }));
    if (moment !== this.moment || opening !== this.opening || this.#inHand || queue !== attached.queue) return; // the reader has gone on
    if (known.status === 404) return this.open(conversation, { again: true });
    if (!known.turns) return; // there is no connection; what is asked next says so
    this.updated = entry?.updated ?? "";
    this.thread.show(known.turns);
    attached.show(known.waiting.filter(({ number }) => !this.thread.keeps(number)));
    this.pages.show(known.document);
    this.drawn();
    this.#join(known.asking);
  }

  // A conversation has begun on the server.
  began(id) {
    this.attached.conversation = id;
    history.replaceState(null, "", `#${id}`);
  }

  // The server has the question that is read.
  heard(id) {
    if (!this.reading.turn) return; // the reader has left
    this.began(id);
    this.line.forget(this.reading.key);
    this.sidebar.load(); // it is listed from now on, also for who leaves before it is answered
  }

  answered(key, turn) {
    this.line.forget(key);
    if (turn.failed && !turn.begun && !turn.number) refused(turn.text);
    this.thread.dropTwin(turn);
    const next = this.line.next();
    if (next) this.#read(next.turn, next.where, next.fields, next.key, next.sent);
    this.drawn();
    this.sidebar.load();
  }

  // Its words and pictures are where one asks again.
  async takenBack({ turn, where, fields }) {
    this.thread.remove(turn);
    if (fields.query) {
      this.question.value = [fields.query, this.question.value].filter((words) => words.trim()).join("\n");
      this.question.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
    this.drawn();
    announce(say("The question is taken back."));
    const { attached } = this;
    await attached.settled();
    if (where === "/analyze" && fields.pictures && !fields.region && attached.current) attached.show([...turn.pictures, ...attached.pictures]);
  }

  forgotten(id) {
    if (id === this.conversation || id === this.opening.id) this.open(null);
  }

  // Pictures that had to make room.
  removed(numbers) {
    this.thread.without(numbers);
    this.attached.without(numbers);
  }

  async ask(text) {
    if (this.preparing) return; // its words stay where they are, and the button says so
    if (this.isFull()) return;
    this.complain("");
    this.#prepare(true);
    await this.ready;
    const { attached } = this;
    const arrived = await attached.settled();
    if (!attached.current) return; // the reader has gone to another conversation
    this.#prepare(false);
    if (!arrived) return; // the reader was told why
    if (attached.empty && !this.thread.hasPictures) return this.complain(say("Please add a picture first."));
    const query = text.trim() || document.body.dataset.question;
    const pictures = attached.pictures.map(({ number, url }) => ({ number, url }));
    const fields = { query, conversation: this.conversation, pictures: attached.numbers.join(","), ...this.pages.taken(), alone: true };
    const turn = this.thread.add({ text: query, pictures });
    attached.clear();
    if (this.question.value === text) this.question.value = "";
    this.changed();
    await this.#follow(turn, "/analyze", fields);
  }

  // Files that were chosen, dropped, pasted or photographed.
  async add(files) {
    const chosen = [...files]; // an input's own list is emptied
    if (!chosen.length) return;
    await this.ready;
    this.complain("");
    this.attached.add(chosen);
    this.question.focus();
  }

  async sample(address, question) {
    if (this.preparing) return; // pressed twice
    this.complain("");
    this.#prepare(true);
    await this.ready;
    const { attached } = this;
    const response = await fetch(address).catch(() => null);
    const picture = response?.ok && (await response.blob().catch(() => null));
    if (!attached.current) return;
    this.#prepare(false);
    if (!picture) return this.complain(new Lost().message);
    attached.add([picture]);
    await this.ask(question);
  }

  // The same in other words. What it was stays readable.
  edit(turn, query) {
    if (this.#reads()) return;
    this.opening = {};
    turn.asked.close();
    this.#read(turn, path(this.conversation, `/turns/${turn.number}/edit`), { query });
  }

  retry(turn) {
    if (!this.#reads()) this.#follow(turn, path(this.conversation, "/retry"), {});
  }

  // What failed, once more.
  again(turn) {
    if (!this.#reads()) this.#follow(turn, ...turn.request);
  }

  // The same question about the same pictures, less shrunk.
  smallPrint(turn) {
    const where = path(this.conversation, `/turns/${turn.number}/smallprint`);
    if (this.line.asks(where) || this.isFull()) return;
    this.#follow(this.thread.add({ text: turn.text, pictures: turn.pictures }), where, {});
  }

  // The rest of an answer that became too long.
  goOn() {
    if (this.isFull()) return;
    const query = say("Go on.");
    this.#follow(this.thread.add({ text: query, pictures: [] }), "/analyze", { query, conversation: this.conversation, alone: true });
  }

  async rate(turn, rating) {
    const { conversation } = this;
    try {
      await post(path(conversation, `/turns/${turn.number}/rating`), { rating });
    } catch (error) {
      return this.complain(error.message);
    }
    this.moment = {};
    turn.rated(rating);
    if (conversation === this.conversation) this.thread.find(turn.number)?.rated(rating); // it may have been drawn anew
  }

  stop() {
    return this.reading.stop();
  }

  complain(sentence) {
    const notice = byId("notice");
    notice.hidden = !sentence;
    notice.textContent = sentence;
  }

  view(url, number = null) {
    this.viewer.show(url, number);
  }

  // What an answer points at, drawn on picture `number`.
  viewMarked(marked, number) {
    const plain = this.pictures.find((picture) => picture.number === number);
    this.viewer.show(plain?.url ?? marked, plain ? number : null, marked);
  }

  // All that have a number, in its order.
  get pictures() {
    const known = [...this.thread.pictures, ...this.attached.pictures.filter(({ number }) => number !== null)];
    return known.sort((one, other) => one.number - other.number);
  }

  mayRemove(number) {
    return this.thread.has(number) && !this.reading.turn;
  }

  // A part of a picture, which the server cuts out at full pixels.
  async askPart({ number, url }, region, text) {
    if (this.isFull()) return;
    this.complain("");
    const fields = { query: text, conversation: this.conversation, pictures: number, region: region.join(",") };
    await this.#follow(this.thread.add({ text, pictures: [{ number, url }] }), "/analyze", fields);
  }

  // What can be pressed follows from what is going on.
  changed() {
    this.pages?.sync();
    const reading = Boolean(this.reading.turn);
    byId("stop").hidden = !reading;
    byId("send").hidden = reading && !this.question.value.trim() && this.attached.empty;
    // While the page loads nobody knows yet whether there are pictures: what is sent then waits.
    const nothing = this.loaded && this.attached.empty && !this.pages.busy && !(this.thread.hasPictures && this.question.value.trim());
    byId("send").disabled = this.preparing || nothing;
    byId("first-questions").hidden = reading || this.preparing || !this.attached || this.attached.empty || Boolean(this.question.value.trim());
  }

  drawn() {
    const { first } = this.thread;
    this.thread.setLast(!this.reading.turn);
    byId("welcome").hidden = Boolean(first);
    const entry = this.sidebar.find(this.conversation);
    const title = entry?.named ? entry.title : first?.text;
    byId("title").textContent = title ?? say("Picture answers");
    document.title = title ? `${title} · ${say("Picture answers")}` : say("Picture answers");
    this.sidebar.draw();
    this.changed();
  }

  // From the conversation, for good.
  async removePicture(number) {
    const { conversation } = this;
    if (!(await confirmed(say("Remove picture {number} from the conversation for good?", { number })))) return;
    try {
      await remove(path(conversation, `/pictures/${number}`));
    } catch (error) {
      return this.complain(error.message);
    }
    if (conversation !== this.conversation) return;
    this.moment = {};
    this.removed([number]);
    this.updated = ""; // what else goes with it is drawn with the list
    this.sidebar.load();
    announce(say("Picture {number} is removed.", { number }));
  }

  // Its module comes when it is wanted: most people never do.
  async #settings() {
    const panel = await import("./settings.js").catch(() => null);
    if (panel) await panel.openSettings(this);
    else this.complain(new Lost().message);
  }

  // A conversation as the server has it, also after what the reader does while it is fetched.
  async #latest(id) {
    const { moment } = this;
    const known = await get(path(id));
    return moment === this.moment ? known : this.#latest(id);
  }

  // Nothing else is to be shown than what is there.
  #stay() {
    this.opening = {};
    this.sidebar.show(false);
  }

  #follow(turn, where, fields) {
    this.opening = {}; // who asks here stays here
    const answered = this.#read(turn, where, fields);
    this.scroller.toEnd();
    return answered;
  }

  // Reads along where answers are being written already, and asks what this tab still keeps.
  #join(asking) {
    for (const open of asking) this.#read(this.#turnOf(open), ...this.#requestOf(open), open.key, true);
    for (const { key } of asking) this.line.forget(key);
    for (const kept of this.line.kept) this.#read(this.#turnOf(kept), kept.where, kept.fields, kept.key);
  }

  // What is answered anew, or a new one.
  #turnOf({ again, turn, text, pictures }) {
    const known = again ? this.thread.last : turn && this.thread.find(turn);
    return known || this.thread.add({ text, pictures });
  }

  #requestOf({ again, turn, text: query }) {
    const { conversation } = this;
    if (again) return [path(conversation, "/retry"), {}];
    return turn ? [path(conversation, `/turns/${turn}/edit`), { query }] : ["/analyze", { query, conversation }];
  }

  // Reads the answer, or lets the question wait for those before it; `sent` says that the server has it.
  #read(turn, where, fields, key = newKey(), sent = false) {
    this.moment = {};
    if (!sent) this.line.keep(turn, where, fields, key);
    taken(fields.query);
    if (!this.reading.turn) return this.reading.follow(turn, where, fields, key);
    this.line.add(turn, where, fields, key, sent);
  }

  // What changes an answer does not wait in line.
  #reads() {
    const reading = Boolean(this.reading.turn);
    this.complain(reading ? say("Please wait for the answers to your earlier questions first.") : "");
    return reading;
  }

  // Whether no more questions can wait; the reader is told so.
  isFull() {
    if (this.line.full) this.complain(say("Please wait for the answers to your earlier questions first."));
    return this.line.full;
  }

  // What the reader is at must not be drawn again.
  get #inHand() {
    return Boolean(this.reading.turn || this.preparing || this.thread.edited);
  }

  #prepare(preparing) {
    this.preparing = preparing;
    this.changed();
  }

  #leave() {
    this.moment = {};
    for (const dialog of [byId("viewer"), byId("confirm")]) dialog.close(); // they are about what goes
    this.line.leave();
    this.reading.leave();
    if (this.loaded) this.preparing = false; // what is sent while the page loads waits for that
    this.updated = "";
    this.attached.clear();
    this.thread.clear();
    this.complain("");
  }

  #listen() {
    for (const button of document.querySelectorAll("[data-new]")) button.onclick = () => this.open(null);
    byId("open-settings").onclick = () => this.#settings();
    addEventListener("keydown", ({ key, isComposing }) => {
      const busy = isComposing || this.sidebar.shown || document.querySelector("dialog[open], :popover-open");
      if (key === "Escape" && !busy) this.stop();
    });
    addEventListener("popstate", () => this.open(location.hash.slice(1) || null));
  }
}

new Page();
