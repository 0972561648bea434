// The matrix of a Jacobian on a canvas: labels, seeds, entries as far as they are written, and
// beside or below it the compressed product. Reads and draws; says where the reader points.

import { heat, h, num } from "./common.js";

// the seeds' vector
const STRIP = 18;
// between the matrix and its compressed product
const GAP = 26;
const FONT = 11;
// width of a letter of FONT
const LETTER = 6.7;
const MOST_LABEL = 16;
// cells this wide have names of their own
const LEAST = 12;
// rows that stay high enough for names where columns are thin, and so for columns
const FEW = 16;

/** Tints of groups, [light, dark] ; letters tell the groups apart too. */
const TINTS = [
  ["#cfe1f7", "#274868"], ["#fbdcb4", "#6b4a1d"], ["#cdebd3", "#27573a"], ["#ecd3ef", "#5c3a63"],
  ["#f9d0d0", "#6d3538"], ["#cdecec", "#215a5c"], ["#ece6b5", "#5a5220"], ["#dcd8d2", "#4d4a44"],
];

/** a, b, … z, aa, ab, … */
export function groupLetter(group) {
  let text = "";
  for (let rest = group + 1; rest > 0; rest = Math.floor((rest - 1) / 26))
    text = String.fromCharCode(97 + ((rest - 1) % 26)) + text;
  return text;
}

/** A number in three digits, for a cell. */
export function cellText(value) {
  const x = num(value);
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  const size = Math.abs(x);
  const text =
    x !== 0 && (size >= 1e4 || size < 1e-2) ? x.toExponential(0) : String(Number(x.toPrecision(3)));
  return text.replace("e+", "e").replaceAll("-", "−");
}

/** Shades grow with the root of a number, so that small entries are seen beside large ones. */
export function shade(value, most, dark) {
  const x = num(value);
  if (!Number.isFinite(x)) return dark ? "#f4f4f4" : "#111111";
  return heat(Math.sign(x) * Math.sqrt(Math.abs(x) / (most || 1)), 1, dark);
}

function inkOn(value, most, dark, ink) {
  const x = num(value);
  if (!Number.isFinite(x)) return dark ? "#111111" : "#ffffff";
  const depth = Math.sqrt(Math.abs(x) / (most || 1));
  if (dark) return depth > 0.55 ? "#101216" : ink;
  return depth > 0.62 ? "#ffffff" : ink;
}

/**
 * A block with its entries found by place.
 * @param {any} block as the kernel sends it
 */
export function indexed(block) {
  const [m, n] = block.shape;
  const [down, across] = block.bundle;
  const full = block.row === null;
  const row = full ? block.v.map((_, k) => Math.floor(k / n)) : block.row;
  const column = full ? block.v.map((_, k) => k % n) : block.column;
  const at = new Map();
  let most = 0;
  block.v.forEach((value, k) => {
    at.set(Math.floor(row[k] / down) * block.picture[1] + Math.floor(column[k] / across), k);
    if (Number.isFinite(num(value))) most = Math.max(most, Math.abs(num(value)));
  });
  const colours = block.whole
    ? [column.map((j) => block.columnColours[j]), row.map((i) => block.rowColours[i])]
    : block.cellColours;
  return {
    ...block, row, column, at, most, colours,
    /** The entries as a side computes them. */
    values: (side) => (side === "reverse" ? block.reverse ?? block.v : block.v),
    /** The entry of a cell of the picture, or undefined. */
    entry: (i, j) => at.get(i * block.picture[1] + j),
    rowName: (i) => (block.whole ? block.rows[i] : leafName(block.outputs, i)),
    columnName: (j) => (block.whole ? block.columns[j] : leafName(block.inputs, j)),
    size: m * n,
  };
}

