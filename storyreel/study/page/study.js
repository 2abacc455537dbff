// The rater's page: two clips, looped and started together; one answer at a time; nothing is lost when the network is.
"use strict";

const $ = (id) => document.getElementById(id);
const LABELS = { left: "A is better", tie: "The same", right: "B is better", both_bad: "Both bad" };
const ORDER = ["left", "tie", "right", "both_bad"];
const ARROWS = { ArrowLeft: "left", ArrowDown: "tie", ArrowRight: "right", ArrowUp: "both_bad" };
const SETTLE = 350; // milliseconds after a new question in which a key pressed twice does no harm
const KEPT = "storyreel-study-token";

const videos = [$("left"), $("right")];
const cache = new Map(); // address of a clip -> promise of an object URL
let token = "";
let state = null;
let shown = ["", ""];
let watched = 0; // seconds that the clips have played for this pair
let played = 0; // when the last stretch of playing began
let openAt = 0;
let paused = false;
let busy = false;

const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

function show(id) {
  for (const main of document.querySelectorAll("main")) main.hidden = main.id !== id;
}

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = !text;
}

/** Ask the server; try again for as long as the network or the server is away. Returns [status, document]. */
async function ask(path, body) {
  for (let wait = 500; ; wait = Math.min(8000, wait * 2)) {
    try {
      const headers = token ? { Authorization: "Bearer " + token } : {};
      if (body) headers["Content-Type"] = "application/json";
      const reply = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
      if (reply.status < 500 || reply.status === 503) {
        trouble("");
        return [reply.status, await reply.json()];
      }
    } catch { /* the network: below */ }
    trouble("No connection. Your answer is kept and will be sent again…");
    await sleep(wait);
  }
}

/** The clip as an object URL, so that both lie whole in memory before they start. */
function fetched(address) {
  if (!cache.has(address)) {
    cache.set(address, (async () => {
      for (let wait = 500; ; wait = Math.min(8000, wait * 2)) {
        try {
          const reply = await fetch(address);
          if (reply.ok) {
            trouble("");
            return URL.createObjectURL(await reply.blob());
          }
          if (reply.status === 404) throw new Error("missing");
        } catch (error) {
          if (error.message === "missing") { trouble("A video is missing. Please tell who sent you the link."); throw error; }
        }
        trouble("No connection. Trying again…");
        await sleep(wait);
      }
    })());
  }
  return cache.get(address);
}

function forget(keep) {
  for (const [address, url] of cache) {
    if (keep.includes(address)) continue;
    cache.delete(address);
    url.then(URL.revokeObjectURL, () => {});
  }
}

const ready = (video) => new Promise((done) => {
  if (video.readyState >= 3) return done();
  for (const event of ["canplaythrough", "loadeddata", "error"]) video.addEventListener(event, done, { once: true });
});

/** Both from the first frame, at the same moment. */
async function together() {
  for (const video of videos) { video.pause(); video.currentTime = 0; }
  if (!paused) await play();
}

async function play() {
  paused = false;
  $("pause").textContent = "Pause";
  if (!played) played = performance.now();
  await Promise.allSettled(videos.filter((video) => !video.ended).map((video) => video.play()));
  if (videos.every((video) => video.paused && !video.ended)) pause(); // the browser wants a touch first
}

function pause() {
  paused = true;
  $("pause").textContent = "Play";
  if (played) watched += (performance.now() - played) / 1000;
  played = 0;
  for (const video of videos) video.pause();
}

const seconds = () => watched + (played ? (performance.now() - played) / 1000 : 0);

async function load(trial) {
  const wanted = [trial.left, trial.right];
  if (wanted.every((address, i) => address === shown[i])) return false;
  shown = wanted;
  watched = played = 0;
  const urls = await Promise.all(wanted.map(fetched));
  videos.forEach((video, i) => { video.src = urls[i]; video.load(); });
  await Promise.all(videos.map(ready));
  paused = still;
  if (still) pause();
  await together();
  return true;
}

function buttons(answers) {
  const group = $("answers");
  const wanted = ORDER.filter((answer) => answers.includes(answer));
  group.className = { 2: "two", 4: "four" }[wanted.length] || "";
  group.replaceChildren(...wanted.map((answer) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.answer = answer;
    button.disabled = true;
    button.setAttribute("aria-keyshortcuts", String(keyOf(answer)));
    const key = document.createElement("kbd");
    key.textContent = keyOf(answer);
    key.setAttribute("aria-hidden", "true");
    button.append(key, LABELS[answer]);
    button.addEventListener("click", () => vote(answer));
    return button;
  }));
}

const keyOf = (answer) => ORDER.indexOf(answer) + 1;

