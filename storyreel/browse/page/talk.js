// Talking to the server, making elements, and saying numbers and times.

export const $ = (id) => document.getElementById(id);

export function el(tag, about = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...inside.filter((part) => part != null));
  return made;
}

export function svg(tag, about = {}, ...inside) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(about)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

export async function ask(path, body) {
  const how = body === undefined ? {} :
    { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let reply, doc;
  try {
    reply = await fetch(path, how);
    doc = await reply.json();
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (!reply.ok) throw new Error(doc.error?.message ?? `The server says ${reply.status}.`);
  return doc;
}

export function trouble(error) {
  $("trouble").textContent = error ? error.message : "";
  $("trouble").hidden = !error;
}

export const count = (number) => number.toLocaleString("en-US");
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

export function number(value) {
  if (value == null) return "–";
  if (Number.isInteger(value)) return count(value);
  const size = Math.abs(value);
  return size >= 100 ? count(Math.round(value)) : String(Number(value.toPrecision(3)));
}

export function percent(margin) {
  const value = margin * 100;
  const said = Math.abs(value) >= 1000 ? "×" + number(Math.abs(margin) + 1) : `${Math.abs(value) < 10 ? value.toFixed(1) : Math.round(value)} %`;
  return (margin > 0 && !said.startsWith("×") ? "+" : "") + said.replace("-", "−");
}

export function clock(seconds) {
  const h = Math.floor(seconds / 3600), m = Math.floor(seconds / 60) % 60, s = seconds % 60;
  const tail = s.toFixed(1).padStart(4, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`;
}

export function duration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${(seconds / 60).toFixed(1)} min`;
  return `${number(seconds / 3600)} h`;
}

const SAID = { "motion.min": "static" };

// "motion 0.11, expected at least 0.25"
export function reason(why, short = false) {
  if (why.name === "manual") return "dropped by hand";
  if (why.name === "error") return "could not be written";
  if (why.name === "duplicate") {
    const differ = why.value === 0 ? "same" : `${number(why.value * 100)} % of bits differ`;
    return short ? `duplicate (${differ})` : `repeats a better clip: ${differ}`;
  }
  const [field, side] = why.name.split(".");
  const name = SAID[why.name] ? `${SAID[why.name]}: ${field}` : field.replaceAll("_", " ");
  const wanted = side === "min" ? "<" : ">";
  return short ? `${name} ${number(why.value)} ${wanted} ${number(why.limit)}`
    : `${name} is ${number(why.value)}, expected at ${side === "min" ? "least" : "most"} ${number(why.limit)}`;
}

export function debounced(wait, call) {
  let timer = 0;
  return (...args) => { clearTimeout(timer); timer = setTimeout(() => call(...args), wait); };
}