/** The name of a number by its place among the leaves. */
function leafName(leaves, place) {
  const leaf = leaves.findLast((one) => one.start <= place && one.size > 0) ?? leaves[0];
  if (!leaf.shape.length) return leaf.name;
  let rest = place - leaf.start;
  const index = [];
  for (const size of [...leaf.shape].reverse()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `${leaf.name}[${index.join(",")}]`;
}

/** Sizes and places of everything in a panel. */
export function geometry(block, side, mode, width, height) {
  const [m, n] = block.picture;
  const product = mode === "compressed" && block.whole;
  const extraColumns = product && side === "forward" ? block.groups[0] : 0;
  const extraRows = product && side === "reverse" ? block.groups[1] : 0;
  const names = [axisNames(block, 0), axisNames(block, 1)];
  let [h, ph] = shared(height - STRIP - 40, m, extraRows, 30);
  const thinRows = h < LEAST;
  const left = 6 + widest(thinRows ? leafNames(block.outputs) : names[0]) + 6;
  let [w, pw] = shared(width - left - STRIP - 10, n, extraColumns, 58);
  const thinColumns = w < LEAST;
  // thin cells are square, unless that would leave too little room for the other axis' names
  if (thinColumns) h = Math.min(h, m > FEW ? w : 16);
  if (thinRows) w = Math.min(w, n > FEW ? h : 24);
  if (!extraRows) ph = h;
  if (!extraColumns) pw = w;
  const turned = !thinColumns && names[1].some((text) => text.length * LETTER > w - 6);
  const x = left + STRIP + 4;
  const y = (turned ? widest(names[1]) + 8 : 18) + STRIP + 6;
  const px = extraColumns ? x + n * w + GAP : x;
  const py = extraRows ? y + m * h + GAP : y;
  return {
    x, y, w, h, m, n, px, py, pw, ph, turned, names, extraColumns, extraRows,
    width: Math.max(x + n * w, extraColumns && px + Math.max(24, extraColumns * pw)) + 6,
    height: Math.max(y + m * h, extraRows && py + extraRows * ph) + 6,
  };
}

/** The size of a cell of the matrix and of the product, which stays large enough to be seen. */
function shared(room, count, extra, most) {
  const left = room - (extra ? GAP : 0);
  const even = Math.max(0.5, Math.min(most, left / Math.max(1, count + extra)));
  if (!extra || even >= 10) return [even, even];
  const large = Math.max(even, Math.min(10, left / 4 / extra));
  return [Math.max(0.5, Math.min(most, (left - extra * large) / Math.max(1, count))), large];
}

/** Names of all rows or columns; of merged ones where each starts. */
function axisNames(block, axis) {
  const names = axis === 0 ? block.rows : block.columns;
  if (block.whole) return names.map(shortened);
  return Array.from({ length: block.picture[axis] }, (_, k) => String(k * block.bundle[axis]));
}

const leafNames = (leaves) => leaves.map((leaf) => shortened(leaf.name));

/** A name's end tells more: its index. */
function shortened(text) {
  return text.length <= MOST_LABEL ? text : `…${text.slice(1 - MOST_LABEL)}`;
}

function widest(texts) {
  return texts.reduce((most, text) => Math.max(most, text.length), 0) * LETTER;
}

/**
 * One panel's canvas inside of a grid that keys and screen readers reach.
 * @param {"forward"|"reverse"|"pattern"} side
 * @param {{pick: (place: any) => void, key: (event: KeyboardEvent) => void,
 *   hover: (place: any, x: number, y: number) => void}} listeners
 */
export function matrixPanel(side, name, { pick, key, hover }) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  // a count would meet those of other outputs
  const id = `adlib-cell-${Math.random().toString(36).slice(2)}`;
  const cell = h("div", { role: "gridcell", id });
  const row = h("div", { role: "row", class: "jac-spoken" }, cell);
  const grid = h(
    "div",
    { class: "jac-grid", role: "grid", tabindex: "0", "aria-label": name, onkeydown: key },
    canvas,
    row,
  );
  let drawn = null;
  const place = (event) => {
    if (!drawn) return null;
    const box = canvas.getBoundingClientRect();
    return placeAt(drawn, side, event.clientX - box.left, event.clientY - box.top);
  };
  canvas.addEventListener("click", (event) => {
    const found = place(event);
    if (found) pick(found);
  });
  canvas.addEventListener("pointermove", (event) =>
    hover(place(event), event.clientX, event.clientY),
  );
  canvas.addEventListener("pointerleave", () => hover(null, 0, 0));
  return {
    grid,
    /** Draw a state; `seeds` and `written` say how far the passes are. */
    draw(state) {
      drawn = { ...geometry(state.block, side, state.mode, state.width, state.height), state };
      paint(canvas, drawn, side);
      grid.setAttribute("aria-rowcount", state.block.shape[0]);
      grid.setAttribute("aria-colcount", state.block.shape[1]);
      speak(grid, row, cell, state);
    },
    geometry: () => drawn,
  };
}

