// The part of the page that is read. A reader at its end stays there while an answer, a late picture or the question
// box grows.

export class Scroller {
  // `follows()` tells whether there is an end to stay at
  constructor(element, content, follows) {
    this.element = element;
    this.follows = follows;
    this.pinned = true; // to the end
    this.top = 0; // where it was scrolled to
    element.onscroll = () => this.#scrolled();
    const growing = new ResizeObserver(() => this.stay());
    growing.observe(element);
    growing.observe(content);
  }

  toEnd() {
    this.pinned = true;
    this.element.scrollTop = this.follows() ? this.element.scrollHeight : 0; // a welcome is read from its top
    this.top = this.element.scrollTop;
  }

  stay() {
    const writing = this.element.querySelector("form:focus-within"); // which must not leave the window
    if (this.pinned && this.follows() && !writing) this.toEnd();
  }

  // Only who scrolls up leaves the end: it also moves away when much comes at once, before this is told.
  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    if (scrollHeight - scrollTop - clientHeight < 80) this.pinned = true;
    else if (scrollTop < this.top) this.pinned = false;
    this.top = scrollTop;
  }
}
