// The paths that make one entry of a Jacobian: their sum in words, and the graph that they run
// through, with the local derivative on every arc.

import { h, numberText, roving, s } from "./common.js";

/** A remark beside what matters. */
export function muted(text, tag = "span") {
  return h(tag, { class: "jac-muted" }, text);
}

/** In one sentence, for readers who hear it; `value` says what the matrix has. */
export function entrySentence(entry, value) {
  return `∂${entry.result}/∂${entry.argument} = ${value}${entry.texts.claim}`;
}

/**
 * The panel of one entry.
 * @param {any} entry its record with a layout, as the kernel sends it
 * @param {string} value the entry of the matrix, in words
 */
export function entryPanel(entry, value) {
  const name = "Paths of the chosen entry";
  const panel = h("section", { class: "jac-entry", "aria-label": name });
  panel.append(entryHead(entry, value));
  if (entry.problem || !entry.paths.length || !entry.paths[0].factors.length) {
    panel.append(h("p", { class: "jac-note" }, entrySentence(entry, value)));
    return panel;
  }
  const graph = entry.layout ? graphPicture(entry) : null;
  panel.append(h("div", { class: "jac-two" }, pathList(entry, graph), graph?.box));
  return panel;
}

function fraction(entry) {
  const label = `∂${entry.result}/∂${entry.argument}`;
  return h(
    "span",
    { class: "jac-fraction", role: "img", "aria-label": label },
    h("span", {}, `∂ ${entry.result}`),
    h("span", {}, `∂ ${entry.argument}`),
  );
}

function entryHead(entry, value) {
  return h(
    "h4",
    { class: "jac-head" },
    fraction(entry),
    h("span", { class: "jac-equals" }, `= ${value}`),
    muted(entry.texts.note),
  );
}

function pathList(entry, graph) {
  const light = (path) => graph?.light(path);
  const several = entry.paths.length > 1;
  const items = entry.paths.map((path) => {
    const names = path.names.flatMap((name, k) => (k ? [h("i", {}, " → "), name] : [name]));
    const label = `${path.names.join(" to ")}: ${path.text}`;
    const item = h(
      "button",
      {
        type: "button", class: "jac-path", "aria-label": label, title: label,
        onmouseenter: () => light(path), onfocus: () => light(path),
        onmouseleave: () => light(null), onblur: () => light(null),
      },
      h("span", { class: "jac-way" }, names),
      several && path.factors.length > 1 && h("span", { class: "jac-product" }, path.text),
    );
    return h("li", {}, item);
  });
  if (entry.rest !== null) {
    const text = `and all other paths together ${numberText(entry.rest)}`;
    items.push(h("li", { class: "jac-muted jac-rest" }, text));
  }
  const list = h("ol", { class: "jac-paths" }, items);
  roving(list, [...list.querySelectorAll("button")]);
  const every = "Each path is a product of local derivatives:";
  const largest = `The ${entry.paths.length} largest products:`;
  return h(
    "div",
    { class: "jac-side" },
    h(
      "p",
      { class: "jac-sum" },
      several ? "sum over paths: " : "one path: ",
      several || entry.paths[0].factors.length > 1 ? `${entry.texts.sum} = ` : null,
      h("b", {}, numberText(entry.value)),
    ),
    entry.texts.remark && muted(entry.texts.remark, "p"),
    several && muted(entry.rest === null ? every : largest, "p"),
    list,
  );
}

/** The graph, and how to light up one path of it. */
function graphPicture(entry) {
  const { layout } = entry;
  const ends = `from ${entry.argument} to ${entry.result}`;
  const arcs = layout.arcs.map((arc, k) => arcPicture(arc, entry.arcs[k]));
  const vertices = layout.vertices.map((place, k) => vertexPicture(place, entry.vertices[k]));
  const svg = s(
    "svg",
    {
      class: "jac-graph", viewBox: `0 0 ${layout.width} ${layout.height}`,
      role: "img",
      "aria-label": `Graph of ${entry.vertices.length} vertices ${ends}`,
    },
    arcs,
    vertices,
  );
  // shrinks with the page down to what can be read, then scrolls
  svg.style.width = `max(${Math.round(0.75 * layout.width)}px, min(100%, ${layout.width}px))`;
  function light(path) {
    svg.classList.toggle("jac-lit", path !== null && path.arcs.length > 0);
    const on = new Set(path?.arcs ?? []);
    arcs.forEach((arc, k) => arc.classList.toggle("jac-on", on.has(k)));
    const through = new Set([...on].flatMap((k) => [entry.arcs[k].source, entry.arcs[k].target]));
    vertices.forEach((vertex, k) => vertex.classList.toggle("jac-on", through.has(k)));
  }
  const scrolled = {
    class: "jac-scroll", tabindex: "0", role: "region", "aria-label": "Graph of the paths",
  };
  const box = h("div", scrolled, svg);
  box.style.flexBasis = `${Math.round(0.85 * layout.width)}px`;
  return { box, light };
}

function arcPicture(arc, record) {
  const zero = record.value === 0 ? " jac-zero" : "";
  const ground = { x: arc.x - arc.width / 2, y: arc.y - 7.5, width: arc.width, height: 15, rx: 3 };
  return s(
    "g",
    { class: `jac-arc${zero}` },
    arc.routes.map((points) => s("path", { d: curve(points) })),
    s("rect", ground),
    s("text", { x: arc.x, y: arc.y + 3.7 }, arc.label),
    s("title", {}, `share of the entry: ${numberText(record.share)}`),
  );
}

/** Straight down where x stays, else an S that leaves and arrives vertically. */
function curve(points) {
  let d = `M${points[0][0]} ${points[0][1]}`;
  for (let k = 1; k < points.length; k += 1) {
    const [[x, y], [u, v]] = [points[k - 1], points[k]];
    const middle = (y + v) / 2;
    d += x === u ? `L${u} ${v}` : `C${x} ${middle} ${u} ${middle} ${u} ${v}`;
  }
  return d;
}

function vertexPicture(place, record) {
  const { x, y, width, height, lines } = place;
  const notes = [
    record.source && `line ${record.source}`,
    `share of the entry: ${numberText(record.share)}`,
    ...record.largest.map(([name, share]) => `${name}: ${numberText(share)}`),
  ];
  return s(
    "g",
    { class: `jac-vertex jac-${record.kind}` },
    s("rect", { x, y, width, height, rx: record.kind === "inner" ? 4 : 14 }),
    s("text", { x: x + width / 2, y: y + 15 }, lines[0]),
    s("text", { x: x + width / 2, y: y + 28.5, class: "jac-number" }, lines[1]),
    s("title", {}, notes.filter(Boolean).join("\n")),
  );
}
