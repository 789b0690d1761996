// Scatters to explore. Data and picture are in the element; Vega is loaded once, from the book itself.
document.querySelectorAll(".ha-explore:not([data-ready])").forEach((root) => {
  "use strict";
  root.dataset.ready = "yes";
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const find = (name) => root.querySelector(`.ha-explore-${name}`);
  const controls = find("controls"), chart = find("chart"), said = find("said");
  const { make, vega } = window.haParts;
  const shared = (window.haExplore ||= { picks: new Set(), all: [] }); // a pick holds in every scatter of the page
  const off = new Set();
  let { x, y } = data, made = null;

  const number = (column) => data.numbers.find((one) => one.column === column);

  // ---- what the reader chooses
  const chooser = (title, chosen, set) => {
    const select = make("select", {}, ...data.numbers.map((one) => make("option", { value: one.column }, one.title)));
    select.value = chosen;
    select.addEventListener("change", () => { set(select.value); draw(); });
    return make("label", {}, title, select);
  };
  const boxes = data.groups.map((group) => {
    const box = make("input", { type: "checkbox" });
    box.checked = true;
    box.addEventListener("change", () => { box.checked ? off.delete(group) : off.add(group); draw(); });
    return make("label", {}, box, group);
  });
  const list = make("datalist", { id: `${root.id}-names` }, ...data.rows.map((row) => make("option", { value: row.name })));
  const search = make("input", { list: list.id, placeholder: "name, then Enter", autocomplete: "off" });
  search.addEventListener("change", () => {
    if (data.rows.some((row) => row.name === search.value)) { toggle(search.value); search.value = ""; }
  });
  const picture = find("picture");
  const pairs = make("select", {}, ...data.pairs.map((pair, k) => make("option", { value: k }, pair.title)));
  pairs.addEventListener("change", () => {
    const pair = data.pairs[pairs.value];
    ({ x, y } = pair);
    Object.assign(picture, { src: pair.image, alt: pair.alt });
    draw();
  });
  const axes = data.pairs.length ? [make("label", {}, "Show", pairs)]
    : [chooser("Up", y, (value) => { y = value; }), chooser("Across", x, (value) => { x = value; })];
  controls.append(...axes, make("label", {}, "Pick a network", search), list, make("fieldset", {}, make("legend", {}, "Training groups"), ...boxes));
  root.querySelectorAll("th[data-name]").forEach((cell) => {
    const button = make("button", { type: "button", "aria-pressed": "false" }, cell.dataset.name);
    button.addEventListener("click", () => toggle(cell.dataset.name));
    cell.replaceChildren(button);
  });

  function toggle(name) {
    shared.picks.has(name) ? shared.picks.delete(name) : shared.picks.add(name);
    shared.all.forEach((redraw) => redraw());
  }

  // ---- the picture
  const shown = () => data.rows.filter((row) => !off.has(row.group) && row.values[x][0] !== null && row.values[y][0] !== null);

  function specification() {
    const spec = structuredClone(data.spec), dark = document.documentElement.dataset.theme === "dark";
    const ink = getComputedStyle(root).color, soft = dark ? "#b4bcc5" : "#57606a";
    const rows = shown().map((row) => ({ name: row.name, group: row.group, x: row.values[x][0], y: row.values[y][0],
      low: row.values[y][1] ?? row.values[y][0], high: row.values[y][2] ?? row.values[y][0], picked: shared.picks.has(row.name) }));
    delete spec.datasets;
    spec.data = { values: rows };
    const light = { black: "#f2f4f6", darkmagenta: "#d968d9", brown: "#c9625f", darkcyan: "#21b3b3", darkgreen: "#45a845", "#8020e0": "#a873ff" };
    const scale = (column) => (number(column).log ? { type: "log" } : { type: "linear", zero: false });
    if (!rows.some((row) => row.picked)) spec.layer = spec.layer.filter((layer) => !layer.transform); // rings and names
    for (const layer of spec.layer) {
      delete layer.data;
      const { encoding } = layer;
      encoding.x.title = number(x).title;
      encoding.x.scale = scale(x);
      encoding.y.title = number(y).title;
      encoding.y.scale = scale(y);
      if (encoding.tooltip) { encoding.tooltip[2].title = number(x).title; encoding.tooltip[3].title = number(y).title; }
      if (dark && encoding.color) encoding.color.scale.range = encoding.color.scale.range.map((one) => light[one] || one);
      if (layer.mark.type === "text") layer.mark.fill = ink;
      if (layer.mark.type === "point" && !layer.mark.filled) layer.mark.stroke = ink;
    }
    spec.width = "container";
    spec.autosize = { type: "fit-x", contains: "padding" };
    Object.assign(spec.config.axis, { labelColor: soft, titleColor: soft });
    Object.assign(spec.config.legend, { labelColor: soft, columns: root.clientWidth < 500 ? 1 : 3 });
    for (const layer of spec.layer) if (layer.encoding.color?.legend) layer.encoding.color.legend.columns = spec.config.legend.columns;
    return spec;
  }

  async function draw() {
    await vega();
    const spec = specification();
    made?.finalize();
    chart.style.width = "100%";
    made = await window.vegaEmbed(chart, spec, { mode: "vega-lite", renderer: "svg", actions: false, tooltip: { theme: document.documentElement.dataset.theme === "dark" ? "dark" : "light" } });
    made.view.addEventListener("click", (_, item) => { if (item?.datum?.name) toggle(item.datum.name); });
    const rows = shown(), picked = rows.filter((row) => shared.picks.has(row.name));
    const text = (value) => (Math.abs(value) < 10 ? value.toFixed(3) : value.toFixed(1));
    chart.setAttribute("aria-label", `${number(y).title} against ${number(x).title}, ${rows.length} networks.`);
    said.textContent = picked.length
      ? picked.map((row) => `${row.name}: ${number(y).title} ${text(row.values[y][0])}, ${number(x).title} ${text(row.values[x][0])}`).join("; ")
      : `${rows.length} networks. Point at one to read its name; click to keep it marked.`;
    root.querySelectorAll("th[data-name] button").forEach((button) =>
      button.setAttribute("aria-pressed", String(shared.picks.has(button.textContent))));
  }

  shared.all.push(draw);
  draw().catch(() => { controls.remove(); }); // without Vega the picture and the table stay
  new MutationObserver(draw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
});
