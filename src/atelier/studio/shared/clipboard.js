/** Buttons that copy something, and say whether that worked. */

const SAID_FOR = 2000;

/** Copy what `read()` returns whenever the button is pressed; `announce` hears what the button says. */
export function copyButton(button, read, announce) {
  const name = button.textContent;
  let back = null;
  button.addEventListener("click", async () => {
    const copied = await copy(read(), button);
    button.textContent = copied ? "Copied" : "Copying is not allowed here";
    announce(button.textContent);
    clearTimeout(back);
    back = setTimeout(() => (button.textContent = name), SAID_FOR);
  });
}

/** The clipboard proper exists in secure contexts only; a studio in the local network is none. */
async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    button.focus();
    return copied;
  }
}
