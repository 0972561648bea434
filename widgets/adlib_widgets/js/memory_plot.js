// The curves of a memory record: live bytes at each moment, a cursor, one buffer's life, and the
// trade of memory for arithmetic.

import { bytesText, h, s } from "./common.js";

const LEFT = 66;
const RIGHT = 14;
const TOP = 34;
const PLOT = 210;
const LANE = 30;
const LABELS = 88;
const LEAST_ROOM = 13; // pixels between labels
export const SWEEPS = { forward: "forward", again: "second run", reverse: "reverse" };

/** Round sizes from 0 to `most`, at most five. */
export function grid(most) {
  let unit = 1;
  while (most / unit > 5) unit *= 2;
  const found = [];
  for (let size = 0; size <= most; size += unit) found.push(size);
  return found;
}

/** Where each moment of `plain` stands among those of `shown`, which may run some steps again. */
export function aligned(plain, shown) {
  const places = new Map(shown.map(([step, sweep], i) => [`${sweep} ${step}`, i]));
  return plain.map(([step, sweep]) => places.get(`${sweep} ${step}`) ?? null);
}

/** The runs of moments of the same sweep: [sweep, first, last]. */
export function stretches(moments) {
  const found = [];
  moments.forEach(([, sweep], i) => {
    if (found.length && found.at(-1)[0] === sweep) found.at(-1)[2] = i;
    else found.push([sweep, i, i]);
  });
  return found;
}

function steps(sizes, x, y) {
  let path = `M${x(0)} ${y(sizes[0] ?? 0)}`;
  sizes.forEach((size, i) => (path += `V${y(size)}H${x(i + 1)}`));
  return path;
}

/** The plot; `pick(moment, final)` is called while the pointer hovers and when it presses. */
export class MemoryPlot {
  constructor(pick) {
    this.svg = s("svg", {
      class: "memory-plot",
      role: "slider",
      tabindex: 0,
      "aria-label": "moment",
    });
    this.pick = pick;
    let pressed = false;
    const at = (event, final) => {
      const moment = this.momentAt(event);
      if (moment !== null) pick(moment, final);
    };
    this.svg.addEventListener("pointerdown", (event) => {
      pressed = true;
      this.svg.setPointerCapture(event.pointerId);
      at(event, true);
    });
    this.svg.addEventListener("pointermove", (event) => at(event, pressed));
    this.svg.addEventListener("pointerup", () => (pressed = false));
    this.svg.addEventListener("pointercancel", () => (pressed = false));
    this.svg.addEventListener("pointerleave", () => pick(null, false));
  }

