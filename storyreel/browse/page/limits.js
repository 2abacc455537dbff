// The thresholds: a histogram of each score with handles that can be dragged, typed or moved by arrow keys.

import { $, count, el, number, svg } from "./talk.js";

const WIDE = 280, HIGH = 54;
const PARTS = { min: "at least", max: "at most", difference_min: "at least" };

let said = null, draft = null, changed = () => {}, look = () => {};
const boxes = new Map(); // column -> what is drawn of it

export function setUp(set, thresholds, onChange, onLook) {
  [said, draft, changed, look] = [set, thresholds, onChange, onLook];
  boxes.clear();
  $("active").replaceChildren();
  $("idle").replaceChildren();
  const unmeasured = [];
  for (const score of set.scores) {
    if (score.unknown === set.spans && set.spans) { unmeasured.push(score.field.replaceAll("_", " ")); continue; }
    const box = new Box(score);
    boxes.set(score.column, box);
    const used = box.parts.some((part) => box.limit(part) !== null) ||
      Object.values(set.defaults[box.field] ?? {}).some((value) => value !== null);
    (used ? $("active") : $("idle")).append(box.whole);
  }
  const motion = boxes.get("motion_flow"), difference = boxes.get("motion_difference");
  if (motion && difference) motion.whole.after(difference.whole);
  $("active").append(twins());
  $("unmeasured").textContent = unmeasured.length ? `Not measured here: ${unmeasured.join(", ")}.` : "";
  $("others").hidden = !$("idle").children.length;
  show(null);
}

// What the server says of the draft: counts to draw.
export function show(decided) {
  const reasons = new Map((decided?.reasons ?? []).map((each) => [each.name, each]));
  for (const box of boxes.values()) box.draw(decided?.histograms[box.column], reasons);
  const share = draft.duplicates.share, why = reasons.get("duplicate");
  if (document.activeElement !== $("twins")) $("twins").value = share ?? "";
  tell($("twins-say"), why, "duplicate", share === null ? "off" : decided && !decided.twins ? "looking for more twins…" : "");
}

function set(field, part, value) {
  if (draft[field][part] === value) return;
  draft[field][part] = value;
  const { min, max } = draft[field]; // one pushes the other along
  if (min != null && max != null && min > max) draft[field][part === "min" ? "max" : "min"] = value;
  changed();
}

function tell(where, why, name, otherwise) {
  where.replaceChildren(why?.all ? el("button", { type: "button", class: "link", onclick: () => look(name) },
    `rejects ${count(why.all)}`) : "", why?.all ? `, ${count(why.alone)} alone` : otherwise);
}

function twins() {
  const input = el("input", { id: "twins", inputmode: "decimal", "aria-label": "duplicates share", placeholder: "none", size: 7 });
  input.addEventListener("change", () => {
    const value = input.value.trim() === "" || input.value.trim() === "none" ? null : Number(input.value);
    if (Number.isNaN(value) || value < 0 || value > 0.5) { input.setCustomValidity("0 to 0.5, or none"); input.reportValidity(); return; }
    input.setCustomValidity("");
    set("duplicates", "share", value);
  });
  return el("section", { class: "limit", "data-field": "duplicates" },
    el("div", { class: "head" }, el("h3", { title: "Share of the bits of two perceptual hashes in which twins may differ" }, "duplicates"),
      el("label", {}, "share of bits ", input)),
    el("p", { id: "twins-say", class: "hint" }));
}

