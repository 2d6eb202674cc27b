/** Buttons that copy. */

import { byId, h } from "../dom";

export function copyButton(words: string, text: () => string | Promise<string>): HTMLButtonElement {
  const button = h("button", { type: "button", onclick: async () => {
    const done = await copied(await text());
    button.textContent = done ? "Copied" : "The browser does not allow it";
    byId("announce").textContent = button.textContent;
    setTimeout(() => (button.textContent = words), 1600);
  } }, words);
  return button;
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages that are files have no clipboard of that kind everywhere
    const field = h("textarea", { class: "unseen", "aria-hidden": "true" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
