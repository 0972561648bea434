// The rows of a flow: a table of which only what is in sight is on the page, so that thousands
// of rows scroll smoothly; arrows in a gutter; arrays as small pictures.

import { h, s, heat, num, numberText } from "./common.js";
import { entryName, sumText } from "./flow_steps.js";

const ROW = 30;
const CELL = 7; // side of one entry in a small picture
const GUTTER = 58;
const SPARE = 8; // rows drawn above and below what is in sight
const REACH = 30; // and so many more rows have their arrows
const MEANINGS = {
  text: "What each step computes, by its short names",
  primal: "The value itself",
  tangent: "How fast the value changes when the inputs move along their tangents",
  cotangent: "How fast the result, weighted by its seed, changes with this value",
};

/**
 * @param {HTMLElement} stage where the table goes; it scrolls
 * @param {(row: number, column: string) => void} onpick a cell was clicked
 */
export function flowTable(stage, onpick) {
  let data = { rows: [] };
  let tops = [0];
  let reads = [];
  let shown = null;
  const drawn = new Map();
  const head = h("div", { class: "flow-row flow-head", role: "row" });
  const arrows = s("svg", { class: "flow-arrows", "aria-hidden": "true", width: GUTTER });
  const body = h("div", { class: "flow-body", role: "rowgroup" }, arrows);
  const table = h("div", { class: "flow-table", role: "table", "aria-label": "values" }, head, body);
  const tip = h("div", { class: "flow-tip", hidden: true });
  stage.append(table, tip);
  stage.addEventListener("scroll", () => requestAnimationFrame(drawInSight));
  body.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-row]");
    if (cell) onpick(Number(cell.dataset.row), event.target.closest("[data-column]")?.dataset.column ?? "");
  });
  body.addEventListener("pointermove", (event) => showTip(event));
  body.addEventListener("pointerleave", () => (tip.hidden = true));

  /** Rows of other data: places are computed anew. */
  function setData(fresh) {
    data = fresh;
    for (const { element } of drawn.values()) element.remove();
    drawn.clear();
    reads = data.rows.map((row) => [...new Set(row.reads.filter((from) => from !== null))]);
    tops = [0];
    for (const row of data.rows) tops.push(tops.at(-1) + heightOf(row));
    body.style.height = `${tops.at(-1)}px`;
    arrows.setAttribute("height", tops.at(-1));
  }

  /**
   * Draw: `times`, `moment`, `step`, `hidden` (the column that the learner is asked for, or
   * null), `columns` (which are shown), `found` (rows that a search found), `dark`.
   */
  function draw(state) {
    shown = state;
    const names = { text: "equation", primal: "primal ↓", tangent: "tangent ↓", cotangent: "cotangent ↑" };
    head.replaceChildren(
      h("span"),
      h("span", { role: "columnheader" }, "line"),
      ...["text", ...state.columns].map((name) =>
        h("span", { role: "columnheader", class: `flow-${name}`, title: MEANINGS[name] }, names[name]),
      ),
    );
    const widths = { primal: "minmax(0, 1fr)", tangent: "minmax(0, 1.55fr)", cotangent: "minmax(0, 1.75fr)" };
    const fractions = state.columns.map((name) => widths[name]).join(" ");
    table.style.setProperty("--flow-columns", `${GUTTER}px 76px minmax(0, 1.25fr) ${fractions}`);
    drawInSight();
  }

  /** What the look of a row depends on: a row is drawn anew only where this changes. */
  function lookOf(i) {
    const { times, moment, step, hidden, mark, columns, found, dark } = shown;
    const near = moment.rows.includes(i) || moment.from.includes(i);
    const done = times.parts[i].filter((when) => when <= step).length;
    const about = near ? [moment.sweep, moment.rows.includes(i), hidden, mark?.text] : [];
    return [times.forward[i] <= step, done, columns, found.has(i), dark, ...about].join();
  }

  /** Put the rows on the page that are in sight, and take the others off. */
  function drawInSight() {
    if (!shown) return;
    const [first, last] = inSight();
    for (const [i, { element }] of drawn)
      if (i < first || i > last) {
        element.remove();
        drawn.delete(i);
      }
    for (let i = first; i <= last; i += 1) {
      const look = lookOf(i);
      const old = drawn.get(i);
      if (old?.look === look) continue;
      const element = rowElement(i);
      if (old) old.element.replaceWith(element);
      else body.append(element);
      drawn.set(i, { element, look });
    }
    drawArrows(first, last);
  }

  function inSight() {
    const from = stage.scrollTop - head.offsetHeight;
    const to = from + (stage.clientHeight || 500);
    const first = Math.max(0, rowAt(from) - SPARE);
    return [first, Math.min(data.rows.length - 1, rowAt(to) + SPARE)];
  }

  function rowAt(y) {
    let [low, high] = [0, data.rows.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  function rowElement(i) {
    const row = data.rows[i];
    const { moment, found } = shown;
    const now = moment.rows.includes(i);
    const used = moment.from.includes(i);
    const marks = [now && `flow-now-${moment.sweep}`, used && `flow-used-${moment.sweep}`, found.has(i) && "flow-found"];
    const text = row.text ? `${row.name} = ${row.text}` : row.name;
    const type = row.type.endsWith("[]") ? null : h("span", { class: "flow-type" }, row.type);
    const cells = shown.columns.map((column) => cellElement(row, i, column, now));
    return h(
      "div",
      {
        class: ["flow-row", `flow-${row.kind}`, ...marks.filter(Boolean)].join(" "),
        style: `top:${tops[i]}px;height:${tops[i + 1] - tops[i]}px`,
        role: "row",
        "aria-rowindex": i + 1,
        "aria-current": now ? "step" : null,
        "data-row": i,
      },
      h("span"),
      h("span", { class: "flow-key", role: "cell", title: `${row.key} ${row.code ?? ""}` }, lastLetters(row.key)),
      h(
        "span",
        { class: "flow-text", role: "cell", "data-column": "primal", title: `${text}  ${row.type}` },
        h("span", { class: "flow-equation" }, text),
        type,
      ),
      ...cells,
    );
  }

  function cellElement(row, i, column, now) {
    const { times, step, moment, hidden } = shown;
    const mark = now || moment.from.includes(i) ? shown.mark : null; // the entry that is asked
    const fills = now && (column === "cotangent") === (moment.sweep === "reverse");
    const cell = h("span", {
      class: `flow-cell flow-${column}${fills ? " flow-fresh" : ""}`,
      role: "cell",
      "data-column": column,
    });
    const picture = row[column];
    if (picture === null) {
      cell.append(h("span", { class: "flow-none", title: `no ${column}` }, "–"));
    } else if (column === "cotangent" && row.kind !== "output") {
      cell.append(...cotangentParts(row, times.parts[i], step, now && hidden === column, mark));
    } else {
      // seeds are given, as inputs are
      const at = column === "cotangent" ? 0 : times.forward[i];
      if (at > step) cell.append(blank());
      else if (now && hidden === column) cell.append(asked());
      else {
        const rule = column === "tangent" && row.rule ? `${row.rule} = ` : column === "cotangent" ? "seed " : "";
        cell.append(...valueParts(rule, picture, row.type, mark));
      }
    }
    cell.title = cell.querySelector("canvas") ? "" : cell.textContent;
    return cell;
  }

  function cotangentParts(row, at, step, asking, mark) {
    const done = at.filter((when) => when <= step).length;
    const count = at.length;
    if (!done) return [blank()];
    if (asking && done === 1) return [asked(), ...(count > 1 ? [plus(), blank()] : [])];
    const picture = row.parts[done - 1].total ?? row.parts[done - 1].share;
    if (count === 1) {
      const { rule } = row.parts[0];
      return valueParts(`${rule} = `, picture, row.type, mark);
    }
    const pending = done < count ? [plus(), blank()] : [];
    if (row.primal.n > 1) {
      if (asking) return [asked(), note(done, count)];
      const [line, small] = valueParts("", picture, row.type, mark);
      line.append(note(done, count));
      return [line, small];
    }
    if (asking) return [h("span", { class: "flow-rule" }, `${sumText(row, done - 2)} + … = `), asked(), ...pending];
    if (done === 1) return [...valueParts("", picture, row.type, mark), ...pending];
    return [...valueParts(`${sumText(row, done - 1)} = `, picture, row.type), ...pending];
  }

  const plus = () => h("span", { class: "flow-rule" }, " + ");
  const note = (done, count) => h("span", { class: "flow-note" }, `${done} of ${count} added`);
  const blank = () => h("span", { class: "flow-blank", "aria-label": "not yet computed", role: "img" });
  const asked = () => h("span", { class: "flow-asked", "aria-label": "asked" }, "?");

  function valueParts(rule, picture, type, mark = null) {
    const parts = [];
    if (rule) parts.push(h("span", { class: "flow-rule" }, rule));
    // the mean stands in the tip
    parts.push(h("b", { class: "flow-number" }, picture.text.split(", mean ")[0]));
    if (picture.n === 1) return parts;
    const line = h("span", { class: "flow-line" }, parts);
    if (!picture.p) return [line, ""];
    return [line, heatPicture(picture, type, shown.dark, mark)];
  }

  // --- arrows ---

  function drawArrows(first, last) {
    const { moment } = shown;
    const faint = [];
    // of what has readers far below, the first ones are enough
    const end = Math.min(data.rows.length - 1, last + REACH);
    for (let i = first; i <= end; i += 1)
      for (const from of reads[i]) if (from <= last) faint.push(arc(from, i, "flow-arc"));
    const strong = [];
    const [target] = moment.rows;
    for (const from of moment.from)
      if (moment.sweep === "forward") strong.push(arc(from, target, "flow-arc-forward"));
      else strong.push(arc(from, target, "flow-arc-reverse"));
    arrows.replaceChildren(...faint, ...strong);
  }

  /** A curve in the gutter from one row to another, with its head at the second. */
  function arc(from, to, kind) {
    const right = GUTTER - 9;
    const [y0, y1] = [tops[from] + ROW / 2 + (to > from ? 3 : -3), tops[to] + ROW / 2 + (to > from ? -3 : 3)];
    const reach = Math.min(GUTTER - 14, 7 + 8.3 * Math.sqrt(Math.abs(to - from)));
    const x = right - (reach * 4) / 3;
    return s(
      "g",
      { class: kind },
      s("path", { d: `M${right} ${y0}C${x} ${y0} ${x} ${y1} ${right} ${y1}` }),
      s("path", { class: "flow-tipmark", d: `M${right + 2} ${y1}l-7 -3.5v7z` }),
      s("circle", { cx: right, cy: y0, r: 2.2 }),
    );
  }

  // --- arrays ---

  /** What the pointer is over: an entry of an array, or the array. */
  function showTip(event) {
    const canvas = event.target.closest?.(".flow-cell")?.querySelector("canvas");
    tip.hidden = !canvas;
    if (!canvas) return;
    const { picture, type } = canvas.flow;
    const box = canvas.getBoundingClientRect();
    const share = (at, from, size) => Math.floor((at - from) / size);
    const j = share(event.clientX, box.left + 1, (box.width - 2) / picture.p[0].length);
    const i = share(event.clientY, box.top + 1, (box.height - 2) / picture.p.length);
    const value = picture.p[i]?.[j];
    const entry = value === undefined ? picture.text : `${entryName(picture, type, i, j)} = ${numberText(value)}`;
    tip.replaceChildren(h("b", {}, entry), h("br"), picture.about);
    const frame = stage.getBoundingClientRect();
    const left = event.clientX - frame.left + stage.scrollLeft + 12;
    tip.style.left = `${Math.max(0, Math.min(left, stage.scrollLeft + stage.clientWidth - tip.offsetWidth - 4))}px`;
    const below = event.clientY - frame.top + 14;
    const top = below + tip.offsetHeight > stage.clientHeight ? below - tip.offsetHeight - 26 : below;
    tip.style.top = `${top + stage.scrollTop}px`;
  }

  /** Bring a row into sight: to a third of the height, if it is not well inside already. */
  function keepInSight(i) {
    if (i === undefined) return;
    const top = tops[i];
    const bottom = tops[i + 1];
    const view = stage.clientHeight - head.offsetHeight;
    const at = stage.scrollTop;
    if (view <= 0 || (top >= at + ROW / 2 && bottom <= at + view - ROW / 2)) return;
    if (top < at + ROW && at === 0) return;
    stage.scrollTop = Math.max(0, top - view / 3);
  }

  return { setData, draw, keepInSight, refresh: drawInSight };
}

/** A file's name may be long; its end and the line number say most. */
const lastLetters = (text) => (text.length > 11 ? `…${text.slice(-10)}` : text);

function heightOf(row) {
  const pictures = [row.primal, row.tangent, row.cotangent].map((one) => one?.p?.length ?? 0);
  const most = Math.max(0, ...pictures);
  return most ? ROW + most * CELL + 6 : ROW;
}

/** An array as a grid of colours; NaN has a cross, the entry that is asked a frame. */
function heatPicture(picture, type, dark, mark) {
  const [rows, columns] = [picture.p.length, picture.p[0]?.length ?? 0];
  const sharp = Math.ceil(globalThis.devicePixelRatio || 1);
  const canvas = h("canvas", {
    class: "flow-heat",
    width: columns * CELL * sharp,
    height: rows * CELL * sharp,
    style: `width:${columns * CELL}px;height:${rows * CELL}px`,
    role: "img",
    "aria-label": picture.v ? picture.v.map(numberText).join(", ") : picture.about,
  });
  canvas.flow = { picture, type };
  const context = canvas.getContext("2d");
  context.scale(sharp, sharp);
  const values = picture.p.map((row) => row.map(num));
  const most = Math.max(0, ...values.flat().filter(Number.isFinite).map(Math.abs));
  context.strokeStyle = dark ? "#16181d" : "#ffffff";
  values.forEach((row, i) =>
    row.forEach((value, j) => {
      context.fillStyle = heat(value, most, dark);
      context.fillRect(j * CELL, i * CELL, CELL - 0.6, CELL - 0.6);
      if (!Number.isNaN(value)) return;
      context.beginPath();
      context.moveTo(j * CELL + 1.5, i * CELL + 1.5);
      context.lineTo((j + 1) * CELL - 2, (i + 1) * CELL - 2);
      context.moveTo((j + 1) * CELL - 2, i * CELL + 1.5);
      context.lineTo(j * CELL + 1.5, (i + 1) * CELL - 2);
      context.stroke();
    }),
  );
  if (mark && mark.i < rows && mark.j < columns) {
    context.strokeStyle = dark ? "#c0a2f5" : "#6a3fb5";
    context.lineWidth = 2;
    context.strokeRect(mark.j * CELL, mark.i * CELL, CELL - 0.6, CELL - 0.6);
  }
  return canvas;
}
