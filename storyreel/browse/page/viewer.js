// One clip closely: it plays, its film is a time line, each score stands beside its limits, and people decide.

import { $, ask, clock, count, counted, duration, el, number, percent, reason, svg, trouble } from "./talk.js";
import { placeOf } from "./limits.js";

const WIDE = 1000;
let now = null, desk = null, opened = false; // desk: { thresholds(), step(way), decide(clip, change), go(clip) }

export function setUp(how) {
  desk = how;
  const dialog = $("viewer");
  dialog.addEventListener("close", () => { dialog.querySelector("video")?.pause(); now = null; desk.closed(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

export const open = () => now?.clip ?? null;

export async function show(clip) {
  let doc;
  try { doc = await ask("api/clip", { clip, thresholds: desk.thresholds() }); } catch (error) { trouble(error); return; }
  const same = now?.clip === clip && $("viewer").open;
  now = doc;
  if (same) { // thresholds or decisions changed: the video goes on playing
    for (const [name, part] of Object.entries(parts(doc))) $("viewer").querySelector(`[data-part="${name}"]`)?.replaceWith(part);
    return;
  }
  const made = parts(doc);
  $("viewer").replaceChildren(
    el("div", { class: "bar" },
      el("button", { type: "button", class: "quiet", onclick: () => desk.step(-1), "aria-label": "Clip before" }, "←"),
      el("button", { type: "button", class: "quiet", onclick: () => desk.step(1), "aria-label": "Next clip" }, "→"),
      el("span", { class: "where", tabindex: -1, autofocus: true }, `${doc.source} · ${clock(doc.start_seconds)} to ${clock(doc.end_seconds)}`),
      el("button", { type: "button", class: "quiet", onclick: () => $("viewer").close(), "aria-label": "Close" }, "✕")),
    el("div", { class: "two" },
      el("div", { class: "left" }, screen(doc), made.decision, made.why),
      el("div", { class: "right" }, caption(doc), made.scores, facts(doc))),
    made.line);
  if (!$("viewer").open) $("viewer").showModal();
  $("viewer").scrollTop = 0;
}

const parts = (doc) => ({ decision: decision(doc), why: why(doc), scores: scores(doc), line: line(doc) });

function screen(doc) {
  const video = el("video", { controls: true, loop: true, muted: true, autoplay: true, playsinline: true, src: `video/${doc.clip}`, poster: "" });
  video.muted = true;
  const note = el("p", { class: "hint" });
  if (doc.seconds > doc.preview_seconds) note.textContent = `Where the clip is not in the folder as a file, its first ${doc.preview_seconds} s are shown.`;
  video.addEventListener("error", async () => {
    let said = "the browser cannot play it";
    try { const reply = await fetch(video.src, { headers: { Range: "bytes=0-1" } }); if (!reply.ok) said = (await reply.json()).error.message; } catch { /* as it is */ }
    note.textContent = `No video: ${said.replace(/\.$/, "")}.`;
  });
  return el("figure", {}, video, note);
}

function decision(doc) {
  const button = (keep, text, key) => el("button", { type: "button", class: keep === true ? "good" : keep === false ? "bad" : "", "aria-pressed": doc.keep === keep,
    "aria-keyshortcuts": key, "data-keep": String(keep), onclick: () => desk.decide(doc.clip, { keep }) }, text);
  return el("div", { class: "decide", role: "group", "aria-label": "Decision", "data-part": "decision" },
    button(true, "Keep", "k"), button(false, "Drop", "d"), button(null, "As thresholds say", "a"));
}

function why(doc) {
  const where = el("div", { class: "why", "data-part": "why" });
  const state = doc.keep === null ? "" : doc.keep ? ", by hand" : ", by hand";
  where.append(el("p", { class: doc.kept ? "verdict kept" : "verdict rejected" }, (doc.kept ? "Kept" : "Rejected") + state));
  for (const each of doc.reasons) {
    const part = el("p", { class: "reason" }, reason(each), each.limit === null ? null : el("b", {}, ` ${percent(each.margin)}`));
    if (each.name === "duplicate" && doc.duplicate_of) part.append(" ", el("button", { type: "button", class: "link", onclick: () => desk.go(doc.duplicate_of) }, "show that clip"));
    where.append(part);
  }
  if (doc.error) where.append(el("p", { class: "reason" }, doc.error));
  if (!doc.reasons.length && doc.tightest) where.append(el("p", { class: "hint" }, `Closest limit: ${doc.tightest.name}, ${percent(doc.tightest.margin)} to spare.`));
  return where;
}

function caption(doc) {
  const text = el("textarea", { id: "caption", rows: 3, "aria-label": "Caption", placeholder: "No caption. Write one.", maxlength: 4000 });
  text.value = doc.caption;
  const from = el("span", { class: "hint" }, doc.edited ? "edited by hand" : doc.caption_from ? `from ${doc.caption_from}` : "");
  const store = el("button", { type: "button", id: "store", disabled: true }, "Store");
  const back = el("button", { type: "button", class: "quiet", hidden: !doc.edited }, "As it was");
  const put = async (caption) => {
    const said = await desk.decide(doc.clip, { caption });
    if (!said) return;
    text.value = doc.caption = said.caption;
    from.textContent = said.edited ? "edited by hand" : "as it was made";
    back.hidden = !said.edited;
    store.disabled = true;
  };
  text.addEventListener("input", () => { store.disabled = text.value.trim() === doc.caption; });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); put(text.value).then(() => text.blur()); }
    if (event.key === "Escape") { event.preventDefault(); event.stopPropagation(); text.value = doc.caption; store.disabled = true; text.blur(); }
  });
  store.addEventListener("click", () => put(text.value));
  back.addEventListener("click", () => put(null));
  const others = doc.captions_made.filter((each) => each !== doc.caption);
  return el("div", { class: "caption" }, text, el("div", { class: "row" }, from, back, store),
    others.length ? el("ul", { class: "hint others" }, ...others.slice(0, 6).map((each) => el("li", {}, each))) : null);
}

