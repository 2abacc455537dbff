// The page: what is asked for, the clips in pages, decisions, keys. Its state is in the address, so a reload keeps it.

import { $, ask, clock, count, counted, debounced, duration, el, number, percent, reason, trouble } from "./talk.js";
import * as limits from "./limits.js";
import * as viewer from "./viewer.js";

const PAGE = 48;
const ORDERS = [["film", "as in the films"], ["margin", "distance to a limit"], ["seconds", "length"]];
const EMPTY = {
  all: "The folder has no clips.",
  kept: "No clip is kept. Move a threshold, or keep one by hand: k.",
  rejected: "No clip is rejected here. Move a threshold, or drop one by hand: d.",
  changed: "Nothing differs from the folder. Move a threshold, or decide on a clip by hand: k keeps, d drops.",
  manual: "Nothing was decided by hand yet: k keeps, d drops, e edits a caption.",
};
let set = null, draft = null, decided = null, shown = { total: 0, clips: [] }, offset = 0, last = null, asked = 0;
const wish = { view: "all", reason: "", query: "", order: "film", down: false };

// --- what is asked for ----------------------------------------------------------------------------------

const copy = (doc) => JSON.parse(JSON.stringify(doc));

function changes() {
  const found = [];
  for (const [field, parts] of Object.entries(draft)) for (const [part, value] of Object.entries(parts))
    if (value !== set.thresholds[field][part]) found.push([`${field}.${part}`, value]);
  return found;
}

function remember() {
  const said = new URLSearchParams();
  for (const [name, value] of Object.entries(wish)) if (value && value !== "all" && value !== "film") said.set(name, value === true ? "1" : value);
  if (offset) said.set("page", offset / PAGE + 1);
  for (const [name, value] of changes()) said.append("set", `${name}=${value ?? "none"}`);
  history.replaceState(null, "", said.size ? `#${said}` : location.pathname);
}

function recall() {
  const said = new URLSearchParams(location.hash.slice(1));
  for (const name of ["view", "reason", "query", "order"]) if (said.get(name)) wish[name] = said.get(name);
  wish.down = said.get("down") === "1";
  offset = Math.max(0, (Number(said.get("page")) || 1) - 1) * PAGE;
  for (const each of said.getAll("set")) {
    const [, field, part, value] = each.match(/^(\w+)\.(\w+)=(.*)$/) ?? [];
    if (draft[field] && part in draft[field]) draft[field][part] = value === "none" ? null : Number(value);
  }
}

async function begin() {
  const before = set;
  set = await ask("api/set");
  const untouched = !before || !changesFrom(before);
  if (untouched) draft = copy(set.thresholds);
  if (!before) recall();
  document.title = `${set.name}: browse`;
  $("name").textContent = set.name;
  $("facts").textContent = `${counted(set.spans, "span")} of ${counted(set.films, "film")}, ${duration(set.seconds)}`;
  limits.setUp(set, draft, moved, (name) => ask_for({ view: "rejected", reason: name }));
  const scores = set.scores.filter((score) => score.unknown < set.spans && !["seconds"].includes(score.column));
  $("order").replaceChildren(...[...ORDERS, ...scores.map((score) => [score.column, score.column.replaceAll("_", " ")])].map(([value, text]) => el("option", { value }, text)));
  $("order").value = wish.order;
  $("query").value = wish.query;
  await decide();
  await list();
}

const changesFrom = (old) => Object.entries(draft).some(([f, parts]) => Object.entries(parts).some(([p, v]) => v !== old.thresholds[f][p]));

// One question at a time; what moved meanwhile is asked for afterwards, and whoever waits, waits for that as well.
let asking = null, again = false;
function decide() { again = true; return asking ??= settle(); }

async function settle() {
  try {
    while (again) {
      again = false;
      decided = await ask("api/decide", { thresholds: draft });
      tell();
    }
    trouble(null);
  } catch (error) { asking = null; return trouble(error); }
  asking = null;
  if (decided.version !== set.version) await begin().catch(trouble);
  if (!decided.twins) setTimeout(decide, 2500);
}

const listSoon = debounced(220, () => { offset = 0; list(); if (viewer.open()) viewer.show(viewer.open()); });
function moved() { limits.show(decided); decide(); listSoon(); }

