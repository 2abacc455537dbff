"use strict";
// Tables that sort by their headings; the headings are buttons, so that a keyboard reaches them.
const make = (tag, attributes = {}, ...inside) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...inside.filter((each) => each !== null && each !== undefined));
  return made;
};
const byId = (id) => document.getElementById(id);

function compareValues(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined || a === "") return 1; // what has no value comes last, whichever way
  if (b === null || b === undefined || b === "") return -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function directed(a, b, up) {
  const empty = (v) => v === null || v === undefined || v === "";
  return empty(a) || empty(b) ? compareValues(a, b) : up * compareValues(a, b);
}

function sortable(table) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    if (!head.dataset.sort) return;
    const value = (row) => {
      const cell = row.cells[column];
      const said = cell.dataset.value ?? cell.textContent.trim();
      return head.dataset.sort === "number" ? (said === "" || Number.isNaN(Number(said)) ? null : Number(said)) : said;
    };
    const button = make("button", { type: "button", onclick: () => {
      const up = head.getAttribute("aria-sort") === "ascending" ? -1 : head.getAttribute("aria-sort") === "descending"
        ? 1 : head.dataset.first === "descending" ? -1 : 1;
      heads.forEach((other) => { if (other.dataset.sort) other.setAttribute("aria-sort", "none"); });
      head.setAttribute("aria-sort", up > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].sort((a, b) => directed(value(a), value(b), up));
      table.tBodies[0].append(...rows);
    } });
    button.append(...head.childNodes);
    head.append(button);
    head.setAttribute("aria-sort", head.dataset.sorted ?? "none");
  });
}
document.querySelectorAll("table.sortable").forEach(sortable);

const copy = byId("copy");
if (copy) copy.addEventListener("click", async () => {
  const text = byId("command").textContent;
  try {
    await navigator.clipboard.writeText(text);
    copy.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(byId("command")); // a file has no clipboard everywhere: then it is marked
    copy.textContent = "Marked";
  }
  setTimeout(() => { copy.textContent = "Copy"; }, 1500);
});
