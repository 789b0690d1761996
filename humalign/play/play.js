// The odd-one-out game: no library, nothing is loaded. Its data is the JSON inside the element.
// A round: { p: [three pictures], n: [how many people picked each], net: [which one each network picked, -1 undecided] }
document.querySelectorAll(".ha-play:not([data-ready])").forEach((root) => {
  "use strict";
  root.dataset.ready = "yes";
  const data = JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const stage = root.querySelector(".ha-play-stage");
  const games = data.rounds.length / data.length;
  const saved = []; // every answer since the page was opened, in all games
  let game = 0, turn = 0, picks = [], tall = 0;
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const rounds = () => data.rounds.slice(game * data.length, (game + 1) * data.length);
  const picture = (round, k) => data.pictures[round.p[k]];
  const name = (round, k) => `“${picture(round, k).label}”`;
  const people = (n) => `${n} ${data.who[n === 1 ? 0 : 1]}`;

  // An element with attributes and children; text stays text, so that no name is read as HTML.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (key === "click") element.addEventListener("click", value);
      else if (value !== null) element.setAttribute(key, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  }

  const heading = (text) =>
    make("div", { class: "ha-play-question", role: "heading", "aria-level": "2", tabindex: "-1" }, text);

  function show(focus, ...children) {
    stage.replaceChildren(...children);
    if (focus) focus.focus({ preventScroll: true });
  }

  // ---- a round

  function ask(first) {
    const round = rounds()[turn];
    const question = heading("Which one is the odd one out?");
    question.prepend(make("span", { class: "ha-play-hidden" }, `Round ${turn + 1}. `));
    const answered = rounds().slice(0, turn).filter((one) => sum(one.n)).length;
    const told = answered ? `agreement so far: ${hits(picks)} of ${answered}` : "";
    const items = round.p.map((_, k) => make("div", { class: "ha-play-item" },
      make("button", { class: "ha-play-pick", type: "button", click: () => pick(k) },
        make("img", { class: "ha-play-picture", src: picture(round, k).src, alt: picture(round, k).label,
          width: 256, height: 256, draggable: "false" }),
        make("span", { class: "ha-play-key", "aria-hidden": "true" }, String(k + 1))),
      make("div", { class: "ha-play-result" })));
    show(first ? null : question,
      make("div", { class: "ha-play-top" },
        make("span", {}, `Round ${turn + 1} of ${data.length}` +
          (data.all.questions ? `, compared with ${data.who[1]}` : "")), make("span", {}, told)),
      question,
      make("div", { class: "ha-play-row", role: "group", "aria-label": "Three pictures" }, ...items),
      make("div", { class: "ha-play-said", role: "status" }),
      make("div", { class: "ha-play-foot" },
        make("span", { class: "ha-play-keys" }, "Click a picture, or press 1, 2 or 3.")));
  }

  function pick(k) {
    if (picks.length > turn) return; // answered already
    const round = rounds()[turn], asked = sum(round.n);
    picks.push(k);
    saved.push([...round.p.map((one) => data.pictures[one].id), picture(round, k).id]);
    stage.querySelectorAll(".ha-play-item").forEach((item, j) => {
      const button = item.querySelector("button");
      button.setAttribute("aria-disabled", "true");
      button.setAttribute("aria-pressed", String(j === k));
      item.querySelector(".ha-play-result").append(...result(round, j, j === k, asked));
    });
    stage.querySelector(".ha-play-said").append(...said(round, k, asked));
    const last = turn + 1 === data.length;
    const next = make("button", { class: "ha-play-button", type: "button", click: forward },
      last ? "See your score" : "Next");
    stage.querySelector(".ha-play-foot").replaceChildren(next,
      make("span", { class: "ha-play-keys" }, "or press Enter"));
    tall = Math.max(tall, stage.offsetHeight); // from now on, so that what follows the game keeps its place
    stage.style.minHeight = `${tall}px`;
    next.focus({ preventScroll: true });
  }

  // Below a picture: its name, how many people picked it, which networks did.
  function result(round, k, mine, asked) {
    const chip = (text, kind) => make("span", { class: `ha-play-chip ${kind}` }, text);
    return [
      make("b", {}, picture(round, k).label),
      asked ? make("div", { class: "ha-play-bar", "aria-hidden": "true" },
        make("i", { style: `width:${(100 * round.n[k]) / asked}%` })) : null,
      asked ? make("span", {}, `${round.n[k]} of ${asked}`) : null,
      mine ? chip("You", "you") : null,
      ...data.networks.map((network, i) => (round.net[i] === k ? chip(network, "net") : null)),
    ].filter((part) => part !== null);
  }

  // The same in a sentence.
  function said(round, k, asked) {
    const top = round.n.indexOf(Math.max(...round.n)), mine = round.n[k];
    let people_said = `You picked ${name(round, k)}. Nobody was asked this question before.`;
    if (asked === 1) {
      people_said = mine ? `You picked ${name(round, k)}, and so did the one ${data.who[0]} who was asked.`
        : `You picked ${name(round, k)}. The one ${data.who[0]} who was asked picked ${name(round, top)}.`;
    } else if (asked) {
      people_said = mine === round.n[top]
        ? `You picked ${name(round, k)}, the most frequent answer: ${mine} of ${people(asked)}.`
        : `You picked ${name(round, k)}, as did ${mine || "none"} of ${people(asked)}. ` +
          `The most frequent answer was ${name(round, top)} (${round.n[top]}).`;
    }
    const networks = data.networks.map((network, i) =>
      round.net[i] < 0 ? `${network} could not decide` : `${network} picked ${name(round, round.net[i])}`);
    return [make("p", {}, people_said), networks.length ? make("p", {}, networks.join("; ") + ".") : null]
      .filter((part) => part !== null);
  }

  function forward() {
    turn += 1;
    if (turn < data.length) ask(false);
    else finish();
  }

  // ---- the score: how often a pick was (one of) the most frequent answers of people

  const hit = (round, k) => k >= 0 && sum(round.n) > 0 && round.n[k] === Math.max(...round.n);
  const hits = (choices) => choices.filter((k, i) => hit(rounds()[i], k)).length;
  const chance = (round) => round.n.filter((n) => n === Math.max(...round.n)).length / 3;

  // The chance that one of those who answered agrees with the most frequent answer of all others.
  function another(round) {
    return sum(round.n.map((n, k) => {
      if (!n) return 0;
      const others = round.n.map((m, j) => m - (j === k ? 1 : 0));
      const best = Math.max(...others);
      return others[k] === best ? n / others.filter((m) => m === best).length : 0;
    })) / sum(round.n);
  }

  function finish() {
    const all = rounds(), asked = all.filter((round) => sum(round.n)), several = all.filter((round) => sum(round.n) > 1);
    const title = heading(asked.length
      ? `You agree with ${data.who[1]} in ${hits(picks)} of ${asked.length} rounds`
      : `Done: ${data.length} rounds`);
    const total = (values, n) => sum(values).toFixed(1) + (n < asked.length ? ` of ${n}` : "");
    const dots = (choices) => make("span", { role: "img", class: "ha-play-dots", "aria-label":
      "in rounds " + (all.flatMap((round, i) => (hit(round, choices[i]) ? [i + 1] : [])).join(", ") || "none") },
      ...all.map((round, i) => make("i", { class: !sum(round.n) ? "none" : hit(round, choices[i]) ? "hit" : "" })));
    const line = (who, kind, what, number) => make("tr", { class: kind },
      make("th", { scope: "row" }, who), make("td", {}, what), make("td", {}, number));
    const table = make("table", { class: "ha-play-scores" },
      make("caption", {}, `Rounds in which the pick is the most frequent answer of ${data.who[1]} (filled)`),
      make("tbody", {},
        line("You", "you", dots(picks), String(hits(picks))),
        ...data.networks.map((network, i) => {
          const choices = all.map((round) => round.net[i]);
          return line(network, "", dots(choices), String(hits(choices)));
        }),
        several.length ? line(`Another ${data.who[0]}`, "", "on average", total(several.map(another), several.length)) : null,
        line("Guessing", "", "on average", total(asked.map(chance), asked.length))));
    const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
    const overall = data.all.questions && data.networks.length
      ? `${data.length} rounds are few. Over all ${data.all.questions} questions, ${data.networks.map((network, i) =>
        `${network} agrees with ${percent(data.all.share[i])}`).join(", ")} of ${data.who[1]}; guessing with 33\u00a0%.`
      : "";
    const person = make("input", { type: "text", value: new URLSearchParams(location.search).get("person") || "me",
      autocomplete: "off" });
    const again = make("button", { class: "ha-play-button", type: "button", click: () => {
      game = (game + 1) % games; turn = 0; picks = []; ask(false);
    } }, games > 1 ? `Play ${data.length} other rounds` : "Play again");
    stage.style.minHeight = "";
    tall = 0;
    show(title, title, asked.length ? table : "",
      make("p", {}, several.length && several.length < asked.length
        ? `${asked.length - several.length} of these questions had one answer each. ${overall}` : overall),
      make("div", { class: "ha-play-foot", style: "margin-top:.9rem" }, again,
        make("button", { class: "ha-play-button plain", type: "button", click: () => save(person.value) },
          "Save my answers (CSV)"),
        make("label", {}, "by", person)));
  }

  // Columns a, b, c, odd, person: what 'humalign evaluate' and 'humalign play --triplets' read.
  function save(person) {
    const cell = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [["a", "b", "c", "odd", "person"], ...saved.map((answer) => [...answer, person.trim() || "me"])];
    const text = lines.map((line) => line.map(cell).join(",") + "\n").join("");
    const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    make("a", { href: address, download: "odd-one-out.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  // Keys 1, 2, 3 pick while the game can be seen and nothing else has the focus.
  document.addEventListener("keydown", (event) => {
    const here = document.activeElement;
    const box = stage.getBoundingClientRect();
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || !"123".includes(event.key)) return;
    if (here && here !== document.body && (!root.contains(here) || here.tagName === "INPUT")) return;
    if (box.bottom < 0 || box.top > innerHeight || !stage.querySelector(".ha-play-pick")) return;
    pick(Number(event.key) - 1);
    event.preventDefault();
  });

  ask(true);
});
