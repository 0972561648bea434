// The graph as SVG. Only what is in sight is in the page: a program of thousands of equations
// stays as light to drag as a small one.

import { h, panZoom, s } from "./common.js";

const FAR = 0.34; // pixels per unit: below, letters are too small to read and are left out
const MARGIN = 0.4; // of the view: how far beyond its edges things are drawn
const LEAST = 0.12; // the smallest scale of a whole drawing
const LEAST_START = 0.6; // the scale at which a wide drawing starts

/**
 * The graph in a box of its own.
 * @param {{look: Function, tip: Function, onselect: Function, onhover: Function, ontoggle: Function}}
 *   handlers `look(path, open)` gives {class, fill, hot}; `tip(path)` a text
 */
export function makeGraph(handlers) {
  const layer = s("g");
  const svg = s("svg", { class: "adlib-j-svg", tabindex: 0, role: "application" }, layer);
  const map = h("canvas", { class: "adlib-j-map", "aria-hidden": "true" });
  const element = h("div", { class: "adlib-j-graph" }, svg, map);

  let drawing = null;
  let levels = [];
  let tiles = new Map(); // path → record
  let far = false;
  let waiting = false;
  let everything = false; // while a picture is saved
  const view = panZoom(svg, 100, 100, { onmove: () => later() });

  // --- what is drawn ----------------------------------------------------------------------

  function prepare(json, x, y, owner) {
    const level = { json, x, y, w: json.w, h: json.h, owner, into: null, links: [], tiles: [] };
    levels.push(level);
    const byId = new Map();
    for (const tile of json.tiles) {
      const record = { json: tile, x: x + tile.x, y: y + tile.y, w: tile.w, h: tile.h, level,
        el: null, inner: [] };
      level.tiles.push(record);
      tiles.set(tile.p, record);
      byId.set(tile.id, record);
    }
    for (const [line, head, source, target, text, [x0, y0, x1, y1]] of json.links)
      level.links.push({ line, head, text, source: byId.get(source), target: byId.get(target),
        x: x + x0, y: y + y0, w: x1 - x0, h: y1 - y0, el: null });
    for (const record of level.tiles)
      for (const piece of record.json.c)
        if (piece[0] === "g")
          record.inner.push(prepare(piece[3], record.x + piece[1], record.y + piece[2], record));
    return level;
  }

  function tileElement(record) {
    const { json } = record;
    const group = s("g", { transform: `translate(${json.x} ${json.y})`, "data-path": json.p });
    const tip = handlers.tip(json.p);
    if (tip) group.append(s("title", {}, tip));
    let inner = 0;
    for (const piece of json.c) {
      if (piece[0] === "g") {
        const level = record.inner[inner++];
        level.into = s("g", { transform: `translate(${piece[1]} ${piece[2]})` }, s("g"), s("g"));
        group.append(level.into);
      } else if (piece[0] === "r") {
        const [, x, y, width, height, look] = piece;
        const radius = ["input", "output", "constant"].includes(look) ? Math.min(14, height / 2) : 6;
        const rect = s("rect", { x, y, width, height, rx: radius, class: `adlib-j-r-${look}` });
        record.rect ??= rect;
        group.append(rect);
      } else if (far) continue;
      else if (piece[0] === "t") group.append(textElement(piece));
      else group.append(stubElement(piece));
    }
    if (json.f && !far) group.append(foldButton(json.o));
    record.el = group;
    decorate(record);
    return group;
  }

  function textElement([, x, y, text, look, anchor]) {
    const names = look.split(" ").map((one) => `adlib-j-${one}`).join(" ");
    return s("text", { x, y, class: names, "xml:space": "preserve",
      "text-anchor": anchor === "start" ? null : anchor }, text);
  }

  function stubElement([, x, y, down]) {
    const step = down ? 5 : -5;
    return s("g", { class: "adlib-j-stub" },
      s("path", { d: `M${x} ${y}v${step}` }), s("circle", { cx: x, cy: y + step * 1.4, r: 2 }));
  }

  function foldButton(open) {
    const sign = open ? "M-3.5 0h7" : "M-3.5 0h7M0 -3.5v7";
    return s("g", { class: "adlib-j-fold", "data-fold": "" },
      s("title", {}, open ? "Fold (Enter)" : "Unfold (Enter)"),
      s("circle", { r: 7.5 }), s("path", { d: sign }));
  }

  function linkElement(link) {
    const group = s("g", { class: "adlib-j-link" },
      s("path", { d: link.line, class: "adlib-j-line" }), s("path", { d: link.head }));
    if (link.text) group.append(s("title", {}, link.text));
    link.el = group;
    decorateLink(link);
    return group;
  }

  function decorate(record) {
    const look = handlers.look(record.json.p, Boolean(record.json.o));
    const tint = look.fill ? `adlib-j-tinted ${look.hot ? "adlib-j-hot" : ""}` : "";
    record.el.setAttribute("class", `adlib-j-tile ${look.class} ${tint}`.trim());
    if (look.fill) record.rect?.setAttribute("style", `fill:${look.fill}`);
    else record.rect?.removeAttribute("style");
    const second = record.el.querySelector(":scope > .adlib-j-r-part-inner");
    if (look.fill) second?.setAttribute("style", `fill:${look.fill}`);
    else second?.removeAttribute("style");
  }

  function decorateLink(link) {
    const name = handlers.linkLook(link.source.json.p, link.target.json.p);
    link.el.setAttribute("class", `adlib-j-link ${name}`);
  }

  /** Bring the page in line with what is in sight. */
  function sync() {
    waiting = false;
    if (!drawing) return;
    const box = view.box();
    const [dx, dy] = [box.w * MARGIN, box.h * MARGIN];
    const [x0, y0, x1, y1] = [box.x - dx, box.y - dy, box.x + box.w + dx, box.y + box.h + dy];
    const inSight = (one) =>
      everything || (one.x < x1 && one.x + one.w > x0 && one.y < y1 && one.y + one.h > y0);
    const wasFar = far;
    far = !everything && scale() < FAR;
    if (far !== wasFar) clear();
    for (const level of levels) {
      const shown = (!level.owner || level.owner.el) && level.into && inSight(level);
      for (const [list, make, place] of [[level.links, linkElement, 0], [level.tiles, tileElement, 1]])
        for (const one of list) {
          const wanted = shown && inSight(one);
          if (wanted && !one.el) level.into.children[place].append(make(one));
          else if (!wanted && one.el) drop(one);
        }
    }
    drawMap(box);
  }

  function drop(one) {
    one.el.remove();
    one.el = null;
    one.rect = undefined;
    for (const level of one.inner ?? []) {
      level.into = null;
      for (const each of [...level.links, ...level.tiles]) if (each.el) drop(each);
    }
  }

  function clear() {
    const [top] = levels;
    for (const each of [...top.links, ...top.tiles]) if (each.el) drop(each);
  }

  function later() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(sync);
  }

  // --- where the view stands --------------------------------------------------------------

  function size() {
    return { width: svg.clientWidth || 600, height: svg.clientHeight || 400 };
  }
  function scale() {
    return size().width / view.box().w;
  }
  function showAt(x, y, factor) {
    const { width, height } = size();
    view.show({ x, y, w: width / factor, h: height / factor });
  }
  /** All of the drawing, letters at most at their own size; tells whether it is all. */
  function fit() {
    const { width, height } = size();
    const factor = Math.min(1, width / (drawing.root.w + 40), height / (drawing.root.h + 40));
    const { y, h: shown } = view.box(); // a long ribbon stays where the view is
    const middle = factor < LEAST ? y + shown / 2 : drawing.root.h / 2;
    centred(Math.max(LEAST, factor), middle - height / Math.max(LEAST, factor) / 2);
    return factor >= LEAST;
  }
  /** As much of the top as can be read. */
  function start() {
    const { width, height } = size();
    let factor = Math.min(1, Math.max(LEAST_START, width / (drawing.root.w + 40)));
    const whole = height / (drawing.root.h + 40);
    if (whole > 0.75) factor = Math.min(factor, whole); // nearly fits: rather all of it
    const fits = drawing.root.h + 40 <= height / factor;
    if (fits) return centred(factor, drawing.root.h / 2 - height / factor / 2);
    showAt(fullest(width / factor, height / factor), -20, factor);
  }
  /** The left edge of a view of the top that shows the most boxes, as central as can be. */
  function fullest(w, height) {
    const middle = drawing.root.w / 2 - w / 2;
    if (drawing.root.w + 40 <= w) return middle;
    const boxes = [...tiles.values()].filter((one) => !one.json.o && one.y < height - 20);
    const edges = boxes.flatMap((one) => [one.x - 20, one.x + one.w + 20 - w]);
    const shown = (x) => boxes.filter((one) => one.x >= x && one.x + one.w <= x + w).length;
    const best = [middle, ...edges].map((x) => [shown(x), -Math.abs(x - middle), x])
      .sort((a, b) => b[0] - a[0] || b[1] - a[1]);
    return best[0][2];
  }
  function centred(factor, y) {
    const { width } = size();
    showAt(drawing.root.w / 2 - width / factor / 2, y, factor);
  }

  /**
   * Draw another drawing. The tile `anchor` stays where it is, or else the one nearest to the
   * middle of the view; if none of those in sight is in the new drawing, the view starts anew.
   */
  function draw(next, anchor = "") {
    const known = drawing !== null;
    const before = known ? inMiddle() : [];
    if (tiles.has(anchor)) before.unshift(tiles.get(anchor));
    drawing = next;
    levels = [];
    tiles = new Map();
    const top = prepare(next.root, 0, 0, null);
    top.into = s("g", {}, s("g"), s("g"));
    layer.replaceChildren(top.into);
    const ratio = size().width / size().height;
    view.resize(Math.max(next.root.w, next.root.h * ratio) + 40, next.root.h + 40, { keep: true });
    const from = before.find((one) => tiles.has(one.json.p));
    const to = from && tiles.get(from.json.p);
    if (to) view.pan(to.x - from.x, to.y - from.y);
    else start();
    sync();
  }

  /** The tiles in sight, from the middle on. */
  function inMiddle() {
    const { x, y, w, h: height } = view.box();
    const far = (one) => Math.hypot(one.x + one.w / 2 - x - w / 2, one.y + one.h / 2 - y - height / 2);
    return [...tiles.values()]
      .filter((one) => one.x < x + w && one.x + one.w > x && one.y < y + height && one.y + one.h > y)
      .filter((one) => !one.json.o)
      .sort((a, b) => far(a) - far(b));
  }

  function refresh() {
    for (const level of levels) {
      for (const record of level.tiles) if (record.el) decorate(record);
      for (const link of level.links) if (link.el) decorateLink(link);
    }
  }

  function reveal(path) {
    const record = tiles.get(path);
    if (!record) return;
    const box = view.box();
    // of what is larger than the view, its head
    view.reveal(record.x - 16, record.y - 16, Math.min(record.w + 32, box.w),
      Math.min(record.h + 32, box.h));
  }

  // --- the map ----------------------------------------------------------------------------

  function drawMap(box) {
    const { w, h: height } = drawing.root;
    const across = Math.max(0, Math.min(w, box.x + box.w) - Math.max(0, box.x)) / w;
    const down = Math.max(0, Math.min(height, box.y + box.h) - Math.max(0, box.y)) / height;
    map.hidden = across * down > 0.75;
    if (map.hidden) return;
    const most = Math.min(120 / w, 90 / height);
    map.width = Math.max(16, Math.round(w * most)); // a ribbon is widened, to be seen and hit
    map.height = Math.max(12, Math.round(height * most));
    const [sx, sy] = [map.width / w, map.height / height];
    const context = map.getContext("2d");
    const style = getComputedStyle(map);
    context.fillStyle = style.getPropertyValue("--adlib-edge");
    context.globalAlpha = 0.45;
    for (const level of levels)
      for (const one of level.tiles)
        if (!one.json.o)
          context.fillRect(one.x * sx, one.y * sy, Math.max(1.2, one.w * sx), Math.max(1.2, one.h * sy));
    context.globalAlpha = 1;
    context.strokeStyle = style.getPropertyValue("--adlib-accent");
    context.lineWidth = 1.5;
    context.strokeRect(box.x * sx, box.y * sy, box.w * sx, Math.max(2, box.h * sy));
  }
  map.addEventListener("pointerdown", (event) => {
    const go = (at) => {
      const shown = map.getBoundingClientRect();
      const share = (value, from, length) => Math.max(0, Math.min(1, (value - from) / length));
      const box = view.box();
      view.show({ x: share(at.clientX, shown.left, shown.width) * drawing.root.w - box.w / 2,
        y: share(at.clientY, shown.top, shown.height) * drawing.root.h - box.h / 2 });
    };
    go(event);
    map.setPointerCapture(event.pointerId);
    map.onpointermove = go;
    map.onpointerup = () => (map.onpointermove = null);
    event.preventDefault();
  });

  // --- pointer ----------------------------------------------------------------------------

  const pathAt = (event) => event.target.closest?.("[data-path]")?.getAttribute("data-path") ?? "";
  svg.addEventListener("click", (event) => {
    const path = pathAt(event);
    if (path && event.target.closest("[data-fold]")) handlers.ontoggle(path);
    else handlers.onselect(path);
  });
  svg.addEventListener("dblclick", (event) => {
    const path = pathAt(event);
    if (path && tiles.get(path)?.json.f && !event.target.closest("[data-fold]"))
      handlers.ontoggle(path);
  });
  let hovered = "";
  const hover = (path) => {
    if (path === hovered) return;
    hovered = path;
    handlers.onhover(path);
  };
  svg.addEventListener("pointerover", (event) => {
    const path = pathAt(event);
    hover(tiles.get(path)?.json.o ? "" : path); // the ground of an open box is no part of it
  });
  svg.addEventListener("pointerleave", () => hover(""));

  // the scale stays when the box changes its size
  let width = 0;
  const observer = new ResizeObserver(() => {
    if (!drawing || !svg.clientWidth) return;
    if (!width) start();
    else view.show({ w: (view.box().w * svg.clientWidth) / width,
      h: ((view.box().w * svg.clientWidth) / width) * (svg.clientHeight / svg.clientWidth) });
    width = svg.clientWidth;
  });
  observer.observe(svg);

  /** Draw everything for as long as `use` takes; it gets the drawing's size. */
  async function whole(use) {
    const box = view.box();
    everything = true;
    const margin = 14;
    const [w, height] = [drawing.root.w + 2 * margin, drawing.root.h + 2 * margin];
    layer.setAttribute("transform", `translate(${margin} ${margin})`);
    try {
      sync();
      await use(svg, Math.ceil(w), Math.ceil(height));
    } finally {
      everything = false;
      layer.removeAttribute("transform");
      view.show(box);
      sync();
    }
  }

  return {
    element, svg, draw, refresh, reveal, fit, whole, view, start,
    tile: (path) => tiles.get(path),
    dispose: () => observer.disconnect(),
  };
}
