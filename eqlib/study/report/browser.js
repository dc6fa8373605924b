const { kind, methods, items } = JSON.parse(document.getElementById("payload").textContent);
const form = document.getElementById("filters");
const cards = document.getElementById("cards");
const more = document.getElementById("more");
const dialog = document.getElementById("item");
const STEP = 24;
let shown = STEP;
let found = [];

// A side counts as right when it is right in more than half of the seeds.
const right = (item, method) => item.runs[method] && item.runs[method].right.map((share) => share > 0.5);
const margin = (item, method) => item.runs[method]?.margin ?? NaN;

function outcome(item, method) {
  const shares = right(item, method);
  if (!shares) return "";
  if (shares.at(-1)) return "right";
  if (kind.noun !== "quad") return "wrong";
  const [text, image] = shares;
  if (text && !image) return "image";
  if (image && !text) return "text";
  return "both";
}

function filter() {
  const { subset, method, outcome: wanted, other, order } = Object.fromEntries(new FormData(form));
  const margins = items.map((item) => Math.abs(margin(item, method))).filter(Number.isFinite);
  const widest = Math.max(0, ...margins);
  const share = Number(form.elements.margin.value) / 100;
  form.elements.limit.value = share === 1 ? "any" : (share * widest).toFixed(2);
  found = items.filter((item) =>
    item.runs[method]
    && (!subset || item.subset === subset)
    && (!wanted || outcome(item, method) === wanted)
    && (!other || (item.runs[other] && right(item, method).at(-1) !== right(item, other).at(-1)))
    && (share === 1 || Math.abs(margin(item, method)) <= share * widest));
  const by = {
    close: (a, b) => Math.abs(margin(a, method)) - Math.abs(margin(b, method)),
    low: (a, b) => margin(a, method) - margin(b, method),
    high: (a, b) => margin(b, method) - margin(a, method),
  }[order];
  if (by) found.sort(by);
  shown = STEP;
  draw();
}

function draw() {
  cards.replaceChildren(...found.slice(0, shown).map(card));
  more.hidden = found.length <= shown;
  document.getElementById("count").textContent =
    found.length === 1 ? `1 ${kind.noun}` : `${found.length} ${kind.plural}${found.length ? "" : ": loosen a filter"}`;
}

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "tone") element.style.setProperty("--tone", value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function caption(words) {
  const paragraph = make("p");
  words.forEach(([word, changed], n) => paragraph.append(n ? " " : "", changed ? make("mark", {}, word) : word));
  return paragraph;
}

const plain = (words) => words.map(([word]) => word).join(" ");

function pair(item) {
  const sides = item.sides.map(({ picture, captions }) =>
    make("div", {}, make("img", { src: picture, alt: plain(captions[0]), loading: "lazy" }), ...captions.map(caption)));
  return make("div", { class: sides.length > 1 ? "pair" : "pair one" }, ...sides);
}

function card(item) {
  const chips = methods.filter(({ name }) => item.runs[name]).map(({ name, label, colour }) => {
    const wrong = !right(item, name).at(-1);
    const chip = make("span", { class: wrong ? "chip wrong" : "chip", tone: colour }, label);
    chip.title = `${kind.checks.at(-1)} ${wrong ? "wrong" : "right"}`;
    return chip;
  });
  const element = make("button", { type: "button", class: "card", "data-quad": item.id },
    make("div", { class: "meta" }, make("span", {}, item.subset), make("span", {}, item.id)),
    pair(item), make("div", { class: "chips" }, ...chips));
  element.addEventListener("click", () => show(item));
  return element;
}

const minus = (number, digits = 3) => number.toFixed(digits).replace("-", "−");

function block(item, { name, label, colour }) {
  const { s, right: shares, margin } = item.runs[name];
  const cell = (value, match) => make("td", match ? { class: "match" } : {}, minus(value));
  const table = make("table", {}, ...(kind.images.length ? [make("tr", {}, make("th"), ...kind.captions.map((head) => make("th", {}, head)))] : []),
    ...kind.images.map((head, row) => make("tr", {}, make("th", {}, head), ...kind.captions.map((_, column) => cell(s[row * kind.captions.length + column], row === column)))));
  const verdicts = make("p");
  kind.checks.forEach((side, n) => {
    const yes = shares[n] > 0.5;
    const part = shares[n] > 0 && shares[n] < 1 ? ` (${Math.round(100 * shares[n])} % of seeds)` : "";
    verdicts.append(n ? " · " : "", make("span", { class: yes ? "yes" : "no" }, `${yes ? "✓" : "✗"} ${side}`), part);
  });
  return make("div", { class: "block", tone: colour }, make("h3", {}, label), table, verdicts,
    make("p", {}, kind.noun === "quad" ? quadrant(s, margin) : kind.noun === "query" ? `rank ${+(1 - margin).toFixed(1)}` : `margin ${minus(margin)}`));
}

function quadrant([s00, s01, s10, s11], margin) {
  const threshold = Math.abs(s00 - s11) + Math.abs(s10 - s01);
  return `I = ${minus(s00 + s11 - s01 - s10)}, |a| + |b| = ${minus(threshold)}, margin ${minus(margin)}`;
}

function show(item) {
  const close = make("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(close, make("div", { class: "meta" }, make("span", {}, `${item.subset} · ${item.id}`)), pair(item),
    make("div", { class: "blocks" }, ...methods.filter(({ name }) => item.runs[name]).map((method) => block(item, method))));
  dialog.showModal();
}

dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
form.addEventListener("input", filter);
form.addEventListener("reset", () => setTimeout(filter));
form.addEventListener("submit", (event) => event.preventDefault());
more.addEventListener("click", () => { shown += STEP; draw(); });
filter();
