/** The tab of posts. */

import { element } from "../shared/elements.js";
import { Recent } from "../shared/recent.js";
import { Workshop } from "../shared/workshop.js";
import { blog } from "./door.js";
import { PostForm } from "./form.js";
import * as model from "./post.js";
import { PostView } from "./view.js";

/** Set the tab up in its place; what it does when it is looked at, and when no longer. */
export function open(place) {
  const kind = { door: blog, model, titleOf: (request) => request.topic, nameless: "A post" };
  const shop = new Workshop(kind, place);
  const form = new PostForm((request) => shop.submit(request));
  const view = new PostView({ cancel: (job) => shop.cancel(job), retry: (job) => shop.retry(job) });
  const recent = new Recent({
    list: document.getElementById("posts"),
    note: document.getElementById("posts-note"),
    more: document.getElementById("posts-more"),
    read: blog.list,
    empty: "Nothing has been written yet.",
    choose: (id) => shop.choose(id),
    dress,
  });
  shop.setUp({ form, view, recent });
  return shop;
}

/** Put below a post's title how it was asked for. */
function dress(item, { tone, length, target_length: words }) {
  if (!item.asked) {
    item.asked = element("span", { name: "asked" });
    item.title.after(item.asked);
  }
  item.asked.textContent = [tone, words ? `${words} words` : length].filter(Boolean).join(", ");
}
