const data = JSON.parse(byId("data").textContent);
const PAGE = 50;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let paused = calm.matches;
const short = (v) => (v === null || v === undefined ? "–" : Number(v.toPrecision(4)).toString());
const titleOf = (clip) => clip.prompt || clip.file;

// Pictures ---------------------------------------------------------------------------------------------------------
const watch = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    if (isIntersecting && !paused) target.play().catch(() => {});
    else target.pause();
  }
}, { threshold: 0.2 });

function film(i, controls = false) {
  const video = make("video", { src: data.films[i], loop: "", playsinline: "", preload: "metadata" });
  video.muted = true;
  video.controls = controls;
  if (controls && !calm.matches) video.autoplay = true;
  if (!controls) watch.observe(video);
  return video;
}

function player(i) { // the frames of the strip, one after the other
  const [uri, tiles, , wide, high, seconds] = data.strips[i];
  const box = make("div", { class: "play" });
  box.style.backgroundImage = `url("${uri}")`;
  box.style.backgroundSize = `${tiles * 100}% 100%`;
  box.style.aspectRatio = `${wide} / ${high}`;
  if (tiles > 1) {
    box.style.animationDuration = `${Math.max(seconds, 0.3)}s`;
    box.style.animationTimingFunction = `steps(${tiles}, jump-none)`;
    box.style.setProperty("--to", "100%");
  }
  return box;
}

const moving = (i, controls) => (data.films[i] ? film(i, controls) : data.strips[i] ? player(i)
  : make("div", { class: "missing" }, "no picture"));

function strip(i) {
  if (!data.strips[i]) return make("span", { class: "missing" }, "no picture");
  const [uri, tiles, , wide, high] = data.strips[i];
  const picture = make("img", { src: uri, alt: "", width: tiles * wide, height: high, loading: "lazy" });
  return make("button", { type: "button", class: "strip", "aria-label": `Show ${titleOf(data.clips[i])}`,
    onclick: () => show(i) }, picture);
}

function words(clip) {
  return make("div", { class: "words" }, ...clip.attributes.map(([name, wanted, seen, right]) => {
    const text = right === false ? `${name} ${wanted}, seen ${seen ?? "nothing"}` : `${name} ${wanted ?? seen}`;
    return make("span", { class: `word ${right === true ? "yes" : right === false ? "no" : ""}` },
      `${right === true ? "✓ " : right === false ? "✗ " : ""}${text}`);
  }));
}

