// The questions and answers of the conversation that is shown.

import { arrange } from "./element.js";
import { Turn } from "./turn.js";

export class Thread {
  constructor(list, page) {
    this.list = list;
    this.page = page; // as `Turn` needs it
    this.turns = [];
  }

  get last() {
    return this.turns.at(-1);
  }

  // Whether the server has any of it.
  get saved() {
    return this.turns.some(({ number }) => number);
  }

  get hasPictures() {
    return this.turns.some((turn) => turn.pictures.length);
  }

  has(number) {
    return this.turns.some((turn) => turn.pictures.some((picture) => picture.number === number));
  }

  add(asked) {
    const turn = new Turn(this.page, asked);
    this.turns.push(turn);
    this.list.append(turn.node);
    return turn;
  }

  clear() {
    this.turns = [];
    this.list.replaceChildren();
  }

  // Shows what the server has now. What is the same stays in its place, and what failed stays at the end.
  show(known) {
    const said = known.filter((turn, place) => !(turn.answer?.ending === "failed" && known[place + 1]?.text === turn.text)); // or was asked again
    const kept = said.map((turn, place) => (this.turns[place]?.shows(turn) ? this.turns[place] : new Turn(this.page, turn)));
    const failed = this.turns.filter((turn) => !turn.number && !kept.includes(turn));
    this.turns = [...kept, ...failed];
    arrange(this.list, this.turns.map(({ node }) => node));
  }

  // Pictures that the conversation no longer has.
  without(numbers) {
    for (const turn of this.turns) turn.without(numbers);
  }

  // Only the last answer can be drawn again.
  setLast(idle) {
    for (const turn of this.turns) turn.setLast(turn === this.last && idle);
  }
}
