/** The API key of this tab: asked for when the service wants one, sent with every call, gone with the tab. */

const NAME = "atelier.key";
const dialog = document.getElementById("key-dialog");
const input = document.getElementById("key");

let key = stored();
let asking = null;
let declined = false;

function stored() {
  try {
    return sessionStorage.getItem(NAME) ?? "";
  } catch {
    return "";
  }
}

/** Return the key in use; empty while there is none. */
export const present = () => key;

/** Return the header that carries a key. */
export const header = (used) => (used === "" ? {} : { Authorization: `Bearer ${used}` });

/**
 * Ask for a key, as `used` was refused; whether there is another one to try again with.
 *
 * However many calls are refused at once, people are asked once. After a "Not now" only what they do themselves asks again.
 */
export async function ask(used, byHand) {
  if (used !== key) return true;
  if (declined && !byHand) return false;
  asking ??= show().finally(() => (asking = null));
  return asking;
}

function show() {
  const reason = key === "" ? "This needs a key. Whoever runs the service gives them out." : "That key was not accepted. Is there another one?";
  document.getElementById("key-reason").textContent = reason;
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(take(dialog.returnValue === "use")), { once: true });
  });
}

function take(given) {
  declined = !given;
  if (given) keep(input.value.trim());
  input.value = "";
  return given;
}

function keep(next) {
  key = next;
  try {
    sessionStorage.setItem(NAME, key);
  } catch {
    // Without storage it holds until the page is left.
  }
}