function scores(doc) {
  const rows = doc.scores.map((score) => {
    const place = placeOf(score.field, score.value), limits = score.limits;
    const worst = Math.min(...limits.map((each) => each.margin));
    const gauge = el("div", { class: "gauge", "aria-hidden": "true" });
    for (const each of limits) {
      const at = placeOf(score.field, each.limit), shade = el("i", { class: "shade" });
      shade.style.left = each.side === "min" ? "0" : `${at * 100}%`;
      shade.style.width = `${(each.side === "min" ? at : 1 - at) * 100}%`;
      gauge.append(shade);
    }
    const dot = el("b", {});
    dot.style.left = `${(place ?? 0) * 100}%`;
    gauge.append(dot);
    const state = !limits.length ? "free" : worst < 0 ? "bad" : worst < 0.1 ? "near" : "good";
    const margin = limits.length ? percent(worst) : "";
    return el("tr", { class: state, title: score.says }, el("th", { scope: "row" }, score.field.replaceAll("_", " ")), el("td", {}, number(score.value)),
      el("td", { class: "wide" }, gauge), el("td", {}, margin));
  });
  const judged = rows.filter((row) => row.className !== "free"), free = rows.filter((row) => row.className === "free");
  const table = (rows) => el("table", {}, el("thead", {}, el("tr", {}, ...["score", "value", "limits", "margin"].map((text) => el("th", { scope: "col" }, text)))), el("tbody", {}, ...rows));
  return el("div", { class: "scores", "data-part": "scores" }, table(judged), free.length ? el("details", { class: "free-scores", open: opened },
    el("summary", { onclick: () => { opened = !opened; } }, `${counted(free.length, "score")} without a limit`), table(free)) : null);
}

function facts(doc) {
  const [top, bottom, left, right] = doc.bars ?? [0, 0, 0, 0];
  const list = [["film", doc.source_path], ["frames", `${count(doc.start)} to ${count(doc.end - 1)} of ${count(doc.film.frames)}, ${number(doc.fps)} a second`],
    ["picture", `${doc.width}×${doc.height}` + (top + bottom + left + right ? `, bars cut off: ${top} above, ${bottom} below, ${left} left, ${right} right` : "")],
    ["licence", doc.licence ?? "not told"], ["motion measured at", doc.motion_resolution], ["text measured at", doc.text_resolution], ["clip", doc.clip]];
  return el("details", { class: "facts" }, el("summary", {}, "Where it is from"),
    el("dl", {}, ...list.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])));
}

// --- time lines -----------------------------------------------------------------------------------------