// One clip, large --------------------------------------------------------------------------------------------------
const dialog = byId("clip");
function show(i) {
  const clip = data.clips[i];
  byId("clip-title").textContent = titleOf(clip);
  const facts = make("dl", {});
  const say = (name, value) => facts.append(make("dt", {}, name), make("dd", {}, value));
  say("file", clip.file);
  if (clip.seed !== null) say("seed", String(clip.seed));
  data.scores.forEach((score, k) => say(score.name, short(clip.scores[k]) + (score.trusted ? "" : " (not to be trusted)")));
  const body = byId("clip-body");
  body.replaceChildren(moving(i, true));
  if (data.strips[i]) {
    body.append(make("img", { class: "whole", src: data.strips[i][0], alt: "Film strip" }),
      make("p", { class: "small" }, `${data.strips[i][1]} of ${data.strips[i][2]} frames`));
  }
  body.append(words(clip), facts);
  dialog.showModal();
}
byId("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
dialog.addEventListener("close", () => byId("clip-body").replaceChildren());

// Worst and best ---------------------------------------------------------------------------------------------------
const rank = byId("rank");
function fillReels() {
  const k = data.scores.findIndex((score) => score.name === rank.value);
  for (const kind of ["worst", "best"]) {
    const box = byId(kind);
    box.querySelectorAll("video").forEach((video) => watch.unobserve(video));
    box.replaceChildren(...data.ranks[rank.value][kind].map((i) => {
      const clip = data.clips[i];
      return make("figure", {},
        make("button", { type: "button", class: "open", "aria-label": `Show ${titleOf(clip)}`, onclick: () => show(i) },
          moving(i, false)),
        make("figcaption", {}, make("b", {}, short(clip.scores[k])), make("span", { class: "clamp" }, titleOf(clip))));
    }));
  }
}
function setPaused(now) {
  paused = now;
  const button = byId("pause");
  button.textContent = paused ? "Play" : "Pause";
  button.setAttribute("aria-pressed", String(paused));
  byId("extremes").classList.toggle("paused", paused);
  document.querySelectorAll(".reel video").forEach((video) => {
    if (paused) video.pause(); else { watch.unobserve(video); watch.observe(video); }
  });
}
if (rank) {
  rank.addEventListener("change", fillReels);
  byId("pause").addEventListener("click", () => setPaused(!paused));
  fillReels();
  setPaused(paused);
}

// The table --------------------------------------------------------------------------------------------------------
const table = byId("clips-table");
const judged = data.clips.some((clip) => clip.attributes.length);
const columns = [
  { name: "clip", value: (row) => titleOf(data.clips[row.ids[0]]) },
  ...data.scores.map((score, k) => ({ name: score.name, value: (row) => row.scores[k], number: true, score })),
  ...(judged ? [{ name: "attributes", value: (row) => -row.wrong }] : []),
];
let sorted = { column: -1, up: 1 };
let shown = PAGE;
const isWrong = (clip) => clip.attributes.filter((a) => a[3] === false).length;
const mean = (values) => {
  const there = values.filter((v) => v !== null && v !== undefined);
  return there.length ? there.reduce((a, b) => a + b, 0) / there.length : null;
};

function rowOf(ids) {
  return { ids, scores: data.scores.map((_, k) => mean(ids.map((i) => data.clips[i].scores[k]))),
    wrong: ids.reduce((sum, i) => sum + isWrong(data.clips[i]), 0) };
}
function allRows() {
  const groups = new Map();
  const grouped = byId("grouped")?.checked;
  data.clips.forEach((clip, i) => {
    const key = grouped && clip.prompt ? clip.prompt : i;
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  return [...groups.values()].map(rowOf);
}
function matching() {
  const wanted = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wrong = byId("wrong")?.checked;
  return allRows().filter((row) => (!wrong || row.wrong > 0) && row.ids.some((i) => {
    const clip = data.clips[i];
    const text = [clip.prompt, clip.file, ...clip.attributes.flat()].join(" ").toLowerCase();
    return wanted.every((word) => text.includes(word));
  }));
}
function drawRow(row) {
  const first = data.clips[row.ids[0]];
  const who = make("td", { class: "who" }, ...row.ids.slice(0, 3).map(strip), titleOf(first));
  const about = row.ids.length > 1 ? `${row.ids.length} clips`
    : [first.prompt ? first.file : "", first.seed === null ? "" : `seed ${first.seed}`].filter(Boolean).join(" · ");
  who.append(make("small", {}, about));
  const cells = [who];
  data.scores.forEach((score, k) => cells.push(make("td", { class: "num", "data-label": score.name },
    score.trusted ? short(row.scores[k]) : make("span", { class: "struck", title: "Not to be trusted" },
      make("s", {}, short(row.scores[k]))))));
  if (judged) cells.push(make("td", {}, row.ids.length > 1 ? `${row.wrong} mistakes` : words(first)));
  return make("tr", {}, ...cells);
}
function drawTable() {
  const rows = matching();
  const column = columns[sorted.column];
  if (column) rows.sort((a, b) => directed(column.value(a), column.value(b), sorted.up));
  table.tBodies[0].replaceChildren(...rows.slice(0, shown).map(drawRow));
  byId("count").textContent = `${Math.min(shown, rows.length)} of ${rows.length} shown`;
  byId("more").hidden = rows.length <= shown;
  [...table.tHead.rows[0].cells].forEach((head, k) => {
    if (columns[k].value) {
      head.setAttribute("aria-sort", k !== sorted.column ? "none" : sorted.up > 0 ? "ascending" : "descending");
    }
  });
  byId("sort").value = `${sorted.column},${sorted.up}`;
}
function sortBy(k) {
  const worstFirst = columns[k].score?.direction === "higher" || !columns[k].number ? 1 : -1;
  sorted = { column: k, up: k === sorted.column ? -sorted.up : worstFirst };
  drawTable();
}
table.tHead.append(make("tr", {}, ...columns.map((column, k) => make("th",
  { scope: "col", class: column.number ? "num" : null },
  column.value ? make("button", { type: "button", onclick: () => sortBy(k) }, column.name) : column.name))));
byId("sort").append(make("option", { value: "-1,1" }, "as they come"), ...columns.flatMap((column, k) => (column.value
  ? [make("option", { value: `${k},1` }, `${column.name} ↑`), make("option", { value: `${k},-1` }, `${column.name} ↓`)]
  : [])));
byId("sort").addEventListener("change", (event) => {
  const [column, up] = event.target.value.split(",").map(Number);
  sorted = { column, up };
  drawTable();
});
for (const id of ["find", "wrong", "grouped"]) byId(id)?.addEventListener("input", () => { shown = PAGE; drawTable(); });
byId("more").addEventListener("click", () => { shown += 4 * PAGE; drawTable(); });
drawTable();

// The map ----------------------------------------------------------------------------------------------------------
const scatter = byId("scatter");
if (scatter) {
  const hint = byId("hint");
  const dots = [...scatter.querySelectorAll(".clip")];
  let here = -1;
  const point = (dot) => {
    dots[here]?.classList.remove("here");
    here = dots.indexOf(dot);
    if (here < 0) { hint.hidden = true; return; }
    dot.classList.add("here");
    const i = Number(dot.dataset.clip);
    const title = titleOf(data.clips[i]);
    hint.replaceChildren(...(data.strips[i] ? [make("img", { src: data.strips[i][0], alt: "",
      style: "max-width:100%;display:block;image-rendering:pixelated" })] : []), title);
    scatter.setAttribute("aria-label", title);
    hint.hidden = false;
    const at = dot.getBoundingClientRect();
    const box = hint.getBoundingClientRect();
    hint.style.left = `${Math.max(6, Math.min(innerWidth - box.width - 6, at.left - box.width / 2))}px`;
    hint.style.top = `${at.top > box.height + 14 ? at.top - box.height - 10 : at.bottom + 10}px`;
  };
  scatter.addEventListener("pointerover", (event) => point(event.target.closest(".clip")));
  scatter.addEventListener("pointerleave", () => point(null));
  scatter.addEventListener("blur", () => point(null));
  scatter.addEventListener("click", (event) => {
    const dot = event.target.closest(".clip");
    if (dot) { point(null); show(Number(dot.dataset.clip)); }
  });
  scatter.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      point(dots[(here + step + dots.length) % dots.length]);
    } else if (event.key === "Enter" && here >= 0) {
      const i = Number(dots[here].dataset.clip);
      point(null);
      show(i);
    } else if (event.key === "Escape") point(null);
  });
  addEventListener("scroll", () => { if (!hint.hidden) point(null); }, { passive: true });
}