function speak(grid, row, cell, { selected, selectedText }) {
  cell.textContent = selectedText;
  if (selected) {
    row.setAttribute("aria-rowindex", selected[0] + 1);
    cell.setAttribute("aria-colindex", selected[1] + 1);
    grid.setAttribute("aria-activedescendant", cell.id);
  } else grid.removeAttribute("aria-activedescendant");
}

/** The cell of the matrix at a point of the canvas, or of the compressed product, or a letter. */
export function placeAt(g, side, x, y) {
  const [i, j] = [Math.floor((y - g.y) / g.h), Math.floor((x - g.x) / g.w)];
  const [down, across] = [i >= 0 && i < g.m, j >= 0 && j < g.n];
  if (down && across) return { i, j };
  const { block } = g.state;
  if (lettered(g, side)) {
    const strip = (gap) => gap > 3 && gap < STRIP + 3;
    if (side !== "reverse" && across && strip(g.y - y))
      return { letter: block.columnColours[j], of: "forward" };
    if (side !== "forward" && down && strip(g.x - x))
      return { letter: block.rowColours[i], of: "reverse" };
  }
  if (side === "forward" && g.extraColumns) {
    const group = Math.floor((x - g.px) / g.pw);
    if (down && group >= 0 && group < g.extraColumns)
      for (let at = 0; at < g.n; at += 1)
        if (block.columnColours[at] === group && block.entry(i, at) !== undefined)
          return { i, j: at, group };
  }
  if (side === "reverse" && g.extraRows) {
    const group = Math.floor((y - g.py) / g.ph);
    if (across && group >= 0 && group < g.extraRows)
      for (let at = 0; at < g.m; at += 1)
        if (block.rowColours[at] === group && block.entry(at, j) !== undefined)
          return { i: at, j, group };
  }
  return null;
}

/** Whether the groups' letters stand beside a panel's matrix. */
function lettered(g, side) {
  return g.state.block.whole && (side === "pattern" || g.state.mode === "compressed");
}

// --- drawing ----------------------------------------------------------------------------------

function paint(canvas, g, side) {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.ceil(g.width * scale);
  canvas.height = Math.ceil(g.height * scale);
  canvas.style.width = `${g.width}px`;
  canvas.style.height = `${g.height}px`;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = `${FONT}px ${g.state.font}`;
  pen.textBaseline = "middle";
  paintCells(pen, g, side);
  paintLines(pen, g);
  paintLabels(pen, g);
  if (lettered(g, side)) paintLetters(pen, g, side);
  if (side !== "pattern") paintSeeds(pen, g, side);
  if (g.extraColumns || g.extraRows) paintProduct(pen, g, side);
  if (side !== "pattern") paintPass(pen, g, side);
  paintSelected(pen, g);
}

function paintCells(pen, g, side) {
  const { block, mode, step, colours: c, dark } = g.state;
  pen.fillStyle = c.ground;
  pen.fillRect(g.x, g.y, g.n * g.w, g.m * g.h);
  if (mode === "dense" && side !== "pattern") {
    // what no pass has reached
    pen.fillStyle = c.raised;
    const j = side === "forward" ? Math.min(step, g.n) : 0;
    const i = side === "reverse" ? Math.min(step, g.m) : 0;
    pen.fillRect(g.x + j * g.w, g.y + i * g.h, (g.n - j) * g.w, (g.m - i) * g.h);
  }
  const [down, across] = block.bundle;
  const inset = Math.min(g.w, g.h) >= 8 ? 0.75 : 0;
  block.values(side).forEach((value, k) => {
    const i = Math.floor(block.row[k] / down);
    const j = Math.floor(block.column[k] / across);
    const [x, y] = [g.x + j * g.w + inset, g.y + i * g.h + inset];
    const [w, t] = [g.w - 2 * inset, g.h - 2 * inset];
    if (side === "pattern") {
      const lit = litBy(g.state, k);
      pen.fillStyle = lit ? c[lit] : c.edge;
      pen.globalAlpha = lit ? 0.9 : 0.55;
      const margin = inset ? 0.12 : 0;
      const size = 1 - 2 * margin;
      pen.fillRect(x + g.w * margin, y + g.h * margin, w * size, t * size);
      pen.globalAlpha = 1;
    } else if (written(g.state, side, k, i, j)) {
      pen.fillStyle = shade(value, block.most, dark);
      pen.fillRect(x, y, w, t);
      if (block.whole) entryNumber(pen, g, x, y, w, t, value);
    } else if (mode === "compressed") {
      pen.fillStyle = c.raised;
      pen.fillRect(x, y, w, t);
    }
  });
  if (mode === "dense" && side !== "pattern" && block.whole) paintZeros(pen, g, side);
}

