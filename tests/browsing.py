"""Pages in a browser with the network cut."""


def opened(browser, path, query="", **more):
    """The page with the network cut; what it complains about and what it asks for."""
    context = browser.new_context(offline=True, accept_downloads=True, **more)
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(("file:", "data:", "blob:")) else trouble.append(asked.url),
    )
    page.goto(path.resolve().as_uri() + query)
    return page, trouble


def figure_texts(page, ground):
    """Every text of the figures that a page shows: figure, words, size (pixels as shown), contrast with what is behind.

    ``ground``: colour of the page. Exponents are not measured by themselves; texts over photographs and drawings are
    left out.
    """
    keys = ("figure", "words", "pixels", "contrast")
    return [dict(zip(keys, row)) for row in page.evaluate(TEXTS, ground)]


TEXTS = """(ground) => {
  const parse = (colour) => colour.match(/[\\d.]+/g)?.map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, part, k) => sum + part * linear(c[k] / 255), 0);
  const out = [];
  for (const svg of document.querySelectorAll("svg.ha-figure")) {
    if (!svg.getBoundingClientRect().width) continue;
    svg.scrollIntoView({ block: "start", behavior: "instant" });
    for (const text of svg.querySelectorAll("text")) {
      const words = text.textContent.trim(), look = getComputedStyle(text), ink = parse(look.fill);
      if (!words || !ink) continue;
      const matrix = text.getScreenCTM(), pixels = parseFloat(look.fontSize) * Math.hypot(matrix.a, matrix.b);
      let box = text.getBoundingClientRect();
      if (box.bottom > innerHeight || box.top < 0) {
        text.scrollIntoView({ block: "center", behavior: "instant" });
        box = text.getBoundingClientRect();
      }
      const behind = [];
      let pictured = false;
      if (look.stroke === "none") // no rim of the colour of the page
        for (const mark of document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2)) {
          if (mark.closest("text") || !svg.contains(mark)) continue;
          if (mark instanceof SVGImageElement) { pictured = true; break; }
          if (!(mark instanceof SVGGeometryElement || mark instanceof SVGUseElement)) continue;
          const own = getComputedStyle(mark), colour = parse(own.fill);
          if (colour) behind.push([colour, (colour[3] ?? 1) * own.fillOpacity * own.opacity]);
        }
      if (pictured) continue;
      const back = behind.reverse().reduce((low, [c, a]) => low.map((v, k) => a * c[k] + (1 - a) * v), parse(ground));
      const [low, high] = [light(ink), light(back)].sort((a, b) => a - b);
      out.push([svg.closest("figure")?.id || "", words, pixels, (high + 0.05) / (low + 0.05)]);
    }
  }
  return out;
}"""
