/**
 * The page: its tabs, each with a folder of its own.
 *
 * `/?sandbox=slow&seconds=4` hands a script to the sandbox with every request of this page, for trying out and for
 * tests: any scenario of the API's `sandbox.scenario`; `seconds` is optional. `sandbox_images=` scripts a story's pictures alone.
 */

import { openSettings } from "./settings/panel.js";
import { Tabs } from "./shared/tabs.js";

const tabs = new Tabs(document.getElementById("tabs"));

document.getElementById("settings-open").addEventListener("click", () => openSettings());
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  tabs.current.place.querySelector(".easel")?.focus();
});
