// Zooms into a picture and moves it: by wheel, by drag, by two fingers, and by what the keys call.

const MOST = 8;

export class Zoom {
  // `plane` is what is drawn larger within `stage`. `single` takes over one pointer's drag: { begin(at), to(at), end() }, or is null.
  constructor(stage, plane, changed) {
    this.stage = stage;
    this.plane = plane;
    this.changed = changed;
    this.single = null;
    this.pointers = new Map();
    this.reset();
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.#up(event));
  }

  reset() {
    [this.scale, this.x, this.y] = [1, 0, 0];
    this.#draw();
  }

  // Around a point of the window, by default the middle of the stage.
  by(factor, at = this.#middle()) {
    const { left, top } = this.stage.getBoundingClientRect();
    const [x, y] = [at.clientX - left, at.clientY - top];
    const scale = Math.min(MOST, Math.max(1, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.#draw();
  }

  move(across, down) {
    this.x += across;
    this.y += down;
    this.#draw();
  }

  // A point of the window in thousandths of the picture.
  thousandths({ clientX, clientY }) {
    const { left, top, width, height } = this.plane.getBoundingClientRect();
    return [(clientX - left) / width, (clientY - top) / height].map((share) => Math.round(1000 * Math.min(1, Math.max(0, share))));
  }

  #draw() {
    const { clientWidth, clientHeight } = this.stage;
    this.x = Math.min(0, Math.max(this.x, clientWidth * (1 - this.scale)));
    this.y = Math.min(0, Math.max(this.y, clientHeight * (1 - this.scale)));
    this.plane.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.stage.classList.toggle("zoomed", this.scale > 1);
    this.changed?.(this.scale);
  }

  #middle() {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return { clientX: left + width / 2, clientY: top + height / 2 };
  }

  #wheel(event) {
    event.preventDefault();
    this.by(Math.exp(-event.deltaY / 300), event);
  }

  #down(event) {
    if (event.button > 0) return;
    event.preventDefault(); // no drag of the image itself
    this.stage.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 1) this.single?.begin(this.thousandths(event));
  }

  #move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const [other] = [...this.pointers.values()].filter(({ pointerId }) => pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (other) {
      this.by(apart(event, other) / Math.max(1, apart(before, other)), between(event, other));
      this.move((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
    } else if (this.single) this.single.to(this.thousandths(event));
    else this.move(event.clientX - before.clientX, event.clientY - before.clientY);
  }

  #up(event) {
    if (this.pointers.delete(event.pointerId) && !this.pointers.size) this.single?.end();
  }
}

function apart(one, other) {
  return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
}

function between(one, other) {
  return { clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 };
}
