/** The frame on the easel: its shape before there is a picture, the previews, the picture. */

const frame = document.getElementById("frame");
let shown = "";
let wanted = "";

/** Empty the frame and give it a shape. */
export function reset(ratio) {
  shown = wanted = "";
  frame.replaceChildren();
  setRatio(ratio);
}

/** Return the number behind "16:9". */
export function ratioOf(text) {
  const [width, height] = (text ?? "1:1").split(":").map(Number);
  return width / height;
}

export const setWorking = (working) => frame.classList.toggle("working", working);

function setRatio(ratio) {
  frame.style.setProperty("--ratio", String(ratio));
}

/** Show a preview; one that is gone already is skipped, for the next one comes. */
export function showPreview(url, title) {
  load(url, `Preview: ${title}`, "preview", () => {});
}

/** Show the finished picture in its own shape. */
export function showPicture(picture, onError) {
  const ratio = picture.width / picture.height;
  const present = Number(frame.style.getPropertyValue("--ratio")) || 1;
  // Providers round to their model's raster; a hair's difference is not worth a jump.
  if (Math.abs(ratio / present - 1) > 0.03) setRatio(ratio);
  load(picture.image_url, picture.alt_text, "finished", onError);
}

function load(url, alt, kind, onError) {
  if (url === wanted || url === shown) return;
  wanted = url;
  const image = new Image();
  image.alt = alt;
  image.className = kind;
  image.decoding = "async";
  image.addEventListener("load", () => {
    if (wanted !== url) return;
    shown = url;
    frame.replaceChildren(image);
  });
  image.addEventListener("error", () => {
    if (wanted !== url) return;
    wanted = "";
    onError();
  });
  image.src = url;
}
