// What every interactive view is built from: elements, a frame with toolbar and status line,
// requests to the kernel, pan and zoom, keyboard, theme, saving pictures.
//
// Text reaches the page through textContent and setAttribute only, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Attributes that start with "on" are listeners; null and false leave out.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node|string|number|null)} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. @returns {SVGElement} */
export function s(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity))
    if (child !== null && child !== undefined && child !== false)
      element.append(child instanceof Node ? child : String(child));
  return element;
}

/** A number that travelled as JSON: NaN and infinities come as "nan", "inf" and "-inf". */
export function num(value) {
  if (typeof value === "number") return value;
  return { nan: NaN, inf: Infinity, "-inf": -Infinity }[value] ?? NaN;
}

/** A number for people: four significant digits, a true minus sign. */
export function numberText(value) {
  const x = num(value);
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  const text = size >= 1e6 || size < 1e-4 ? x.toExponential(3) : String(Number(x.toPrecision(4)));
  return text.replaceAll("-", "−");
}

/** A size in bytes for people. */
export function bytesText(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value < 100 ? Number(value.toPrecision(3)) : Math.round(value)} ${units[unit]}`;
}

// --- frame ----------------------------------------------------------------------------------

/**
 * The frame of a view: a toolbar, a stage, a status line that screen readers speak.
 * @param {HTMLElement} el where the view goes
 * @param {string} title its name
 * @param {string} kind the view's own class name
 */
export function frame(el, title, kind) {
  const toolbar = h("div", { class: "adlib-toolbar", role: "toolbar", "aria-label": title });
  const stage = h("div", { class: "adlib-stage" });
  const status = h("div", { class: "adlib-status", role: "status", "aria-live": "polite" });
  const label = { class: `adlib-view adlib-${kind}`, role: "group", "aria-label": title };
  const root = h("div", label, toolbar, stage, status);
  el.append(root);
  const stopTheme = followTheme(root);
  const giveKeysBack = keepKeys(root);
  return {
    root,
    toolbar,
    stage,
    status,
    /** Say something: shown in the status line, spoken by screen readers. */
    say(text) {
      status.textContent = text;
    },
    /** Undo what the frame set up outside of itself. */
    dispose() {
      stopTheme();
      giveKeysBack();
      root.remove();
    },
  };
}

/**
 * Keep Jupyter from taking plain keys pressed inside `root` for its own commands; Ctrl+S, Shift+Enter
 * and the like stay Jupyter's. Its selectors may match the pressed element itself, before they come
 * to `root`, so the element is marked, just ahead of Jupyter's own listener on the document.
 */
function keepKeys(root) {
  const mark = (event) => {
    if (!root.contains(event.target)) return;
    const jupyters = event.ctrlKey || event.metaKey || (event.shiftKey && event.key === "Enter");
    event.target.toggleAttribute("data-lm-suppress-shortcuts", !jupyters);
  };
  window.addEventListener("keydown", mark, { capture: true });
  return () => window.removeEventListener("keydown", mark, { capture: true });
}

const ICONS = {
  first: "M3 3v10M13 3L6 8l7 5z",
  back: "M11.5 3L4.5 8l7 5z",
  play: "M4 2.5L13 8l-9 5.5z",
  pause: "M4 3h3v10h-3zM9.5 3h3v10h-3z",
  next: "M4.5 3l7 5l-7 5z",
  last: "M13 3v10M3 3l7 5l-7 5z",
};

/** A small picture for a button, in the text's colour: fonts lack some of these signs. */
export function icon(name) {
  const shape = { d: ICONS[name], fill: "currentColor", stroke: "currentColor" };
  const box = { viewBox: "0 0 16 16", width: 13, height: 13, class: "adlib-icon", "aria-hidden": "true" };
  return s("svg", box, s("path", { ...shape, "stroke-width": 1.4, "stroke-linejoin": "round" }));
}

/** A button; `key` is the shortcut that its tip names. */
export function button(label, onclick, { tip = "", pressed = null, name = "" } = {}) {
  return h(
    "button",
    {
      type: "button",
      class: "adlib-button",
      title: tip || null,
      "aria-label": name || null,
      "aria-pressed": pressed === null ? null : String(pressed),
      onclick,
    },
    label,
  );
}

/** Switch a button on or off without taking the focus from it, as `disabled` would. */
export function enable(made, on) {
  made.setAttribute("aria-disabled", String(!on));
}

/** A button that stays pressed; `onchange` gets the new state. */
export function toggle(label, pressed, onchange, options = {}) {
  const made = button(label, () => set(made.getAttribute("aria-pressed") !== "true"), {
    ...options,
    pressed,
  });
  function set(on) {
    made.setAttribute("aria-pressed", String(on));
    onchange(on);
  }
  return made;
}

/** A labelled choice. `choices` are [value, text] pairs. */
export function choice(label, choices, value, onchange) {
  const options = choices.map(([key, text]) => h("option", { value: key }, text));
  const list = h("select", { onchange: () => onchange(list.value) }, options);
  list.value = value;
  return h("label", { class: "adlib-field" }, label, list);
}

/** A labelled slider over whole numbers; `oninput` gets the number. Gives {field, input}. */
export function slider(label, { min = 0, max, value = 0, oninput, text = String }) {
  // the slider says its value itself; an <output> would be spoken as a second status
  const shown = h("span", { class: "adlib-readout", "aria-hidden": "true" }, text(value));
  const input = h("input", { type: "range", min, max, step: 1, value, "aria-label": label });
  input.setAttribute("aria-valuetext", text(value));
  const set = (number) => {
    input.value = String(number);
    shown.textContent = text(number);
    input.setAttribute("aria-valuetext", text(number));
  };
  input.addEventListener("input", () => {
    set(Number(input.value));
    oninput(Number(input.value));
  });
  /** Other ends; the number stays within them. */
  const range = (from, to) => {
    input.min = String(from);
    input.max = String(to);
  };
  return { field: h("label", { class: "adlib-field" }, label, input, shown), input, set, range };
}

/**
 * A "?" button, and under the toolbar the lines that it shows.
 * @param {{root: HTMLElement, toolbar: HTMLElement}} view what `frame` gives
 * @param {string[]} lines
 */
export function help(view, lines) {
  const panel = h("div", { class: "adlib-help", hidden: true }, lines.map((line) => h("p", {}, line)));
  const made = toggle("?", false, (on) => (panel.hidden = !on), { tip: "Keys and help", name: "Help" });
  view.toolbar.append(made);
  view.toolbar.after(panel);
  return made;
}

/** Arrow keys move among `items` (Home and End to the ends); one of them is in the tab order. */
export function roving(container, items, { vertical = true, onmove = () => {} } = {}) {
  let current = 0;
  const [back, on] = vertical ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
  items.forEach((item, i) => {
    item.setAttribute("tabindex", i === current ? "0" : "-1");
    item.addEventListener("focus", () => move(i, false));
  });
  function move(i, focus = true) {
    items[current]?.setAttribute("tabindex", "-1");
    current = Math.max(0, Math.min(items.length - 1, i));
    items[current]?.setAttribute("tabindex", "0");
    if (focus) items[current]?.focus();
    onmove(current);
  }
  container.addEventListener("keydown", (event) => {
    const target = { [back]: current - 1, [on]: current + 1, Home: 0, End: items.length - 1 };
    if (!(event.key in target) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    move(target[event.key]);
  });
  return { move };
}

// --- kernel ---------------------------------------------------------------------------------

let requestCount = 0;

/** Whether a kernel may answer: a saved page has none. */
export function hasKernel(model) {
  return typeof model.send === "function";
}

/**
 * Ask the kernel; the promise holds its answer, or an Error with words for people.
 * @param {any} model
 * @param {string} request one of the names that the widget's `requests()` gives
 * @param {Record<string, any>} [values] its keywords
 */
export function ask(model, request, values = {}, { seconds = 20 } = {}) {
  if (!hasKernel(model))
    return Promise.reject(new Error("This page has no kernel; run the notebook to do this."));
  const id = `request-${(requestCount += 1)}`;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      finish();
      reject(new Error("The kernel has not answered. It may be busy, or gone: run the cell again."));
    }, seconds * 1000);
    function answered(content) {
      if (content?.reply !== id) return;
      finish();
      if (content.error !== undefined) reject(new Error(content.error));
      else resolve(content.value);
    }
    function finish() {
      clearTimeout(timer);
      model.off("msg:custom", answered);
    }
    model.on("msg:custom", answered);
    model.send({ request, id, arguments: values });
  });
}

/** Set a trait and tell the kernel. */
export function put(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

/** Listen to several traits; gives the function that stops it. */
export function listen(model, names, listener) {
  for (const name of names) model.on(`change:${name}`, listener);
  return () => {
    for (const name of names) model.off(`change:${name}`, listener);
  };
}

// --- theme ----------------------------------------------------------------------------------

/** Keep data-theme of `root` at "light" or "dark", as the page around it is. */
export function followTheme(root) {
  const query = window.matchMedia("(prefers-color-scheme: dark)");
  const update = () => {
    const said = document.body?.getAttribute("data-jp-theme-light");
    const dark = said === null || said === undefined ? query.matches : said === "false";
    root.dataset.theme = dark ? "dark" : "light";
  };
  update();
  const observer = new MutationObserver(update);
  if (document.body)
    observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
  query.addEventListener("change", update);
  return () => {
    observer.disconnect();
    query.removeEventListener("change", update);
  };
}

/** Blue below zero, the page's ground at zero, red above; black or white for NaN. */
export function heat(value, most, dark) {
  const x = num(value);
  if (Number.isNaN(x)) return dark ? "#ffffff" : "#111111";
  const share = most === 0 || !Number.isFinite(x) ? Math.sign(x) : Math.max(-1, Math.min(1, x / most));
  const ground = dark ? [38, 41, 48] : [255, 255, 255];
  const ends = dark ? [[235, 110, 95], [96, 165, 235]] : [[192, 57, 43], [36, 102, 168]];
  const end = share > 0 ? ends[0] : ends[1];
  return `rgb(${ground.map((from, i) => Math.round(from + (end[i] - from) * Math.abs(share))).join(",")})`;
}

/** From pale to strong, for amounts: `share` from 0 to 1. */
export function amount(share, dark) {
  const [from, to] = dark ? [[38, 41, 48], [214, 150, 60]] : [[255, 255, 255], [222, 140, 30]];
  const part = Math.max(0, Math.min(1, share));
  return `rgb(${from.map((a, i) => Math.round(a + (to[i] - a) * part)).join(",")})`;
}

// --- pan and zoom ---------------------------------------------------------------------------

/**
 * Let `svg` be dragged and zoomed: drag, Ctrl+wheel or pinch, and by keys + − 0 and the arrows.
 * The drawing is `width` by `height`; the view starts with all of it. `onmove` hears of every move.
 */
export function panZoom(svg, width, height, { most = 6, onmove = () => {} } = {}) {
  const start = { x: 0, y: 0, w: width, h: height };
  let box = { ...start };
  const apply = () => {
    svg.setAttribute("viewBox", `${box.x} ${box.y} ${box.w} ${box.h}`);
    onmove(box);
  };
  const perPixel = () => {
    const shown = svg.getBoundingClientRect();
    return Math.max(box.w / (shown.width || 1), box.h / (shown.height || 1));
  };
  function zoom(factor, at) {
    const w = Math.min(start.w * 4, Math.max(start.w / 200, Math.min(start.w, 400) / most, box.w / factor));
    const scale = w / box.w;
    const [x, y] = at ?? [box.x + box.w / 2, box.y + box.h / 2];
    box = { x: x - (x - box.x) * scale, y: y - (y - box.y) * scale, w, h: box.h * scale };
    apply();
  }
  function pan(dx, dy) {
    box = { ...box, x: box.x + dx, y: box.y + dy };
    apply();
  }
  function point(event) {
    const matrix = svg.getScreenCTM();
    if (!matrix) return [box.x + box.w / 2, box.y + box.h / 2];
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
    return [at.x, at.y];
  }
  svg.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page scrolls as ever
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 300), point(event));
    },
    { passive: false },
  );
  let grip = null;
  svg.addEventListener("pointerdown", (event) => {
    if (event.button === 0) grip = { x: event.clientX, y: event.clientY, moved: false, id: event.pointerId };
  });
  svg.addEventListener("pointermove", (event) => {
    if (!grip || event.pointerId !== grip.id) return;
    const [dx, dy] = [event.clientX - grip.x, event.clientY - grip.y];
    if (!grip.moved && Math.hypot(dx, dy) < 4) return;
    if (!grip.moved) svg.setPointerCapture(grip.id);
    const unit = perPixel();
    pan(-dx * unit, -dy * unit);
    grip = { x: event.clientX, y: event.clientY, moved: true, id: grip.id };
  });
  const release = (event) => {
    if (grip?.moved) svg.addEventListener("click", swallow, { capture: true, once: true });
    if (grip?.moved) setTimeout(() => svg.removeEventListener("click", swallow, { capture: true }));
    if (event.type !== "pointerleave" || !grip?.moved) grip = null;
  };
  const swallow = (event) => event.stopPropagation(); // the end of a drag is no click
  svg.addEventListener("pointerup", release);
  svg.addEventListener("pointercancel", release);
  /** Handles a key of the view; tells whether it was one. */
  function key(event) {
    const step = box.w / 12;
    const moves = {
      "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "0": fit,
      ArrowLeft: () => pan(-step, 0), ArrowRight: () => pan(step, 0),
      ArrowUp: () => pan(0, -step), ArrowDown: () => pan(0, step),
    };
    if (event.altKey || event.ctrlKey || event.metaKey || !(event.key in moves)) return false;
    moves[event.key]();
    event.preventDefault();
    return true;
  }
  function fit() {
    box = { ...start };
    apply();
  }
  /** Bring a rectangle of the drawing into sight, at the present scale where it fits. */
  function reveal(x, y, w, h) {
    if (w > box.w || h > box.h) {
      const scale = Math.max(w / box.w, h / box.h) * 1.1;
      box = { ...box, w: box.w * scale, h: box.h * scale };
    }
    box.x = x < box.x || x + w > box.x + box.w ? x + w / 2 - box.w / 2 : box.x;
    box.y = y < box.y || y + h > box.y + box.h ? y + h / 2 - box.h / 2 : box.y;
    apply();
  }
  function resize(newWidth, newHeight, { keep = false } = {}) {
    Object.assign(start, { w: newWidth, h: newHeight });
    if (!keep) fit();
  }
  /** Show this part of the drawing. */
  function show(part) {
    box = { ...box, ...part };
    apply();
  }
  apply();
  return { zoom, pan, fit, key, reveal, resize, show, box: () => ({ ...box }) };
}

// --- saving ---------------------------------------------------------------------------------

const INLINED = [
  "fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size",
  "font-weight", "font-style", "text-anchor", "display", "visibility",
];

/** The drawing as the text of an SVG file, with the styles that it has on the page. */
export function svgText(svg, width, height) {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg.querySelectorAll("*"), copy.querySelectorAll("*")];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of INLINED) {
      const value = style.getPropertyValue(name);
      if (value) to[i].setAttribute(name, value);
    }
    for (const name of ["class", "tabindex", "style"]) to[i].removeAttribute(name);
  });
  for (const name of ["class", "tabindex", "style"]) copy.removeAttribute(name);
  copy.setAttribute("xmlns", SVG);
  copy.setAttribute("viewBox", `0 0 ${width} ${height}`);
  copy.setAttribute("width", width);
  copy.setAttribute("height", height);
  const ground = getComputedStyle(svg.closest(".adlib-view") ?? svg).backgroundColor;
  copy.prepend(s("rect", { x: 0, y: 0, width, height, fill: ground || "#ffffff" }));
  return new XMLSerializer().serializeToString(copy);
}

/** Give the reader a file. */
export function download(name, blob) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** Save the drawing as an SVG file. */
export function saveSvg(svg, width, height, name) {
  download(`${name}.svg`, new Blob([svgText(svg, width, height)], { type: "image/svg+xml" }));
}

/** Save the drawing as a PNG file, at twice its size as far as browsers can. */
export async function savePng(svg, width, height, name) {
  const scale = Math.min(2, 8000 / Math.max(width, height));
  const picture = new Image();
  const text = svgText(svg, width, height);
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await picture.decode();
  const canvas = h("canvas", { width: Math.ceil(width * scale), height: Math.ceil(height * scale) });
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.drawImage(picture, 0, 0, width, height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("The browser cannot draw a picture of this size; save it as SVG.");
  download(`${name}.png`, blob);
}
