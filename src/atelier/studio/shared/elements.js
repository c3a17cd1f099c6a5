/** Making elements, without markup in strings. */

/** Return a new element with this class, text and attributes; what is null or empty is left out. */
export function element(tag, { name = "", text = "", ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== "") made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) if (value != null) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
