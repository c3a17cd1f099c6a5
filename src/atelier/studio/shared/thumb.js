/** The small picture of an item in a list of recent ones. */

import { element } from "./elements.js";

/** Put the picture at this address above the item's title; null: there is none yet. */
export function showThumb(item, url) {
  if (!item.thumb) {
    item.thumb = element("span", { name: "thumb" });
    item.button.prepend(item.thumb);
  }
  if (url !== null && item.thumb.dataset.url !== url) {
    item.thumb.dataset.url = url;
    item.thumb.replaceChildren(element("img", { src: url, alt: "", loading: "lazy", decoding: "async" }));
  } else if (url === null && item.thumb.dataset.url) {
    delete item.thumb.dataset.url;
    item.thumb.replaceChildren();
  }
}
