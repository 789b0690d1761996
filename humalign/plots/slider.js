// Pictures with a slider. Data and picture are in the element; Vega is loaded once, from the book itself.
document.querySelectorAll(".ha-slider:not([data-ready])").forEach((root) => {
  "use strict";
  root.dataset.ready = "yes";
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const find = (name) => root.querySelector(`.ha-slider-${name}`);
  const controls = find("controls"), chart = find("chart"), said = find("said");
  const { make, vega } = window.haParts;
  const networks = Object.keys(data.rows);
  let network = networks[0], step = data.step, made = null, drawing = Promise.resolve();

  const rows = () => data.rows[network];
  const here = () => rows().filter((row) => row.step === step);
  const last = () => Math.max(...rows().map((row) => row.step));
  const text = (value) => (value === 0 ? "0" : Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(4))));

  // ---- what the reader moves
  const range = make("input", { type: "range", min: 0, max: last(), step: 1 });
  range.value = step;
  range.addEventListener("input", () => { step = Number(range.value); move(); });
  const choice = make("select", {}, ...networks.map((name) => make("option", { value: name }, name)));
  choice.addEventListener("change", () => {
    network = choice.value;
    range.max = last();
    step = Math.min(step, last());
    drawing = drawing.then(draw);
  });
  controls.append(make("label", {}, data.word, range));
  if (networks.length > 1) controls.append(make("label", {}, "Network", choice));

  function tell() {
    const now = here(), value = now.length ? text(now[0].at) : "–";
    const parts = now.map((row) => {
      const panel = data.panels[row.panel];
      return `${Object.keys(panel.series).length > 1 ? row.series : panel.title} ${text(row.value)}`;
    });
    said.textContent = `${data.word} ${value}: ${parts.join(", ")}`;
    range.setAttribute("aria-valuetext", value);
    chart.setAttribute("aria-label", `${data.panels.map((panel) => panel.title).join(", ")} of ${network} at ${data.word} ${value}.`);
  }

  async function move() {
    tell();
    await drawing;
    made?.view.signal("step", step).runAsync();
  }

  function specification() {
    const spec = structuredClone(data.spec), dark = document.documentElement.dataset.theme === "dark";
    const soft = dark ? "#b4bcc5" : "#57606a", small = root.clientWidth < 560;
    spec.data.values = rows();
    spec.params[0].value = step;
    const width = (small ? root.clientWidth - 110 : (root.clientWidth - 40) / spec.hconcat.length - 75);
    for (const part of spec.hconcat) {
      part.width = Math.max(width, 120);
      for (const layer of part.layer) {
        const colour = layer.encoding.color;
        if (dark && colour) colour.scale.range = colour.scale.range.map((one) => data.dark[one] || one);
        if (layer.mark.type === "rule") layer.mark.stroke = soft;
      }
    }
    if (small) { spec.vconcat = spec.hconcat; delete spec.hconcat; }
    Object.assign(spec.config.axis, { labelColor: soft, titleColor: soft });
    Object.assign(spec.config.legend, { labelColor: soft });
    return spec;
  }

  async function draw() {
    await vega();
    made?.finalize();
    made = await window.vegaEmbed(chart, specification(), { mode: "vega-lite", renderer: "svg", actions: false, tooltip: false });
    tell();
  }

  drawing = draw().catch(() => { controls.remove(); }); // without Vega the picture stays
  new MutationObserver(() => { drawing = drawing.then(draw); }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
});
