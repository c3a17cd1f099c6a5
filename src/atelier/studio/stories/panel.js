/** The tab of stories. */

import { Recent } from "../shared/recent.js";
import { showThumb } from "../shared/thumb.js";
import { Workshop } from "../shared/workshop.js";
import { stories } from "./door.js";
import { StoryForm } from "./form.js";
import * as model from "./story.js";
import { StoryView } from "./view.js";
import { StoryWatcher } from "./watch.js";

/** Set the tab up in its place; what it does when it is looked at, and when no longer. */
export function open(place) {
  const kind = {
    door: stories, model, watcher: StoryWatcher, scripts: ["sandbox", "sandbox_images"],
    titleOf: (request) => request.topic, nameless: "A story",
  };
  const shop = new Workshop(kind, place);
  const form = new StoryForm((request) => shop.submit(request));
  const view = new StoryView({
    cancel: (story) => shop.cancel(story),
    retry: (story) => shop.retry(story),
    remove: (story) => shop.remove(story),
    repaint: (story, numbers) => shop.retry(story, (id) => stories.repaint(id, numbers)),
  });
  const recent = new Recent({
    list: document.getElementById("story-list"),
    note: document.getElementById("stories-note"),
    more: document.getElementById("stories-more"),
    read: stories.list,
    empty: "Nothing has been told yet.",
    choose: (id) => shop.choose(id),
    dress,
  });
  shop.setUp({ form, view, recent });
  return shop;
}

/** Put the first of a story's pictures above its title. */
const dress = (item, { images }) => showThumb(item, images.find(({ thumbnail_url: url }) => url)?.thumbnail_url ?? null);
