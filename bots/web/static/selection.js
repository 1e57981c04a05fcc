// The part of a picture that one asks about: a frame that is drawn by mouse or finger, or moved and sized by keys.

const LEAST = 20; // thousandths; a smaller one was a tap
const STEP = 25;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Selection {
  constructor(frame) {
    this.frame = frame;
    this.region = null; // left, top, right, bottom in thousandths
    frame.addEventListener("keydown", (event) => this.#key(event));
  }

  set(region) {
    this.region = region;
    this.frame.hidden = !region;
    if (!region) return;
    const [left, top, right, bottom] = region;
    Object.assign(this.frame.style, { left: `${left / 10}%`, top: `${top / 10}%`, width: `${(right - left) / 10}%`, height: `${(bottom - top) / 10}%` });
  }

  // While it is drawn

  begin([x, y]) {
    [this.start, this.before] = [[x, y], this.region];
  }

  to([x, y]) {
    const [across, down] = this.start;
    this.set([Math.min(x, across), Math.min(y, down), Math.max(x, across), Math.max(y, down)]);
  }

  end() {
    const [left, top, right, bottom] = this.region ?? [0, 0, 0, 0];
    if (right - left < LEAST || bottom - top < LEAST) this.set(this.before);
  }

  // The arrows move it; with Shift they move its right and lower edges.
  #key(event) {
    const direction = KEYS[event.key];
    if (!direction) return;
    event.preventDefault();
    event.stopPropagation();
    const [left, top, right, bottom] = this.region;
    const [across, down] = direction.map((each) => each * STEP);
    if (event.shiftKey) return this.set([left, top, within(right + across, left + STEP, 1000), within(bottom + down, top + STEP, 1000)]);
    const [x, y] = [within(left + across, 0, 1000 - right + left), within(top + down, 0, 1000 - bottom + top)];
    this.set([x, y, x + right - left, y + bottom - top]);
  }
}

function within(value, least, most) {
  return Math.min(most, Math.max(least, value));
}
