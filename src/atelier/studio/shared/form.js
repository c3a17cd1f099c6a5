/** What the forms of all tabs have in common: sending, the shortcut, the button while it is busy. */

/** A form that is sent by its button or Ctrl+Enter; `submit()` is not called while one is under way. */
export class Form {
  #button;
  #name;

  constructor(form, submit) {
    this.#button = form.querySelector(".submit .main");
    this.#name = this.#button.textContent;
    const key = form.querySelector(".meta-key");
    if (key && /Mac|iPhone|iPad/.test(navigator.userAgent)) key.textContent = "⌘";
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      form.requestSubmit();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#button.getAttribute("aria-disabled") !== "true") submit();
    });
  }

  /** Show that a request is under way; the button keeps its place in the tab order. */
  setBusy(busy) {
    this.#button.setAttribute("aria-disabled", String(busy));
    this.#button.textContent = busy ? "Sending…" : this.#name;
  }
}
