// The questions and answers of the conversation that is shown.

import { arrange } from "./element.js";
import { Turn } from "./turn.js";

export class Thread {
  constructor(list, page) {
    this.list = list;
    this.page = page; // as `Turn` needs it
    this.turns = [];
  }

  get first() {
    return this.turns[0];
  }

  get last() {
    return this.turns.at(-1);
  }

  // Whether the server has any of it.
  get saved() {
    return this.turns.some(({ number }) => number);
  }

  // Whether somebody is writing in it.
  get edited() {
    return this.turns.some(({ asked }) => asked.form);
  }

  get hasPictures() {
    return this.turns.some((turn) => turn.pictures.length);
  }

  // The latest version of each, by number.
  get pictures() {
    const known = new Map(this.turns.flatMap((turn) => turn.pictures).map((picture) => [picture.number, picture]));
    return [...known.values()];
  }

  has(number) {
    return this.turns.some((turn) => turn.pictures.some((picture) => picture.number === number));
  }

  // Whether a question that failed here still has the picture.
  keeps(number) {
    return this.turns.some((turn) => turn.failed && turn.pictures.some((picture) => picture.number === number));
  }

  add(asked) {
    const turn = new Turn(this.page, asked);
    this.turns.push(turn);
    this.list.append(turn.node);
    return turn;
  }

  remove(turn) {
    this.turns = this.turns.filter((other) => other !== turn);
    turn.node.remove();
  }

  clear() {
    this.turns = [];
    this.list.replaceChildren();
  }

  // Shows what the server has now. What is the same is not touched, and what failed only here stays where it was asked.
  show(known) {
    const left = [...this.turns];
    const onlyHere = (turns) => turns.filter((turn) => turn.unkept || (turn.failed && !turn.number));
    const triedAgain = (turn, index) => turn.answer?.ending === "failed" && known.slice(index + 1).some(({ text }) => text === turn.text);
    this.turns = known.filter((turn, index) => !triedAgain(turn, index)).flatMap((turn) => {
      const index = left.findIndex((shown) => shown.is(turn));
      // The server is about to delete it, and its answer is shown already.
      if (index < 0 && left.some(({ unkept, text }) => unkept && text === turn.text)) return [];
      const before = left.splice(0, index + 1);
      const shown = before.pop();
      return [...onlyHere(before), shown?.shows(turn) ? shown : new Turn(this.page, turn)];
    });
    this.turns.push(...onlyHere(left));
    arrange(this.list, this.turns.map(({ node }) => node));
  }

  // Pictures that the conversation no longer has.
  without(numbers) {
    for (const turn of this.turns) turn.without(numbers);
  }

  find(number) {
    return this.turns.find((turn) => turn.number === number);
  }

  // What was asked again under its key may be shown already, as the server answered it meanwhile.
  dropTwin(turn) {
    if (turn.number && this.find(turn.number) !== turn) this.remove(turn);
  }

  // What can be pressed there follows from what is going on.
  setLast(idle) {
    for (const turn of this.turns) turn.setLast(turn === this.last && idle, idle);
  }
}