function tell() {
  limits.show(decided);
  const total = Math.max(1, set.spans), share = decided.kept / total;
  $("kept").textContent = `${count(decided.kept)} kept`;
  $("kept-too").textContent = `${count(decided.kept)} of ${count(set.spans)}`;
  $("of").textContent = `of ${count(set.spans)}, ${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
  $("share").firstElementChild.style.width = `${share * 100}%`;
  $("hours").textContent = duration(decided.seconds);
  const { gained, lost } = decided, text = decided.manual.pending;
  $("moved").replaceChildren(...[gained ? el("b", { class: "good" }, ` +${count(gained)}`) : "", lost ? el("b", { class: "bad" }, ` −${count(lost)}`) : "",
    gained || lost ? " against the folder" : ""]);
  const dirty = changes().length > 0 || gained > 0 || lost > 0 || text > 0;
  $("save").classList.toggle("primary", dirty);
  $("reset").disabled = !changes().length;
  const options = [["", "any reason"], ...decided.reasons.filter((each) => each.all).map((each) => [each.name, `${each.name} (${count(each.all)})`])];
  if (wish.reason && !options.some(([value]) => value === wish.reason)) options.push([wish.reason, `${wish.reason} (0)`]);
  $("reason").replaceChildren(...options.map(([value, name]) => el("option", { value }, name)));
  $("reason").value = wish.reason;
}

function ask_for(change) {
  Object.assign(wish, change);
  offset = 0;
  $("limits").classList.remove("open");
  list();
}

// --- the clips ------------------------------------------------------------------------------------------

async function list(focus = null) {
  const mine = ++asked;
  remember();
  for (const each of document.querySelectorAll("#views button")) each.setAttribute("aria-pressed", each.dataset.view === wish.view);
  $("reason").value = wish.reason;
  $("down").setAttribute("aria-pressed", wish.down);
  $("down").textContent = wish.down ? "↓" : "↑";
  try {
    const said = await ask("api/clips", { thresholds: draft, ...wish, offset, count: PAGE });
    if (mine !== asked) return;
    if (said.total && offset >= said.total) { offset = Math.floor((said.total - 1) / PAGE) * PAGE; return list(focus); }
    shown = said;
  } catch (error) { trouble(error); return; }
  const had = document.activeElement?.closest?.(".card")?.dataset.clip;
  $("grid").replaceChildren(...shown.clips.map(card));
  $("empty").hidden = shown.total > 0;
  $("empty").textContent = wish.query ? `No clip here says “${wish.query}”. Clear the search to see others.` : EMPTY[wish.view] ?? EMPTY.all;
  $("pager").hidden = shown.total <= PAGE;
  $("page").value = offset / PAGE + 1;
  $("pages").textContent = `${count(Math.ceil(shown.total / PAGE))} (${counted(shown.total, "clip")})`;
  $("back").disabled = offset === 0;
  $("on").disabled = offset + PAGE >= shown.total;
  const wanted = focus === "first" ? 0 : focus === "last" ? shown.clips.length - 1 : shown.clips.findIndex((clip) => clip.clip === had);
  if (wanted >= 0 && (focus || had)) cards()[wanted]?.focus();
}

const cards = () => [...document.querySelectorAll(".card")];

function card(clip) {
  const image = el("img", { src: `strip/${clip.clip}.jpg`, alt: "", loading: "lazy", decoding: "async", draggable: "false" });
  image.addEventListener("error", () => image.replaceWith(el("span", { class: "lost" }, "no picture: the film is not where it was, or cannot be read")), { once: true });
  const edge = (kind, side) => kind ? el("span", { class: `edge ${side} ${kind}`, title: `${side === "left" ? "begins after" : "ends at"} ${kind === "doubt" ? "what may be a transition" : `a ${kind === "hard" ? "cut" : kind}`}` }, kind === "hard" ? "cut" : kind) : null;
  const chips = clip.reasons.map((each) => el("span", { class: "chip bad", title: reason(each) }, reason(each, true), each.limit === null ? null : el("b", {}, ` ${percent(each.margin)}`)));
  if (!clip.reasons.length && clip.tightest) {
    const near = clip.tightest.margin < 0.1;
    chips.push(el("span", { class: `chip ${near ? "near" : "quiet"}`, title: "the closest limit" }, `${clip.tightest.name.split(".")[0].replaceAll("_", " ")} `, el("b", {}, percent(clip.tightest.margin))));
  }
  if (clip.keep) chips.unshift(el("span", { class: "chip hand" }, "kept by hand"));
  if (clip.saved !== clip.kept) chips.push(el("span", { class: "chip moved", title: "not as the folder was last written" }, clip.kept ? "comes in" : "goes out"));
  const toggle = (keep, text) => el("button", { type: "button", tabindex: -1, class: keep ? "good" : "bad", "aria-pressed": clip.keep === keep, "data-keep": String(keep),
    onclick: (event) => { event.stopPropagation(); decideOn(clip.clip, { keep: clip.keep === keep ? null : keep }); } }, text);
  const whole = el("article", { class: `card ${clip.kept ? "kept" : "rejected"}`, tabindex: 0, "data-clip": clip.clip, "aria-label": `${clip.kept ? "kept" : "rejected"}: ${clip.caption || clip.source}` },
    el("div", { class: "strip" }, image, edge(clip.before, "left"), edge(clip.after, "right")),
    el("p", { class: "text" + (clip.caption ? "" : " hint") }, clip.caption || "no caption", clip.edited ? el("i", { title: "edited by hand" }, " ✎") : null),
    el("p", { class: "meta hint" }, el("span", { class: "film" }, clip.source), ` ${clock(clip.start_seconds)} · ${duration(clip.seconds)}`),
    el("div", { class: "foot" }, el("div", { class: "chips" }, ...chips), el("div", { class: "decide" }, toggle(true, "Keep"), toggle(false, "Drop"))));
  whole.addEventListener("click", () => { here = clip.clip; viewer.show(here); });
  return whole;
}

async function decideOn(clip, change, undoing = false) {
  const before = shown.clips.find((each) => each.clip === clip);
  let said;
  try { said = await ask("api/edit", { clip, ...change, thresholds: draft }); } catch (error) { trouble(error); return null; }
  trouble(null);
  if (!undoing) {
    if (before) last = { clip, change: "keep" in change ? { keep: before.keep } : { caption: before.edited ? before.caption : null } };
    toast("keep" in change ? (change.keep === null ? "As the thresholds say." : change.keep ? "Kept by hand." : "Dropped by hand.") : "Caption stored.", Boolean(before));
  }
  const place = shown.clips.findIndex((each) => each.clip === clip);
  if (place >= 0) {
    shown.clips[place] = said;
    const old = cards()[place], fresh = card(said), focused = old.contains(document.activeElement);
    fresh.querySelector(".strip").replaceWith(old.querySelector(".strip")); // the picture is there already
    old.replaceWith(fresh);
    if (focused) fresh.focus();
  }
  decide();
  if (viewer.open() === clip) await viewer.show(clip);
  return said;
}

let hide = 0;
function toast(text, undo) {
  $("toast").firstElementChild.textContent = text;
  $("toast").lastElementChild.hidden = !undo;
  $("toast").hidden = false;
  clearTimeout(hide);
  hide = setTimeout(() => { $("toast").hidden = true; }, 6000);
}

async function undo() {
  if (!last) return;
  const { clip, change } = last;
  last = null;
  if (await decideOn(clip, change, true)) toast("Taken back.", false);
}

async function turn(way, focus = "first") {
  const there = offset + way * PAGE;
  if (there < 0 || there >= shown.total) return false;
  offset = there;
  await list(focus);
  scrollTo({ top: 0 });
  return true;
}

let here = null;

async function step(way) {
  let place = shown.clips.findIndex((each) => each.clip === viewer.open()) + way;
  if (place < 0 || place >= shown.clips.length) {
    if (!await turn(way, null)) return;
    place = way > 0 ? 0 : shown.clips.length - 1;
  }
  here = shown.clips[place].clip;
  viewer.show(here);
  cards()[place]?.scrollIntoView({ block: "nearest" });
}

viewer.setUp({
  thresholds: () => draft,
  decide: decideOn,
  go: (clip) => viewer.show(clip),
  step,
  closed: () => cards().find((each) => each.dataset.clip === here)?.focus(),
});

// --- saving ---------------------------------------------------------------------------------------------

async function openSaving() {
  await decide();
  $("command").textContent = decided.command;
  const { keep, drop, captions } = decided.manual, hand = [[keep, "kept"], [drop, "dropped"], [captions, "captioned"]].filter(([n]) => n).map(([n, text]) => `${count(n)} ${text}`);
  $("saving-what").textContent = `${count(decided.kept)} of ${counted(set.spans, "span")} would be kept, ${duration(decided.seconds)}: ${count(decided.gained)} more come in, ${count(decided.lost)} go out.`
    + (hand.length ? ` By hand: ${hand.join(", ")}.` : "");
  $("saving-said").textContent = "";
  $("copy").textContent = "Copy the command";
  $("apply").disabled = false;
  $("saving").showModal();
}

async function apply() {
  $("apply").disabled = true;
  $("saving-said").textContent = "Choosing…";
  try {
    let said = await ask("api/apply", { thresholds: draft });
    while (said.state === "running") { await new Promise((done) => setTimeout(done, 300)); said = await ask("api/apply"); }
    $("saving-said").textContent = said.line;
    $("apply").disabled = said.state === "done";
    if (said.state === "done") { set = await ask("api/set"); draft = copy(set.thresholds); set = null; await begin(); toast("The folder is as you see it.", false); $("saving").close(); }
  } catch (error) { $("saving-said").textContent = error.message; $("apply").disabled = false; }
}

// --- keys and buttons -----------------------------------------------------------------------------------

const typing = (target) => target.matches?.("input, textarea, select") ?? false;
const across = () => { const all = cards(); return Math.max(1, all.filter((each) => each.offsetTop === all[0]?.offsetTop).length); };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || $("saving").open || $("keys").open) return;
  const inside = Boolean(viewer.open()), all = cards(), place = all.indexOf(document.activeElement?.closest?.(".card"));
  const clip = inside ? viewer.open() : place >= 0 ? all[place].dataset.clip : null;
  const key = event.key, keep = { k: true, d: false, a: null }[key];
  const pressable = event.target.matches?.("button, summary, [role=slider]");
  if (keep !== undefined && clip) decideOn(clip, { keep });
  else if (key === "e" && clip) { (inside ? Promise.resolve() : viewer.show(clip)).then(() => { $("caption")?.focus(); $("caption")?.select(); }); here = clip; }
  else if (key === "u") undo();
  else if (key === "s" && !inside) openSaving();
  else if (key === "?") $("keys").showModal();
  else if (inside && (key === "ArrowLeft" || key === "ArrowRight") && !event.target.matches("video")) step(key === "ArrowLeft" ? -1 : 1);
  else if (inside && key === " " && !pressable) { const video = $("viewer").querySelector("video"); video?.paused ? video.play() : video?.pause(); }
  else if (inside) return;
  else if (key === "/") $("query").focus();
  else if (key === "n" || key === "p") turn(key === "n" ? 1 : -1);
  else if (key === "Enter" && place >= 0 && !pressable) { here = clip; viewer.show(clip); }
  else if (key.startsWith("Arrow") && !pressable) {
    const to = place < 0 ? 0 : place + { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across(), ArrowDown: across() }[key];
    if (to >= all.length && place >= 0 && place === all.length - 1) turn(1);
    else if (to < 0 && place === 0) turn(-1, "last");
    else all[Math.min(all.length - 1, Math.max(0, to))]?.focus();
  } else return;
  event.preventDefault();
}

document.addEventListener("keydown", onKey);
$("views").addEventListener("click", (event) => { const view = event.target.dataset.view; if (view) ask_for({ view, reason: view === "rejected" ? wish.reason : "" }); });
$("query").addEventListener("input", debounced(180, () => ask_for({ query: $("query").value.trim() })));
$("query").addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "Escape") cards()[0]?.focus(); });
$("reason").addEventListener("change", () => ask_for({ reason: $("reason").value }));
$("order").addEventListener("change", () => ask_for({ order: $("order").value }));
$("down").addEventListener("click", () => ask_for({ down: !wish.down }));
$("back").addEventListener("click", () => turn(-1));
$("on").addEventListener("click", () => turn(1));
$("page").addEventListener("change", () => {
  const page = Math.round(Number($("page").value));
  if (page >= 1) { offset = (page - 1) * PAGE; list("first"); } else $("page").value = offset / PAGE + 1;
});
$("reset").addEventListener("click", () => { for (const [field, parts] of Object.entries(set.thresholds)) Object.assign(draft[field], parts); moved(); });
$("open-limits").addEventListener("click", () => $("limits").classList.add("open"));
$("close-limits").addEventListener("click", () => $("limits").classList.remove("open"));
$("save").addEventListener("click", openSaving);
$("apply").addEventListener("click", apply);
$("help").addEventListener("click", () => $("keys").showModal());
$("copy").addEventListener("click", async () => {
  try { await navigator.clipboard.writeText(decided.command); $("copy").textContent = "Copied"; } catch { getSelection().selectAllChildren($("command")); $("copy").textContent = "Selected: Ctrl C copies"; }
});
for (const each of document.querySelectorAll("dialog .close")) each.addEventListener("click", () => each.closest("dialog").close());
$("toast").lastElementChild.addEventListener("click", undo);
addEventListener("focus", () => { if (set) decide(); });
begin().catch(trouble);
