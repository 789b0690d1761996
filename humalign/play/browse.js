// The order of the triplets. Without this file they are in the first order.
document.querySelectorAll(".ha-browse:not([data-ready])").forEach((root) => {
  "use strict";
  root.dataset.ready = "yes";
  const label = root.querySelector(".ha-browse-order"), select = label.querySelector("select"), list = root.querySelector("ol");
  const items = [...list.children];
  label.hidden = false;
  select.addEventListener("change", () => {
    const score = (item) => Number(item.dataset.scores.split(" ")[select.value]);
    list.replaceChildren(...items.toSorted((a, b) => score(b) - score(a)));
  });
});
