// One picture, as large as the window allows.

import { say } from "./words.js";

export class Viewer {
  // `page` offers: removePicture(number)
  constructor(dialog, page) {
    this.dialog = dialog;
    this.page = page;
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // outside the picture
  }

  show(url, number, removable) {
    const caption = number ? say("Picture {number}", { number }) : "";
    const image = this.dialog.querySelector("img");
    image.src = url;
    image.alt = caption || say("Picture");
    this.dialog.querySelector(".caption").textContent = caption;
    const removal = document.getElementById("remove-picture");
    removal.hidden = !removable;
    removal.onclick = () => {
      this.dialog.close();
      this.page.removePicture(number);
    };
    this.dialog.showModal();
  }
}