  momentAt(event) {
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / (box.width || 1)) * this.width;
    const found = Math.floor((x - LEFT) / this.step);
    return found >= 0 && found < this.count ? found : null;
  }

  /**
   * Draw the curve `shown`, over the one without a checkpoint where that is another.
   * @param {any} data what the view has
   * @param {any} shown the curve
   * @param {number} width pixels
   */
  draw(data, shown, width) {
    const moments = shown.moments;
    this.count = moments.length;
    this.width = width;
    this.step = (width - LEFT - RIGHT) / Math.max(1, this.count);
    this.labelled = this.step >= LEAST_ROOM;
    this.height = TOP + PLOT + LANE + (this.labelled ? LABELS : 8);
    const most = Math.max(data.plain.peak, shown.peak, 1) * 1.06;
    this.x = (i) => Math.round((LEFT + this.step * i) * 10) / 10;
    this.y = (size) => Math.round((TOP + PLOT - (PLOT * size) / most) * 10) / 10;
    const { svg, x, y } = this;
    svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    svg.setAttribute("width", width);
    svg.setAttribute("height", this.height);
    svg.setAttribute("aria-valuemin", 0);
    svg.setAttribute("aria-valuemax", Math.max(0, this.count - 1));
    const over = shown === data.plain ? null : this.without(data, moments);
    svg.replaceChildren(
      ...this.grounds(moments),
      ...grid(most).flatMap((size) => [
        s("line", { x1: LEFT, x2: width - RIGHT, y1: y(size), y2: y(size), class: "memory-grid" }),
        s(
          "text",
          { x: LEFT - 6, y: y(size) + 4, class: "memory-tick", "text-anchor": "end" },
          bytesText(size),
        ),
      ]),
      ...this.areas(shown),
      ...(over ? [over] : []),
      this.peak(data, shown),
      ...(this.labelled ? this.labels(data, moments) : []),
      (this.life = s("g", { class: "memory-life" })),
      (this.hover = s("line", {
        class: "memory-hover",
        y1: TOP - 12,
        y2: TOP + PLOT,
        visibility: "hidden",
      })),
      (this.cursor = s("g", { class: "memory-cursor" })),
    );
  }

  grounds(moments) {
    return stretches(moments).flatMap(([sweep, first, last]) => {
      const [left, right] = [this.x(first), this.x(last + 1)];
      const names = {
        forward: "forward sweep →",
        again: "second run →",
        reverse: "reverse sweep →",
      };
      const room = right - left;
      const short = { forward: "fwd", again: "2nd run", reverse: "rev" };
      const name =
        room > 110 ? names[sweep] : room > 76 ? SWEEPS[sweep] : room > 46 ? short[sweep] : "";
      return [
        s("rect", {
          x: left,
          y: TOP - 20,
          width: room,
          height: PLOT + 20,
          class: `memory-ground memory-${sweep}`,
        }),
        s(
          "text",
          { x: (left + right) / 2, y: TOP - 7, class: `memory-sweep memory-${sweep}` },
          name,
        ),
      ];
    });
  }

  areas({ moments, arguments: given }) {
    const { x, y } = this;
    const layers = [
      ["work", moments.map((m) => m[2])],
      ["residual", moments.map((m) => given + m[3])],
      ["argument", moments.map(() => given)],
    ];
    const forward = moments.filter((m) => m[1] === "forward").map((m) => m[4]);
    const areas = layers.map(([name, sizes]) =>
      s("path", {
        class: `memory-area memory-${name}`,
        d: `${steps(sizes, x, y)}V${y(0)}H${x(0)}z`,
      }),
    );
    return [
      ...areas,
      s("path", { class: "memory-line", d: steps(layers[0][1], x, y) }),
      s("path", { class: "memory-primal", d: steps(forward, x, y) }),
    ];
  }

  /** The curve without a checkpoint, at the moments that both have. */
  without(data, moments) {
    const { x, y } = this;
    const places = aligned(data.plain.moments, moments);
    let [path, last] = ["", null];
    data.plain.moments.forEach(([, , size], i) => {
      if (places[i] === null) return;
      path += `${places[i] - 1 === last ? "L" : "M"}${x(places[i])} ${y(size)}H${x(places[i] + 1)}`;
      last = places[i];
    });
    return s("path", { class: "memory-without", d: path });
  }

  peak(data, shown) {
    const place = shown.moments.findIndex((m) => m[2] === shown.peak);
    if (place < 0) return s("g");
    const left = place > this.count * 0.55;
    const [x, y] = [this.x(place + 0.5), this.y(shown.peak)];
    return s(
      "g",
      { class: "memory-peak" },
      s("circle", { cx: x, cy: y, r: 3.5 }),
      s(
        "text",
        { x: x + (left ? -8 : 8), y: y - 5, "text-anchor": left ? "end" : "start" },
        `peak ${bytesText(shown.peak)}`,
      ),
    );
  }

  labels(data, moments) {
    const y = TOP + PLOT + LANE;
    return moments.map(([step, sweep], i) => {
      const name = data.steps[step]?.[0] ?? "";
      const short = name.length > 14 ? `${name.slice(0, 13)}…` : name;
      const at = this.x(i + 0.5) + 3;
      const turn = `rotate(-55 ${at} ${y + 8})`;
      return s(
        "text",
        { x: at, y: y + 8, transform: turn, class: `memory-label memory-${sweep}` },
        short,
      );
    });
  }

  /** Put the cursor at a moment; its text is what a screen reader says. */
  place(moment, text) {
    this.svg.setAttribute("aria-valuenow", moment);
    this.svg.setAttribute("aria-valuetext", text);
    const x = this.x(moment + 0.5);
    this.cursor.replaceChildren(
      s("rect", {
        x: this.x(moment),
        y: TOP - 2,
        width: Math.max(1, this.step),
        height: PLOT + 2,
        class: "memory-band",
      }),
      s("line", { x1: x, x2: x, y1: TOP - 12, y2: TOP + PLOT }),
      s("path", { d: `M${x - 6} ${TOP - 20}h12v6l-6 6l-6 -6z` }),
    );
  }

  /** Show where the pointer is, or nothing. */
  hoverAt(moment) {
    this.hover.setAttribute("visibility", moment === null ? "hidden" : "visible");
    if (moment === null) return;
    const x = this.x(moment + 0.5);
    this.hover.setAttribute("x1", x);
    this.hover.setAttribute("x2", x);
  }

  /** The lives of buffers, as bars below the curve: from the moment made to the last that reads. */
  lives(buffers, moments) {
    const base = TOP + PLOT;
    if (!buffers.length) {
      const hint = "point at a value to see its life";
      return this.life.replaceChildren(
        s("text", { x: LEFT, y: base + 17, class: "memory-hint" }, hint),
      );
    }
    const rows = buffers.slice(0, 40).map((buffer) => {
      const [left, right] = [this.x(buffer[7]), this.x(buffer[8] + 1)];
      const y = base + 9;
      const marks = moments
        .map(([step, sweep], i) =>
          sweep !== "forward" && buffer[9].includes(step) && i <= buffer[8] ? i : -1,
        )
        .filter((i) => i > buffer[7]);
      return s(
        "g",
        {},
        s("rect", { x: left, y: TOP, width: right - left, height: PLOT, class: "memory-span" }),
        s("rect", {
          x: left,
          y,
          width: Math.max(2, right - left),
          height: 8,
          rx: 3,
          class: "memory-bar",
        }),
        s("circle", { cx: this.x(buffer[7] + 0.5), cy: y + 4, r: 4.5, class: "memory-born" }),
        marks.map((i) =>
          s("path", { d: `M${this.x(i + 0.5)} ${y + 1}l5 9h-10z`, class: "memory-read" }),
        ),
      );
    });
    this.life.replaceChildren(...rows);
  }
}

