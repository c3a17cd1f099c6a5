/** The frame on the easel: its shape before there is a picture, the previews, the picture. */

export class Frame {
  element = document.getElementById("frame");
  #shown = "";
  #wanted = "";

  /** Empty the frame and give it a shape. */
  reset(ratio) {
    this.#shown = this.#wanted = "";
    this.element.replaceChildren();
    this.#setRatio(ratio);
  }

  setWorking(working) {
    this.element.classList.toggle("working", working);
  }

  /** Show a preview; one that is gone already is skipped, for the next one comes. */
  showPreview(url, title) {
    this.#load(url, `Preview: ${title}`, "preview", () => {});
  }

  /** Show the finished picture in its own shape. */
  showPicture(picture, onError) {
    const ratio = picture.width / picture.height;
    const present = Number(this.element.style.getPropertyValue("--ratio")) || 1;
    // Providers round to their model's raster; a hair's difference is not worth a jump.
    if (Math.abs(ratio / present - 1) > 0.03) this.#setRatio(ratio);
    this.#load(picture.image_url, picture.alt_text, "finished", onError);
  }

  #setRatio(ratio) {
    this.element.style.setProperty("--ratio", String(ratio));
  }

  #load(url, alt, kind, onError) {
    if (url === this.#wanted || url === this.#shown) return;
    this.#wanted = url;
    const image = Object.assign(new Image(), { alt, className: kind, decoding: "async" });
    image.addEventListener("load", () => {
      if (this.#wanted !== url) return;
      this.#shown = url;
      this.element.replaceChildren(image);
    });
    image.addEventListener("error", () => {
      if (this.#wanted !== url) return;
      this.#wanted = "";
      onError();
    });
    image.src = url;
  }
}

/** Return the number behind "16:9". */
export function ratioOf(text) {
  const [width, height] = (text ?? "1:1").split(":").map(Number);
  return width / height;
}