class Box {
  constructor(score) {
    this.column = score.column;
    this.apart = score.column === "motion_difference";
    this.field = this.apart ? "motion" : score.field;
    this.parts = this.apart ? ["difference_min"] : ["min", "max"];
    this.edges = score.edges;
    this.all = score.counts;
    this.most = Math.sqrt(Math.max(1, ...score.counts));
    this.inputs = Object.fromEntries(this.parts.map((part) => [part, this.input(part)]));
    this.handles = Object.fromEntries(this.parts.map((part) => [part, this.handle(part)]));
    this.strong = svg("path", { class: "in" });
    this.shades = [svg("rect", { class: "out", y: 0, height: HIGH }), svg("rect", { class: "out", y: 0, height: HIGH })];
    this.chart = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH + 10}`, preserveAspectRatio: "none", class: "chart" },
      svg("path", { class: "all", d: this.bars(this.all) }), this.strong, ...this.shades);
    this.chart.setAttribute("aria-hidden", "true");
    this.stage = el("div", { class: "stage" }, this.chart, ...Object.values(this.handles));
    this.ends = el("div", { class: "ends", "aria-hidden": "true" }, el("span", {}, number(this.edges[0])), el("span", {}, number(this.edges.at(-1))));
    this.say = el("p", { class: "hint" });
    const name = this.apart ? "… and difference" : score.field.replaceAll("_", " ");
    const fields = this.parts.map((part) => el("label", {}, `${part === "max" ? "≤" : "≥"} `, this.inputs[part]));
    this.whole = el("section", { class: "limit" + (this.apart ? " apart" : ""), "data-field": this.field, "data-column": this.column },
      el("div", { class: "head" }, el("h3", { title: score.says }, name), ...fields), this.stage, this.ends, this.say);
    this.whole.append(el("p", { class: "hint says" }, score.says));
    this.stage.addEventListener("pointerdown", (event) => this.grab(event));
  }

  limit(part) { return draft[this.field][part] ?? null; }

  // Bins may be of growing width: between edges, place and value go evenly.
  at(value) {
    const { edges } = this, bins = edges.length - 1;
    if (value <= edges[0]) return 0;
    for (let i = 0; i < bins; i++) if (value < edges[i + 1]) return (i + (value - edges[i]) / (edges[i + 1] - edges[i])) / bins;
    return 1;
  }

  from(place) {
    const bins = this.edges.length - 1, i = Math.min(bins - 1, Math.floor(place * bins));
    const value = this.edges[i] + (this.edges[i + 1] - this.edges[i]) * (place * bins - i);
    return this.column === "num_frames" || this.column === "side" || this.column === "caption_words" ? Math.round(value) : Number(value.toPrecision(3));
  }

  bars(counts) {
    const step = WIDE / counts.length;
    return counts.map((n, i) => {
      if (!n) return "";
      const high = Math.max(1.5, HIGH * Math.sqrt(n) / this.most);
      return `M${(i * step).toFixed(1)} ${HIGH}v${(-high).toFixed(1)}h${(step - 0.8).toFixed(1)}V${HIGH}z`;
    }).join("");
  }

  draw(counts, reasons) {
    this.strong.setAttribute("d", counts ? this.bars(counts) : "");
    for (const part of this.parts) {
      const value = this.limit(part), upper = part === "max", place = value === null ? (upper ? 1 : 0) : this.at(value);
      const handle = this.handles[part], shade = this.shades[upper ? 1 : 0];
      handle.style.left = `${place * 100}%`;
      handle.classList.toggle("none", value === null);
      handle.setAttribute("aria-valuenow", value ?? (upper ? this.edges.at(-1) : this.edges[0]));
      handle.setAttribute("aria-valuetext", value === null ? "none" : number(value));
      shade.setAttribute("x", upper ? place * WIDE : 0);
      shade.setAttribute("width", Math.max(0, upper ? (1 - place) * WIDE : place * WIDE));
      const input = this.inputs[part];
      if (document.activeElement !== input) input.value = value ?? "";
    }
    if (this.apart) { this.say.textContent = "static needs both below"; return; }
    const shown = ["min", "max"].map((part) => `${this.field}.${part}`).filter((name) => reasons.has(name));
    tell(this.say, reasons.get(shown[0]), shown[0], this.parts.some((part) => this.limit(part) !== null) ? "rejects none" : "");
    if (shown[1]) { const more = el("span"); tell(more, reasons.get(shown[1]), shown[1], ""); this.say.append("; above, ", more); }
  }

  input(part) {
    const about = { inputmode: "decimal", placeholder: "none", size: 6, autocomplete: "off", "aria-label": `${this.field} ${PARTS[part]}`, "data-limit": `${this.field}.${part}` };
    const input = el("input", about);
    const take = () => {
      const text = input.value.trim(), value = text === "" || text === "none" ? null : Number(text);
      if (Number.isNaN(value) || value === Infinity) { input.setCustomValidity("a number, or none"); input.reportValidity(); return; }
      input.setCustomValidity("");
      set(this.field, part, value);
    };
    input.addEventListener("change", take);
    input.addEventListener("keydown", (event) => { if (event.key === "Enter") { take(); input.select(); } });
    return input;
  }

  handle(part) {
    const handle = el("div", { class: `handle ${part === "max" ? "max" : "min"}`, role: "slider", tabindex: 0, "aria-label": `${this.field} ${PARTS[part]}`,
      "aria-valuemin": this.edges[0], "aria-valuemax": this.edges.at(-1), "data-part": part });
    handle.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (event.key === "Delete" || event.key === "Backspace") set(this.field, part, null);
      else if (way) this.move(part, this.place(part) + way * (event.shiftKey ? 0.1 : 0.01));
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return handle;
  }

  place(part) {
    const value = this.limit(part);
    return value === null ? (part === "max" ? 1 : 0) : this.at(value);
  }

  // Past its own end of the scale a limit is none.
  move(part, place) {
    const none = part === "max" ? place >= 0.999 : place <= 0.001;
    set(this.field, part, none ? null : this.from(Math.min(1, Math.max(0, place))));
  }

  grab(event) {
    if (event.button !== 0) return;
    const box = this.stage.getBoundingClientRect(), at = (e) => (e.clientX - box.left) / box.width;
    let part = event.target.dataset?.part;
    if (!part) { // the nearer handle; of two at one place, the one that can go there
      const away = (p) => Math.abs(this.place(p) - at(event)) - (p === "min" === at(event) < this.place(p) ? 0 : 1e-6);
      part = this.parts.reduce((a, b) => (away(b) < away(a) ? b : a));
    }
    event.preventDefault();
    this.handles[part].focus({ preventScroll: true });
    this.stage.setPointerCapture(event.pointerId);
    const move = (e) => this.move(part, at(e));
    const end = () => { this.stage.removeEventListener("pointermove", move); };
    this.stage.addEventListener("pointermove", move);
    this.stage.addEventListener("pointerup", end, { once: true });
    this.stage.addEventListener("pointercancel", end, { once: true });
    if (!event.target.dataset?.part) move(event);
  }
}

// Where a value stands on the scale of its score, 0 to 1: for the gauges of a clip.
export function placeOf(field, value) {
  const box = [...boxes.values()].find((each) => each.field === field && !each.apart);
  return box ? box.at(value) : null;
}