/** Zeros outside of the pattern, where a one-hot pass has written them. */
function paintZeros(pen, g, side) {
  if (g.w < 22 || g.h < 14) return;
  const { block, step, colours: c } = g.state;
  pen.fillStyle = c.muted;
  pen.globalAlpha = 0.75;
  pen.textAlign = "center";
  for (let i = 0; i < (side === "reverse" ? Math.min(step, g.m) : g.m); i += 1)
    for (let j = 0; j < (side === "forward" ? Math.min(step, g.n) : g.n); j += 1)
      if (block.entry(i, j) === undefined)
        pen.fillText("0", g.x + (j + 0.5) * g.w, g.y + (i + 0.5) * g.h + 0.5);
  pen.globalAlpha = 1;
}

/** Whether a pass has written an entry. */
export function written(state, side, k, i, j) {
  if (state.mode === "dense") return (side === "forward" ? j : i) < state.step;
  return state.block.colours[side === "forward" ? 0 : 1][k] < state.step;
}

/** Which pass, forward or reverse, the entry k belongs to at this step. */
function litBy({ mode, step, block }, k) {
  if (mode !== "compressed" || !step) return "";
  if (block.colours[0][k] === step - 1) return "forward";
  return block.colours[1][k] === step - 1 ? "reverse" : "";
}

function entryNumber(pen, g, x, y, w, t, value) {
  const text = cellText(value);
  const size = Math.min(FONT, (FONT * (w - 1)) / (text.length * LETTER));
  if (t < 13 || size < 8.5) return;
  const { block, dark, colours, font } = g.state;
  pen.fillStyle = inkOn(value, block.most, dark, colours.ink);
  pen.textAlign = "center";
  if (size < FONT) pen.font = `${size}px ${font}`;
  pen.fillText(text, x + w / 2, y + t / 2 + 0.5);
  if (size < FONT) pen.font = `${FONT}px ${font}`;
}

function paintLines(pen, g) {
  const { block, colours: c } = g.state;
  pen.strokeStyle = c.line;
  pen.lineWidth = 1;
  pen.beginPath();
  if (Math.min(g.w, g.h) >= 6) {
    for (let j = 1; j < g.n; j += 1) ruleLine(pen, g.x + j * g.w, g.y, 0, g.m * g.h);
    for (let i = 1; i < g.m; i += 1) ruleLine(pen, g.x, g.y + i * g.h, g.n * g.w, 0);
  }
  pen.stroke();
  pen.strokeStyle = c.edge;
  pen.beginPath();
  for (const { start } of block.inputs.slice(1))
    ruleLine(pen, g.x + (start / block.bundle[1]) * g.w, g.y - 3, 0, g.m * g.h + 6);
  for (const { start } of block.outputs.slice(1))
    ruleLine(pen, g.x - 3, g.y + (start / block.bundle[0]) * g.h, g.n * g.w + 6, 0);
  pen.rect(Math.round(g.x) - 0.5, Math.round(g.y) - 0.5, g.n * g.w + 1, g.m * g.h + 1);
  pen.stroke();
}

function ruleLine(pen, x, y, dx, dy) {
  const [a, b] = [Math.round(x) - 0.5, Math.round(y) - 0.5];
  pen.moveTo(a, b);
  pen.lineTo(a + dx, b + dy);
}

function paintLabels(pen, g) {
  const { block, colours: c, selected } = g.state;
  const chosen = selected && [0, 1].map((axis) => Math.floor(selected[axis] / block.bundle[axis]));
  const ink = (k, axis) => (k === chosen?.[axis] ? c.accent : c.value);
  pen.textAlign = "right";
  if (g.h >= LEAST)
    g.names[0].forEach((text, i) => {
      pen.fillStyle = ink(i, 0);
      pen.fillText(text, g.x - STRIP - 8, g.y + (i + 0.5) * g.h);
    });
  else paintLeaves(pen, g, block.outputs, 0);
  if (g.w >= LEAST)
    g.names[1].forEach((text, j) => {
      pen.fillStyle = ink(j, 1);
      pen.save();
      pen.translate(g.x + (j + 0.5) * g.w, g.y - STRIP - 8);
      if (g.turned) pen.rotate(-Math.PI / 2);
      pen.textAlign = g.turned ? "left" : "center";
      pen.fillText(text, 0, g.turned ? 0 : -3);
      pen.restore();
    });
  else paintLeaves(pen, g, block.inputs, 1);
}

