// Tables that sort. No library; without this file they read the same.
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  // The head of a column sorts its rows: first the largest number or the first letter on top, then the other way, then as it was.
  const number = (text) => {
    const found = text.replaceAll("−", "-").replaceAll(",", "").match(/^\s*[<>≥≤]?\s*(-?[\d.]+)/);
    return found ? Number(found[1]) : NaN;
  };
  document.querySelectorAll(".bd-article table, table.ha-sortable").forEach((table) => {
    const body = table.tBodies[0], head = table.tHead && table.tHead.rows[table.tHead.rows.length - 1];
    if (!body || !head || body.rows.length < 2 || table.tHead.rows.length > 1 || table.closest(".ha-play, .ha-plain")) return;
    if (table.querySelector("[rowspan]:not([rowspan='1']), tbody [colspan]:not([colspan='1'])")) return;
    const rows = [...body.rows];
    [...head.cells].forEach((cell, k) => {
      const text = cell.textContent.trim();
      if (!text || cell.querySelector("a, button")) return;
      const button = Object.assign(document.createElement("button"), { type: "button", className: "ha-sort", title: "Sort by this column" });
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