/**
 * Peak against repeated arithmetic: a point for each place where a checkpoint can end.
 * @param {any} data what the view has
 * @param {any|null} present the curve that is tried
 * @param {(equations: number) => void} choose
 */
export function tradePlot(data, present, choose, width = 320) {
  const [height, left, bottom, top, right] = [190, 62, 34, 14, 16];
  const points = data.places.filter((place) => place.peak !== undefined);
  const whole = data.forward_flops || data.steps.length || 1;
  const cost = (item) => (data.forward_flops ? item.flops : item.recomputed) / whole;
  const mostCost = Math.max(0.01, ...points.map(cost), present ? cost(present) : 0) * 1.05;
  const mostPeak =
    Math.max(data.plain.peak, ...points.map((p) => p.peak), present?.peak ?? 0, 1) * 1.08;
  const x = (share) => left + ((width - left - right) * share) / mostCost;
  const y = (size) => height - bottom - ((height - bottom - top) * size) / mostPeak;
  const unit = mostCost > 0.6 ? 0.25 : mostCost > 0.25 ? 0.1 : mostCost > 0.05 ? 0.05 : 0.01;
  const ticks = Array.from({ length: Math.floor(mostCost / unit) + 1 }, (_, i) => i * unit);
  const path = [[0, data.plain.peak], ...points.map((p) => [cost(p), p.peak])];
  return s(
    "svg",
    {
      class: "memory-trade",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": "peak memory against arithmetic done again, for each place of one checkpoint",
    },
    grid(mostPeak).map((size) => [
      s("line", { x1: left, x2: width - right, y1: y(size), y2: y(size), class: "memory-grid" }),
      s(
        "text",
        { x: left - 6, y: y(size) + 4, class: "memory-tick", "text-anchor": "end" },
        bytesText(size),
      ),
    ]),
    ticks.map((share) =>
      s(
        "text",
        { x: x(share), y: height - bottom + 14, class: "memory-tick", "text-anchor": "middle" },
        `${Math.round(share * 100)}%`,
      ),
    ),
    s(
      "text",
      { x: (left + width - right) / 2, y: height - 4, class: "memory-axis" },
      "arithmetic done again",
    ),
    s("path", { class: "memory-path", d: `M${path.map(([a, b]) => `${x(a)} ${y(b)}`).join("L")}` }),
    s(
      "rect",
      {
        x: x(0) - 4,
        y: y(data.plain.peak) - 4,
        width: 8,
        height: 8,
        class: "memory-plain",
        onclick: () => choose(0),
      },
      s("title", {}, "no checkpoint"),
    ),
    points.map((place) =>
      s(
        "circle",
        {
          cx: x(cost(place)),
          cy: y(place.peak),
          r: 3.5,
          class: "memory-point",
          onclick: () => choose(place.equations),
        },
        s("title", {}, `up to ${place.after}: peak ${bytesText(place.peak)}`),
      ),
    ),
    present &&
      s("path", {
        class: "memory-now",
        d: `M${x(cost(present))} ${y(present.peak) - 7}l7 7l-7 7l-7 -7z`,
      }),
  );
}