/** Where cells are too thin for names of their own, the arrays' names at their ranges. */
function paintLeaves(pen, g, leaves, axis) {
  const { block, colours: c } = g.state;
  const unit = (axis ? g.w : g.h) / block.bundle[axis];
  pen.fillStyle = c.value;
  for (const leaf of leaves) {
    const [start, length] = [leaf.start * unit, leaf.size * unit];
    const alone = leaves.length === 1 && length > 60 && leaf.shape.length === 1;
    const last = String(leaf.size - 1);
    if (!axis) {
      const x = g.x - STRIP - 8;
      if (length >= 11) pen.fillText(shortened(leaf.name), x, g.y + start + length / 2);
      if (alone) pen.fillText("0", x, g.y + 6);
      if (alone) pen.fillText(last, x, g.y + length - 5);
      continue;
    }
    const y = g.y - STRIP - 11;
    pen.textAlign = "center";
    const most = Math.floor((length - 4) / LETTER);
    const cut = most > 3 ? `…${leaf.name.slice(1 - most)}` : "";
    const text = leaf.name.length <= most ? leaf.name : cut;
    pen.fillText(text, g.x + start + length / 2, y);
    if (alone) {
      pen.textAlign = "left";
      pen.fillText("0", g.x, y);
      pen.textAlign = "right";
      pen.fillText(last, g.x + length, y);
    }
  }
}

/** The letters of the groups, above the columns or beside the rows. */
function paintLetters(pen, g, side) {
  const { block, dark, colours: c, step, mode } = g.state;
  pen.textAlign = "center";
  const box = (x, y, w, t, group, upper, strong, colour) => {
    pen.fillStyle = TINTS[group % TINTS.length][dark ? 1 : 0];
    pen.fillRect(x + 0.5, y + 0.5, Math.max(0.5, w - 1), Math.max(0.5, t - 1));
    if (strong) {
      pen.strokeStyle = colour;
      pen.lineWidth = 2;
      pen.strokeRect(x + 1, y + 1, w - 2, t - 2);
    }
    const text = upper ? groupLetter(group).toUpperCase() : groupLetter(group);
    if (Math.min(w, t) < 11 || text.length * LETTER > w) return;
    pen.fillStyle = c.ink;
    pen.fillText(text, x + w / 2, y + t / 2 + 0.5);
  };
  const now = mode === "compressed" ? step - 1 : -1;
  if (side !== "reverse")
    block.columnColours.forEach((group, j) =>
      box(g.x + j * g.w, g.y - STRIP - 3, g.w, STRIP, group, false, group === now, c.forward));
  if (side !== "forward")
    block.rowColours.forEach((group, i) =>
      box(g.x - STRIP - 3, g.y + i * g.h, STRIP, g.h, group, true, group === now, c.reverse));
}

/** The one-hot vector of the pass: above the columns, or beside the rows. */
function paintSeeds(pen, g, side) {
  const { mode, step, colours: c, absent } = g.state;
  const count = side === "forward" ? g.n : g.m;
  // letters stand here in compressed mode
  if (absent || mode === "compressed") return;
  const now = step - 1;
  pen.textAlign = "center";
  for (let k = 0; k < count; k += 1) {
    const [x, y, w, t] =
      side === "forward"
        ? [g.x + k * g.w, g.y - STRIP - 3, g.w, STRIP]
        : [g.x - STRIP - 3, g.y + k * g.h, STRIP, g.h];
    const hot = k === now;
    pen.fillStyle = hot ? c[side] : c.raised;
    const inset = Math.min(w, t) < 5 ? 0 : 0.75;
    const least = hot ? 2 : 0.5;
    const size = [w, t].map((length) => Math.max(least, length - 2 * inset));
    pen.fillRect(x + inset, y + inset, ...size);
    if (Math.min(w, t) < 12) continue;
    pen.fillStyle = hot ? c.ground : c.muted;
    pen.fillText(hot ? "1" : "0", x + w / 2, y + t / 2 + 0.5);
  }
}

