// Figures that enlarge, tables that sort. No library; without this file pages read the same.
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
  document.querySelectorAll(".bd-article img.dark-light").forEach((image) => {
    if (image.closest("a, button")) return;
    const button = make("button", { type: "button", class: "ha-enlarge", title: "Enlarge this figure" });
    image.replaceWith(button);
    button.append(image);
    button.addEventListener("click", () => {
      const large = image.cloneNode();
      large.removeAttribute("id");
      if (!dialog.isConnected) document.body.append(dialog);
      holder.replaceChildren(large);
      dialog.showModal();
    });
  });

  // ---- the head of a column sorts its rows: first largest number or first letter on top, then the other way, then as it was
  const number = (text) => {
    const found = text.replaceAll("−", "-").replaceAll(",", "").match(/^\s*[<>≥≤]?\s*(-?[\d.]+)/);
    return found ? Number(found[1]) : NaN;
  };
  document.querySelectorAll(".bd-article table").forEach((table) => {
    const body = table.tBodies[0], head = table.tHead && table.tHead.rows[table.tHead.rows.length - 1];
    if (!body || !head || body.rows.length < 4 || table.tHead.rows.length > 1 || table.closest(".ha-play, .ha-plain")) return;
    if (table.querySelector("[rowspan]:not([rowspan='1']), tbody [colspan]:not([colspan='1'])")) return;
    const rows = [...body.rows];
    [...head.cells].forEach((cell, k) => {
      const text = cell.textContent.trim();
      if (!text || cell.querySelector("a, button")) return;
      const button = make("button", { type: "button", class: "ha-sort", title: "Sort by this column" });
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const values = rows.map((row) => (row.cells[k] ? row.cells[k].textContent.trim() : ""));
        const numbers = values.map(number), numeric = numbers.some((n) => !Number.isNaN(n)) &&
          values.every((v, i) => !Number.isNaN(numbers[i]) || /^[–—]?$/.test(v));
        const first = numeric ? "descending" : "ascending", second = numeric ? "ascending" : "descending";
        const now = cell.getAttribute("aria-sort"), next = now === first ? second : now === second ? "none" : first;
        [...head.cells].forEach((other) => other.removeAttribute("aria-sort"));
        if (next !== "none") cell.setAttribute("aria-sort", next);
        const order = rows.map((_, i) => i), sign = next === "ascending" ? 1 : -1;
        const empty = (i) => (numeric ? Number.isNaN(numbers[i]) : !values[i]);
        if (next !== "none") order.sort((a, b) => empty(a) - empty(b) || (empty(a) ? a - b
          : sign * (numeric ? numbers[a] - numbers[b] : values[a].localeCompare(values[b])) || a - b));
        body.append(...order.map((i) => rows[i]));
      });
    });
  });
});
