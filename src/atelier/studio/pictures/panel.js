/** The tab of pictures. */

import { Recent } from "../shared/recent.js";
import { showThumb } from "../shared/thumb.js";
import { Workshop } from "../shared/workshop.js";
import { images } from "./door.js";
import { PictureForm } from "./form.js";
import * as model from "./job.js";
import { PictureView } from "./view.js";

/** Set the tab up in its place; what it does when it is looked at, and when no longer. */
export function open(place) {
  const kind = { door: images, model, titleOf: (request) => request.prompt, nameless: "A picture" };
  const shop = new Workshop(kind, place);
  const form = new PictureForm((request) => shop.submit(request));
  const view = new PictureView({
    cancel: (job) => shop.cancel(job),
    retry: (job) => shop.retry(job),
    useSeed: (seed) => form.useSeed(seed),
  });
  const recent = new Recent({
    list: document.getElementById("recent"),
    note: document.getElementById("recent-note"),
    more: document.getElementById("recent-more"),
    read: images.list,
    empty: "Nothing has been made yet.",
    choose: (id) => shop.choose(id),
    dress,
  });
  shop.setUp({ form, view, recent });
  return shop;
}

/** Put a job's picture above its title, once there is one. */
const dress = (item, view) => showThumb(item, view.result?.images[0].thumbnail_url ?? null);
