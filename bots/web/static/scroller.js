// The part of the page that is read. A reader at its end stays there while an answer, a late picture or the question
// box grows.

export class Scroller {
  // `follows()` tells whether there is an end to stay at
  constructor(element, content, follows) {
    this.element = element;
    this.follows = follows;
    this.pinned = true; // to the end
    element.onscroll = () => (this.pinned = element.scrollHeight - element.scrollTop - element.clientHeight < 80);
    const growing = new ResizeObserver(() => this.stay());
    growing.observe(element);
    growing.observe(content);
  }

  toEnd() {
    this.pinned = true;
    this.element.scrollTop = this.follows() ? this.element.scrollHeight : 0; // a welcome is read from its top
  }

  stay() {
    const writing = this.element.querySelector("form:focus-within"); // which must not leave the window
    if (this.pinned && this.follows() && !writing) this.toEnd();
  }
}