async function render(next) {
  state = next;
  const { trial, done, total, pair, pairs } = state;
  $("bar").setAttribute("aria-valuemax", total);
  $("bar").setAttribute("aria-valuenow", done);
  $("bar").firstElementChild.style.transform = `scaleX(${total ? done / total : 1})`;
  if (!trial) return finish("Thank you!", `${total === 1 ? "Your answer is" : `All ${total} answers are`} saved. You can close this page.`);
  show("study");
  const many = trial.of[1] > 1 ? `, question ${trial.of[0]} of ${trial.of[1]}` : "";
  $("where").textContent = `Pair ${pair} of ${pairs}${many}`;
  $("question").textContent = trial.question;
  $("prompt").hidden = trial.prompt === null;
  $("prompt").querySelector("q").textContent = trial.prompt ?? "";
  buttons(trial.answers);
  for (const figure of document.querySelectorAll("figure")) figure.classList.remove("chosen");
  $("said").textContent = `${$("where").textContent}. ${trial.question}${trial.prompt ? " The text: " + trial.prompt : ""}`;
  $("question").focus({ preventScroll: true });
  const fresh = await load(trial);
  forget([...shown, ...state.preload]);
  state.preload.forEach((address) => fetched(address).catch(() => {}));
  openAt = fresh || trial.first ? trial.watch : 0;
  await sleep(SETTLE);
  busy = false;
  tick();
}

/** Open the answers when both have been watched long enough. */
function tick() {
  if (busy || !state?.trial) return;
  const share = openAt ? Math.min(1, seconds() / openAt) : 1;
  $("answers").style.setProperty("--watched", share);
  const open = share >= 1;
  $("answers").classList.toggle("open", open);
  for (const button of $("answers").children) button.disabled = !open;
  $("wait").textContent = open ? "" : paused ? "Press Play to watch both videos" : "Watch both videos first…";
  if (!open) setTimeout(tick, 60);
}

async function vote(answer) {
  const button = $("answers").querySelector(`[data-answer="${answer}"]`);
  if (busy || !button || button.disabled) return;
  busy = true;
  for (const other of $("answers").children) other.disabled = true;
  button.classList.add("chosen");
  document.querySelector(`figure[data-side="${answer}"]`)?.classList.add("chosen");
  const said = { trial: state.trial.id, answer, watched: Math.round(seconds() * 100) / 100 };
  let [status, reply] = await ask("api/vote", said);
  for (; status === 425; [status, reply] = await ask("api/vote", said)) await sleep(400);
  if (status === 409 || status === 403) [status, reply] = await ask("api/state"); // voted in another window: go on there
  if (status !== 200) return refused(reply);
  await sleep(150);
  await render(reply);
}

function finish(title, text) {
  videos.forEach((video) => video.pause());
  $("ending").textContent = title;
  $("ended").textContent = text;
  show("end");
  $("ending").focus();
}

function refused(reply) {
  localStorage.removeItem(KEPT);
  finish("This did not work", reply.error?.message ?? "Please tell who sent you the link.");
  document.querySelector("#end .mark").hidden = true;
}

async function start() {
  $("start").disabled = true;
  const [status, reply] = await ask("api/join", {});
  if (status === 409) return finish("Thank you for coming", "This study has all the votes that it needs.");
  if (status !== 200) return refused(reply);
  await resume(reply.token);
}

async function resume(known) {
  token = known;
  const [status, reply] = await ask("api/state");
  if (status !== 200) {
    token = "";
    localStorage.removeItem(KEPT);
    history.replaceState(null, "", location.pathname);
    show("welcome");
    return;
  }
  localStorage.setItem(KEPT, token);
  history.replaceState(null, "", "#" + token);
  await render(reply);
}

videos.forEach((video) => video.addEventListener("error", () => {
  if (video.src) trouble("This browser cannot play the videos. Please try another one.");
}));
// A clip that has ended waits for the other one; then both start again.
videos.forEach((video) => video.addEventListener("ended", () => {
  if (!paused && videos.every((each) => each.ended)) together();
}));
document.addEventListener("visibilitychange", () => {
  if ($("study").hidden || !state?.trial) return;
  if (document.hidden) { if (!paused) { pause(); paused = false; } } else if (!paused) play();
});
document.addEventListener("keydown", (event) => {
  if ($("study").hidden || event.ctrlKey || event.metaKey || event.altKey || event.repeat || $("later").open) return;
  const answer = ARROWS[event.key] ?? ORDER[Number(event.key) - 1];
  if (answer) { event.preventDefault(); vote(answer); }
  else if (event.key === " " && event.target.tagName !== "BUTTON") { event.preventDefault(); $("pause").click(); }
  else if (event.key === "r" || event.key === "R") $("again").click();
});
$("start").addEventListener("click", start);
$("pause").addEventListener("click", () => { if (paused) { play(); tick(); } else { pause(); } });
$("again").addEventListener("click", () => { paused = false; $("pause").textContent = "Pause"; together(); });
$("link").addEventListener("click", () => {
  $("address").value = location.origin + location.pathname + "#" + token;
  $("copy").textContent = "Copy the link";
  $("later").showModal();
  $("address").select();
});
$("copy").addEventListener("click", async () => {
  $("address").select();
  try { await navigator.clipboard.writeText($("address").value); } catch { document.execCommand("copy"); }
  $("copy").textContent = "Copied";
});
$("close").addEventListener("click", () => $("later").close());

const known = location.hash.slice(1) || localStorage.getItem(KEPT);
if (known) resume(known); else show("welcome");
