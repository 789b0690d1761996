// What pictures that readers move share: an element in one call, and Vega, loaded once, from the book itself.
window.haParts ||= (() => {
  "use strict";
  let loading = null;
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const vega = () => (window.vegaEmbed ? Promise.resolve() : (loading ||= new Promise((ready, failed) => {
    const script = make("script", { src: `${document.documentElement.dataset.content_root || "../"}_static/vega/vega.js` });
    script.addEventListener("load", ready);
    script.addEventListener("error", failed);
    document.head.append(script);
  })));
  return { make, vega };
})();