/** The meanings of the colours, and of the dashed line. */
export function legend(withPlan) {
  const entry = (name, text) =>
    h("span", { class: "memory-key" }, h("i", { class: `memory-swatch memory-${name}` }), text);
  return h(
    "div",
    { class: "memory-legend" },
    entry("argument", "arguments"),
    entry("residual", "residuals, kept for the reverse sweep"),
    entry("work", "values at work"),
    entry("primal", "function alone"),
    withPlan && entry("without", "without the checkpoint"),
  );
}

/** A count of operations for people. */
export function countText(count) {
  const units = ["", " thousand", " million", " billion", " trillion"];
  let [value, unit] = [count, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit ? Number(value.toPrecision(3)) : value}${units[unit]}`;
}

/** What checkpoints save and cost, and how to write them. */
export function trialWords(data, plan, equations, segments) {
  const change = Math.round(100 * (1 - plan.peak / Math.max(1, data.plain.peak)));
  const saved = change > 0 ? `${change}% less` : change < 0 ? `${-change}% more` : "the same";
  const work = data.forward_flops
    ? `, ${countText(plan.flops)} operations (${Math.round((100 * plan.flops) / data.forward_flops)}% of the function's)`
    : "";
  const lines = [
    ...new Set(
      data.steps
        .slice(0, equations)
        .map((step) => step[2])
        .filter(Boolean),
    ),
  ];
  const parts =
    segments === 1 ? "a checkpoint around" : `${segments} checkpoints, one after the other, around`;
  const where =
    lines.length > 1
      ? ` (lines ${lines[0]} to ${lines.at(-1)})`
      : lines.length
        ? ` (line ${lines[0]})`
        : "";
  const last = data.steps[equations - 1][0];
  return [
    h(
      "strong",
      {},
      `Peak ${bytesText(plan.peak)} instead of ${bytesText(data.plain.peak)}: ${saved}. `,
    ),
    `It is ${parts} the first ${equations} of ${data.steps.length} equations; ${plan.recomputed} run twice${work}. `,
    "To write it: put what runs up to ",
    h("code", {}, last),
    `${where} into ${segments === 1 ? "a function g" : `${segments} functions`}, and call `,
    h("code", {}, "adlib.checkpoint(g)(…)"),
    segments === 1 ? "." : " with each.",
  ];
}
