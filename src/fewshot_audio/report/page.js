"use strict";
// The page is whole without this: it adds sorting, headings that stay in sight, and copying.

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
  const free = region.scrollWidth > region.clientWidth ? region.clientWidth * 0.6 : 0;
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
