// Figures that enlarge. No library; without this file pages read the same.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };

  // ---- a figure is a button that opens it as large as the window; Escape or a click closes it
  const dialog = make("dialog", { class: "ha-large", "aria-label": "Enlarged figure" });
  const close = make("button", { type: "button", class: "ha-close", "aria-label": "Close" }, "×");
  const holder = make("div", { class: "ha-large-holder" });
  dialog.append(close, holder);
  dialog.addEventListener("click", () => dialog.close());
  document.querySelectorAll(".bd-article .dark-light").forEach((image) => {
    if (image.closest("a, button")) return;
    const button = make("button", { type: "button", class: "ha-enlarge", title: "Enlarge this figure" });
    image.replaceWith(button);
    button.append(image);
    button.addEventListener("click", () => {
      const wide = image.closest("figure")?.querySelector(".ha-wide .dark-light"); // a phone enlarges the wide picture
      const large = (wide || image).cloneNode(true);
      large.removeAttribute("id");
      if (!dialog.isConnected) document.body.append(dialog);
      holder.replaceChildren(large);
      dialog.showModal();
    });
  });
});