/** J·S beside the matrix, or W·J below it. */
function paintProduct(pen, g, side) {
  const { block, step, colours: c, dark } = g.state;
  const forward = side === "forward";
  const { px: x, py: y, pw: w, ph: h } = g;
  const [columns, rows] = forward ? [g.extraColumns, g.m] : [g.n, g.extraRows];
  pen.fillStyle = c.ground;
  pen.fillRect(x, y, columns * w, rows * h);
  pen.fillStyle = c.raised;
  const [j, i] = forward ? [Math.min(step, columns), 0] : [0, Math.min(step, rows)];
  pen.fillRect(x + j * w, y + i * h, (columns - j) * w, (rows - i) * h);
  const inset = Math.min(w, h) >= 8 ? 0.75 : 0;
  block.values(side).forEach((value, k) => {
    const group = block.colours[forward ? 0 : 1][k];
    if (group >= step) return;
    const [row, column] = forward ? [block.row[k], group] : [group, block.column[k]];
    const box = [x + column * w + inset, y + row * h + inset, w - 2 * inset, h - 2 * inset];
    pen.fillStyle = shade(value, block.most, dark);
    pen.fillRect(...box);
    entryNumber(pen, g, ...box, value);
  });
  pen.strokeStyle = c.edge;
  pen.lineWidth = 1;
  pen.strokeRect(Math.round(x) - 0.5, Math.round(y) - 0.5, columns * w + 1, rows * h + 1);
  paintProductNames(pen, g, side);
}

function paintProductNames(pen, g, side) {
  const { step, colours: c } = g.state;
  const forward = side === "forward";
  pen.textAlign = "center";
  for (let group = 0; group < g.extraColumns + g.extraRows; group += 1) {
    if ((forward ? g.pw : g.ph) < 10) break;
    const letter = groupLetter(group);
    pen.fillStyle = group === step - 1 ? c[side] : c.muted;
    if (forward) pen.fillText(letter, g.px + (group + 0.5) * g.pw, g.py - STRIP / 2 - 3);
    else pen.fillText(letter.toUpperCase(), g.px - STRIP / 2 - 3, g.py + (group + 0.5) * g.ph);
  }
  pen.fillStyle = c.muted;
  pen.textAlign = forward ? "left" : "right";
  if (forward) pen.fillText("J·S", g.px, g.py - STRIP - 11);
  else pen.fillText("W·J", g.x - STRIP - 8, g.py + (g.extraRows * g.ph) / 2);
}

/** A frame around what the present pass has written; of thin groups the letters say it. */
function paintPass(pen, g, side) {
  const { block, mode, step, colours: c } = g.state;
  const forward = side === "forward";
  const [groups, all] = forward ? [block.groups[0], g.n] : [block.groups[1], g.m];
  if (!step || step > (mode === "compressed" ? groups : all)) return;
  pen.strokeStyle = c[side];
  pen.lineWidth = 2;
  const now = step - 1;
  const strip = (k) =>
    forward
      ? pen.strokeRect(g.x + k * g.w, g.y - 1, g.w, g.m * g.h + 2)
      : pen.strokeRect(g.x - 1, g.y + k * g.h, g.n * g.w + 2, g.h);
  if (mode === "dense") return strip(now);
  if (!block.whole) return;
  if ((forward ? g.w : g.h) >= 7)
    (forward ? block.columnColours : block.rowColours).forEach((group, k) => {
      if (group === now) strip(k);
    });
  if (forward) pen.strokeRect(g.px + now * g.pw, g.py - 1, g.pw, g.m * g.h + 2);
  else pen.strokeRect(g.px - 1, g.py + now * g.ph, g.n * g.w + 2, g.ph);
}

function paintSelected(pen, g) {
  const { block, selected, colours: c } = g.state;
  if (!selected) return;
  const [i, j] = selected.map((k, axis) => Math.floor(k / block.bundle[axis]));
  const grow = Math.min(g.w, g.h) < 6 ? 3 : 0.5;
  const around = (x, y, w, t, by) => pen.strokeRect(x - by, y - by, w + 2 * by, t + 2 * by);
  const mark = (...box) => {
    pen.lineWidth = 2.5;
    pen.strokeStyle = c.ground;
    around(...box, grow + 2);
    pen.strokeStyle = c.accent;
    around(...box, grow);
  };
  const [x, y] = [g.x + j * g.w, g.y + i * g.h];
  mark(x, y, g.w, g.h);
  if (block.entry(i, j) === undefined) return;
  // and where the compressed product has the same number
  if (g.extraColumns) mark(g.px + block.columnColours[j] * g.pw, y, g.pw, g.h);
  if (g.extraRows) mark(x, g.py + block.rowColours[i] * g.ph, g.w, g.ph);
}
