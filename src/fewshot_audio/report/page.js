"use strict";
// The page is whole without this: it adds sorting, headings that stay in sight, the runs of a
// number at a click, and copying.

const NUMBER = /^[[(<>≤≥±\s]*([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?)(?![\w.])/i;
const NOTHING = /^[\s–—-]*$/;
const RANK = { number: 0, words: 1, nothing: 2 };

/** A cell to the rank of its kind and its value: the number it begins with, or its words. */
function sortKey(cell) {
  const text = cell.textContent.trim().replaceAll("−", "-").replace(/(?<=\d),(?=\d{3})/g, "");
  if (NOTHING.test(text)) return { rank: RANK.nothing, value: "" };
  const number = NUMBER.exec(text);
  return number ? { rank: RANK.number, value: parseFloat(number[1]) } : { rank: RANK.words, value: text };
}

/** Two keys to their order; cells with nothing in them are last in either direction. */
function compare(one, other, direction) {
  if (one.rank !== other.rank) return one.rank - other.rank;
  if (one.rank === RANK.number) return direction * (one.value - other.value);
  return direction * one.value.localeCompare(other.value, "en", { numeric: true });
}

function sortRows(table, heading, column) {
  const ascending = heading.getAttribute("aria-sort") !== "ascending";
  for (const cell of table.tHead.querySelectorAll("[aria-sort]")) cell.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = table.tBodies[0];
  for (const row of body.querySelectorAll(".of-cell")) row.remove();
  const keyed = [...body.rows].map((row) => ({ row, key: sortKey(row.cells[column]) }));
  keyed.sort((one, other) => compare(one.key, other.key, ascending ? 1 : -1));
  body.append(...keyed.map(({ row }) => row));
}

function addSorting(table, heading, column) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...heading.childNodes);
  button.addEventListener("click", () => sortRows(table, heading, column));
  heading.append(button);
}

/** A column of words starts at the left, one of numbers ends at the right, sentences wrap. */
function align([heading, ...cells]) {
  const numbers = cells.some((cell) => sortKey(cell).rank === RANK.number);
  const sentences = !numbers && cells.some((cell) => cell.textContent.length > 40);
  for (const cell of [heading, ...cells]) {
    cell.classList.add(numbers ? "numbers" : "words");
    cell.classList.toggle("sentences", sentences);
  }
}

/** Row headings stay in sight beside the columns scrolled to: as many, from the last on, as leave room for a number. */
function pin(region, columns) {
  const widths = columns.map(([heading]) => heading.getBoundingClientRect().width);
  const widthFrom = (column) => widths.slice(column).reduce((sum, width) => sum + width, 0);
  const free = region.scrollWidth > region.clientWidth ? region.clientWidth * 0.34 : 0;
  const first = widths.findIndex((_, column) => widthFrom(column) <= free);
  columns.forEach((cells, column) => {
    for (const cell of cells) {
      cell.classList.toggle("pinned", first !== -1 && column >= first);
      cell.classList.toggle("edge", column === columns.length - 1);
      cell.style.left = `${widthFrom(first) - widthFrom(column)}px`;
    }
  });
  region.style.scrollPaddingLeft = first === -1 ? "" : `${widthFrom(first)}px`; // else the focus can hide below them
}

function enrich(region) {
  const table = region.querySelector("table");
  const headings = [...table.tHead.rows].at(-1).cells;
  const rows = [...table.tBodies[0].rows];
  const below = (column) => rows.map((row) => row.cells[column]);
  const columns = [...headings].map((heading, column) => [heading, ...below(column)]);
  columns.forEach(align);
  columns.forEach(([heading], column) => addSorting(table, heading, column));
  const leading = columns.filter(([, cell]) => cell.tagName === "TH");
  new ResizeObserver(() => pin(region, leading)).observe(region);
}

/** The runs that a cell's number is of: by the words of its row's and columns' headings. */
function runsOf(cell) {
  const table = cell.closest("table"), row = cell.parentElement;
  const heads = [[...table.tHead.rows].at(-1).cells[cell.cellIndex], groupOf(table, cell.cellIndex)];
  const labels = [...row.cells].filter((each) => each.tagName === "TH");
  const last = [...table.tHead.rows].at(-1).cells;
  const isN = (each) => each.tagName === "TH" && last[each.cellIndex]?.textContent.trim() === "n";
  const n = [...heads.map((head) => /^n = (\S+)/.exec(head?.textContent.trim() ?? "")?.[1]),
    labels.find(isN)?.textContent.trim()].find(Boolean);
  const words = new Set([...labels, ...heads].flatMap((each) => each ? each.textContent.trim().split(" − ") : []));
  const all = [...cell.closest(".study").querySelectorAll("[data-row]")].map((command) => ({
    command, row: JSON.parse(command.dataset.row), counts: JSON.parse(command.dataset.counts) }));
  const has = (place) => all.some((each) => words.has(each.row[place]));
  const alike = (each) => each.row.every((word, place) => words.has(word) || !has(place));
  return all.filter((each) => alike(each) && (!n || n in each.counts)).map((each) => ({ ...each, n }));
}

function groupOf(table, column) {
  if (table.tHead.rows.length === 1) return undefined;
  let end = 0;
  const hidden = table.tHead.rows[1].querySelectorAll("[hidden]").length;
  return [...table.tHead.rows[0].cells].find((cell) => (end += cell.colSpan) > column - hidden);
}

/** Shows below a row what a cell's number is of, or, at a second click, no more. */
function showRuns(cell) {
  const row = cell.parentElement, shown = row.nextElementSibling;
  const again = shown?.className === "of-cell" && shown.cellOf === cell;
  if (shown?.className === "of-cell") shown.remove();
  const runs = again ? [] : runsOf(cell);
  if (runs.length === 0) return;
  const below = document.createElement("tr"), field = below.insertCell();
  below.className = "of-cell";
  below.cellOf = cell;
  field.colSpan = row.cells.length;
  field.append(...runs.map(({ command, row: names, counts, n }) => {
    const part = command.cloneNode(true), own = part.querySelector("code");
    part.querySelectorAll("button, span").forEach((each) => each.remove());
    if (n) {
      part.querySelector("p").textContent = `${names.join(", ")}, n = ${n}: ${counts[n]} run${counts[n] === 1 ? "" : "s"}`;
      own.textContent = own.textContent.replace(/n_per_class=\[[^\]]*\]/, `n_per_class=[${n}]`);
    }
    addCopying(part);
    return part;
  }));
  row.after(below);
}

/** Opens the detail that an address names. */
function openNamed() {
  const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const detail = named?.querySelector(":scope > details");
  if (detail) detail.open = true;
}

/** Copies, or, where the browser does not let it, selects. */
async function copy(code, status) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    status.textContent = "copied";
  } catch {
    getSelection().selectAllChildren(code);
    status.textContent = "selected";
  }
}

function addCopying(command) {
  const button = document.createElement("button");
  const status = document.createElement("span");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy the command: ${command.querySelector("p").textContent}`);
  status.setAttribute("role", "status");
  button.addEventListener("click", () => copy(command.querySelector("code"), status));
  command.querySelector("p").after(status, button);
}

document.querySelectorAll(".scroll").forEach(enrich);
document.querySelectorAll(".command").forEach(addCopying);
document.querySelectorAll(".hint").forEach((hint) => { hint.hidden = false; });
document.addEventListener("click", ({ target }) => {
  const cell = target.closest(".study tbody td");
  if (cell && !target.closest(".of-cell") && getSelection().isCollapsed) showRuns(cell);
});
addEventListener("hashchange", openNamed);
openNamed();