function line(doc) {
  const film = doc.film, first = doc.around[0].frame, last = doc.around.at(-1).frame + 1;
  const fps = film.frames / Math.max(film.seconds, 1e-9);
  return el("div", { class: "lines", "data-part": "line" },
    el("h3", {}, "How it was cut out"),
    track(doc, first, last, true), strip(doc),
    el("p", { class: "legend" }, ...[["clip", doc.kept ? "this clip" : "this clip, rejected"], ["transition", "transition"], ["outside", "other frames"]].map(([kind, text]) =>
      el("span", {}, el("i", { class: kind + (doc.kept ? "" : " no") }), text)), el("span", { class: "spell" }, spell(doc))),
    el("h3", {}, `The whole film, ${duration(film.seconds)}`),
    track(doc, 0, film.frames, false),
    el("p", { class: "hint" }, `${counted(film.spans.length, "span")}, ${count(film.spans.filter((s) => s.kept).length)} kept; ${counted(film.transitions.length, "transition")} at ${number(fps)} frames a second. Click a span to see it.`));
}

function spell(doc) {
  const said = (t) => t.kind === "hard" ? `a cut at frame ${count(t.start)}` : `a ${TRANSITIONS[t.kind] ?? t.kind} in frames ${count(t.start)} to ${count(t.end)}`;
  const { before, after } = edges(doc);
  const edge = (kind, t, none) => kind === "doubt" ? "what may be a transition" : kind && t ? said(t) : none;
  return `begins ${doc.before ? "after" : "with"} ${edge(doc.before, before, "the film")}, ends at ${edge(doc.after, after, "the end of the film")}`;
}

const TRANSITIONS = { "fade-black": "fade through black", "fade-white": "fade through white" };

function edges(doc) {
  const cuts = doc.film.transitions;
  return { before: cuts.filter((t) => t.start <= doc.start && t.end < doc.end).at(-1), after: cuts.find((t) => t.end >= doc.end - 1 && t.start > doc.start) };
}

function track(doc, first, last, close) {
  const high = close ? 34 : 26, x = (frame) => ((frame - first) / (last - first)) * WIDE;
  const whole = svg("svg", { viewBox: `0 0 ${WIDE} ${high}`, preserveAspectRatio: "none", class: `track ${close ? "close" : "far"}`, role: "img" });
  whole.setAttribute("aria-label", close ? spell(doc) : `${counted(doc.film.spans.length, "span")} of the film`);
  for (const span of doc.film.spans) {
    if (span.end <= first || span.start >= last) continue;
    const mine = span.clip === doc.clip;
    const rect = svg("rect", { x: x(Math.max(first, span.start)).toFixed(2), y: mine ? 1 : 6, height: mine ? high - 2 : high - 12,
      width: Math.max(0.8, x(Math.min(last, span.end)) - x(Math.max(first, span.start)) - 0.6).toFixed(2), class: `span ${span.kept ? "kept" : "no"}${mine ? " mine" : ""}` });
    rect.append(svg("title", {}, `frames ${span.start} to ${span.end - 1}, ${span.kept ? "kept" : "rejected"}`));
    if (!mine) rect.addEventListener("click", () => desk.go(span.clip));
    whole.append(rect);
  }
  for (const cut of doc.film.transitions) {
    if (cut.end < first || cut.start >= last) continue;
    const wide = cut.kind === "hard" ? 0 : x(cut.end + 1) - x(cut.start);
    const rect = svg("rect", { x: x(cut.start).toFixed(2), y: 0, height: high, width: Math.max(close ? 2.5 : 1.2, wide).toFixed(2), class: `cut ${cut.kind}` });
    rect.append(svg("title", {}, `${cut.kind}, ${cut.kind === "hard" ? `frame ${cut.start}` : `frames ${cut.start} to ${cut.end}`}, ${Math.round(cut.strength * 100)} % sure`));
    whole.append(rect);
  }
  if (close) for (const { frame } of doc.around) whole.append(svg("path", { d: `M${x(frame + 0.5).toFixed(2)} ${high - 5}v5`, class: "tick" }));
  return whole;
}

function strip(doc) {
  const { before, after } = edges(doc), cuts = [before, after].filter(Boolean);
  const band = el("div", { class: "band" });
  for (const { frame, at } of doc.around) {
    const blended = cuts.some((t) => t.kind !== "hard" && frame >= t.start && frame <= t.end);
    const inside = frame >= doc.start && frame < doc.end;
    band.append(el("span", { class: blended ? "transition" : inside ? "clip" + (doc.kept ? "" : " no") : "outside", title: `frame ${frame}, ${clock(at)}` }, count(frame)));
  }
  const image = el("img", { src: `around/${doc.clip}.jpg`, alt: `${doc.around.length} frames from before the clip to behind it`, decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(el("p", { class: "hint" }, "The film is not where it was, so there are no pictures of it.")));
  const inner = el("div", { class: "inner" }, image, band);
  inner.style.setProperty("--pictures", doc.around.length);
  return el("div", { class: "around", tabindex: 0 }, inner);
}
