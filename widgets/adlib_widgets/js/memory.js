// Memory of reverse mode: what is alive when, what is kept for which line, what a checkpoint saves.

import {
  ask,
  button,
  bytesText,
  frame,
  h,
  hasKernel,
  help,
  listen,
  put,
  roving,
  slider,
} from "./common.js";
import { MemoryPlot, SWEEPS, legend, tradePlot, trialWords } from "./memory_plot.js";

const TRAITS = ["moment", "equations", "segments", "selected"];
const ROLES = {
  argument: ["■", "argument"],
  constant: ["■", "constant"],
  result: ["▣", "result"],
  value: ["●", "value at work"],
  residual: ["◆", "residual"],
  remade: ["◇", "made again"],
  cotangent: ["▲", "cotangent"],
};
const MOST_ROWS = 60;
const HELP = [
  "← → move the cursor by one moment, Home and End to the ends, p to the peak · [ ] move the checkpoint · point at a value to see its life, click to keep it shown, Escape to let it go.",
  "Each equation takes one moment forward and one in reverse. A residual is a value that the forward sweep keeps because a reverse step will read it.",
  "A checkpoint keeps only what goes into it, and runs its equations a second time just before their reverse steps.",
];

export default {
  /** @returns {() => void} what undoes it */
  render({ model, el }) {
    const memory = new MemoryExplorer(model, el);
    return () => memory.dispose();
  },
};

class MemoryExplorer {
  constructor(model, el) {
    this.model = model;
    this.plans = new Map(); // curves with checkpoints, by "equations/segments"
    this.hovered = null; // a moment
    this.pointed = null; // names of buffers
    this.byLine = false;
    this.view = frame(el, model.get("title"), "memory");
    this.plot = new MemoryPlot((moment, final) => this.pick(moment, final));
    this.controls();
    this.build();
    this.onkey = (event) => this.key(event);
    this.view.root.addEventListener("keydown", this.onkey);
    this.stops = [
      // traits come in any order: those of a new run are drawn with its data
      listen(model, TRAITS, () => (this.run === this.data ? this.follow() : this.reset())),
      listen(model, ["data", "title"], () => this.reset()),
    ];
    const sizes = new ResizeObserver(() => this.resize());
    sizes.observe(this.view.stage);
    this.stops.push(() => sizes.disconnect());
    this.reset();
  }

  controls() {
    const { toolbar } = this.view;
    const named = (label, name, tip, act) => button(label, act, { name, tip });
    this.scrub = slider("moment", {
      max: 1,
      oninput: (moment) => this.go(moment),
      text: (moment) => `${moment + 1}`,
    });
    this.place = slider("checkpoint", {
      max: 1,
      oninput: (place) => this.choose(place),
      text: (place) => this.placeText(place),
    });
    this.parts = slider("in parts", {
      min: 1,
      max: 1,
      value: 1,
      oninput: (count) => put(this.model, "segments", count),
    });
    this.place.field.classList.add("memory-place");
    toolbar.append(
      named("◀", "Previous moment", "Previous moment (←)", () => this.go(this.moment - 1)),
      this.scrub.field,
      named("▶", "Next moment", "Next moment (→)", () => this.go(this.moment + 1)),
      named("peak", "Go to the peak", "Go to the peak (p)", () => this.goToPeak()),
      h("span", { class: "memory-tried" }, this.place.field, this.parts.field),
    );
    help(this.view, HELP);
  }

  build() {
    this.trade = h("p", { class: "memory-trial" });
    this.legend = h("div");
    this.figure = h("div", { class: "memory-figure" }, this.plot.svg);
    this.aliveHead = h("h4");
    this.aliveList = h("div", {
      class: "memory-list",
      role: "listbox",
      "aria-label": "alive at the cursor",
    });
    this.grouping = button("by line", () => this.group(), {
      pressed: false,
      tip: "Add up what comes from the same line of code",
    });
    this.keptHead = h("h4");
    this.keptList = h("div", { class: "memory-list" });
    this.tradeBox = h("div");
    this.view.stage.append(
      this.legend,
      this.figure,
      this.trade,
      h(
        "div",
        { class: "memory-panels" },
        h(
          "section",
          {},
          h("div", { class: "memory-head" }, this.aliveHead, this.grouping),
          this.aliveList,
        ),
        h("section", {}, this.keptHead, this.keptList),
        h(
          "section",
          { class: "memory-tradebox" },
          h("h4", {}, "memory against arithmetic"),
          this.tradeBox,
        ),
      ),
    );
  }

  // --- what is shown ---

  get data() {
    return this.model.get("data");
  }

  get chosen() {
    return `${this.model.get("equations")}/${this.model.get("segments")}`;
  }

  /** The curve with the checkpoint that is tried; null without one, or until it is there. */
  get plan() {
    if (!this.model.get("equations")) return null;
    return this.data.plans[this.chosen] ?? this.plans.get(this.chosen) ?? null;
  }

  get shown() {
    return this.plan ?? this.data.plain;
  }

  get moment() {
    return Math.max(0, Math.min(this.shown.moments.length - 1, this.model.get("moment")));
  }

  reset() {
    this.run = this.data;
    this.plans.clear();
    this.drawn = null;
    const { places, can_try: canTry } = this.data;
    this.place.range(0, places.length);
    this.place.input.disabled = !places.length || (!canTry && !Object.keys(this.data.plans).length);
    this.follow();
  }

  /** Draw what the traits say; ask the kernel for a curve that is not there yet. */
  follow() {
    const equations = this.model.get("equations");
    const place = this.data.places.findIndex((one) => one.equations === equations) + 1;
    const parts = this.data.places[place - 1]?.parts ?? 1;
    this.place.set(place);
    this.parts.range(1, parts);
    this.parts.set(Math.min(this.model.get("segments"), parts));
    this.parts.input.disabled = !equations || parts < 2;
    if (equations && !this.plan) this.request();
    else this.problem = "";
    this.draw();
  }

  async request() {
    const [key, data] = [this.chosen, this.data];
    const [equations, segments] = [this.model.get("equations"), this.model.get("segments")];
    this.problem = hasKernel(this.model)
      ? "Running it with the checkpoint …"
      : "This checkpoint was not run before the page was saved; run the notebook to try it.";
    if (!hasKernel(this.model) || this.asking) return;
    this.asking = true; // one at a time: a slider passes many places
    try {
      const curve = await ask(this.model, "checkpoint", { equations, segments });
      if (data === this.data) this.plans.set(key, curve);
      if (key === this.chosen) this.problem = "";
    } catch (error) {
      if (key === this.chosen) this.problem = error.message;
    }
    this.asking = false;
    if (this.gone) return;
    const moved = data !== this.data || key !== this.chosen;
    if (moved) this.follow();
    else this.draw();
  }

  draw() {
    const shown = this.shown;
    const width = Math.max(420, Math.floor(this.view.stage.clientWidth - 24) || 900);
    if (this.drawn?.shown !== shown || this.drawn.width !== width) {
      if (this.drawn && this.drawn.shown !== shown) this.moveWith(this.drawn.shown, shown);
      this.plot.draw(this.data, shown, width);
      this.legend.replaceChildren(legend(shown !== this.data.plain));
      this.scrub.range(0, Math.max(0, shown.moments.length - 1));
      this.drawn = { shown, width };
      this.drawTrade();
    }
    this.drawTrial();
    this.drawCursor();
  }

  /** Keep the cursor at the same equation where another curve has more or fewer moments. */
  moveWith(before, after) {
    const at = before.moments[Math.min(this.model.get("moment"), before.moments.length - 1)];
    if (!at) return;
    const [step, sweep] = at;
    const same = after.moments.findIndex(
      (m) => m[0] === step && m[1] === (sweep === "again" ? "reverse" : sweep),
    );
    const exact = after.moments.findIndex((m) => m[0] === step && m[1] === sweep);
    const found = exact >= 0 ? exact : same;
    if (found >= 0 && found !== this.model.get("moment")) put(this.model, "moment", found);
  }

  drawCursor() {
    const { moments } = this.shown;
    this.view.stage.classList.toggle("memory-nothing", !moments.length);
    if (!moments.length) {
      this.view.say("There are no equations, so nothing is kept.");
      return;
    }
    const moment = this.moment;
    this.scrub.set(moment);
    this.plot.place(moment, this.momentText(moment));
    this.drawAlive(this.hovered ?? moment);
    this.drawKept(this.hovered ?? moment);
    this.drawLives();
    this.view.say(this.problem || this.sentence(moment));
  }

  momentText(moment) {
    const [step, sweep, size] = this.shown.moments[moment];
    return `${SWEEPS[sweep]} ${this.data.steps[step][0]}, ${bytesText(size)}`;
  }

  sentence(moment) {
    const [step, sweep, size, held] = this.shown.moments[moment];
    const [id, , source] = this.data.steps[step];
    const names = {
      forward: "runs forward",
      again: "runs a second time",
      reverse: "runs in reverse",
    };
    const line = source ? ` (${source})` : "";
    const share = this.shown.peak ? Math.round((100 * size) / this.shown.peak) : 0;
    return `Moment ${moment + 1} of ${this.shown.moments.length}: ${id}${line} ${names[sweep]}. ${bytesText(size)} are alive, ${share}% of the peak; ${bytesText(held)} of them only because the reverse sweep needs them.`;
  }

  // --- panels ---

  drawAlive(moment) {
    const alive = this.shown.buffers.filter((b) => b[7] <= moment && moment <= b[8]);
    const total = this.shown.moments[moment][2];
    const [step, sweep] = this.shown.moments[moment];
    this.aliveHead.textContent = `alive at ${SWEEPS[sweep]} ${this.data.steps[step][0]}: ${bytesText(total)}`;
    const rows = this.byLine ? this.lineRows(alive) : alive.map((b) => [[b], b[2]]);
    rows.sort((one, other) => other[1] - one[1]);
    const most = Math.max(1, rows[0]?.[1] ?? 1);
    const made = rows.slice(0, MOST_ROWS).map(([group, size]) => this.aliveRow(group, size, most));
    const rest = rows.slice(MOST_ROWS).reduce((sum, row) => sum + row[1], 0);
    const left = total - rows.reduce((sum, row) => sum + row[1], 0) + rest;
    this.fill(this.aliveList, made, left > 0 ? `… and ${bytesText(left)} in smaller ones` : "");
  }

  lineRows(alive) {
    const groups = new Map();
    for (const b of alive) {
      const key = b[4] < 0 ? "arguments" : b[5] || "elsewhere";
      groups.set(key, [...(groups.get(key) ?? []), b]);
    }
    return [...groups.values()].map((group) => [group, group.reduce((sum, b) => sum + b[2], 0)]);
  }

  aliveRow(group, size, most) {
    const [name, type, , role, step, source, code] = group[0];
    const [mark, word] = ROLES[role];
    const single = !this.byLine;
    const label = single ? name : step < 0 ? "arguments" : source || "elsewhere";
    const about = single
      ? `${type} · ${word}${source ? ` · ${source}` : ""}`
      : `${group.length === 1 ? name : `${group.length} values`}${code ? ` · ${code}` : ""}`;
    return this.row(
      group.map((b) => b[0]),
      {
        label,
        about,
        size,
        most,
        mark: single ? mark : "▤",
        role: single ? role : "line",
        tip: code,
      },
    );
  }

  /** A row of a list: a value or a line, with its share as a bar. */
  row(names, { label, about, size, most, mark, role, tip }) {
    const chosen = names.includes(this.model.get("selected")) && names.length === 1;
    const bar = h("span", { class: `memory-amount memory-${role}` });
    bar.style.width = `${Math.max(1, (100 * size) / most)}%`;
    return h(
      "button",
      {
        type: "button",
        class: "memory-row",
        role: "option",
        "aria-selected": String(chosen),
        title: tip || null,
        "data-name": names[0],
        onclick: () => names.length === 1 && this.select(chosen ? "" : names[0]),
        onpointerenter: () => this.point(names),
        onpointerleave: () => this.point(null),
        onfocus: () => this.point(names),
        onblur: () => this.point(null),
      },
      h(
        "span",
        { class: "memory-name" },
        h("span", { class: `memory-mark memory-${role}`, "aria-hidden": "true" }, mark),
        label,
      ),
      h("span", { class: "memory-size" }, bytesText(size)),
      h("span", { class: "memory-about" }, about),
      h("span", { class: "memory-track" }, bar),
    );
  }

  fill(list, rows, note) {
    const focused = list.contains(document.activeElement)
      ? document.activeElement.dataset.name
      : null;
    list.replaceChildren(...rows, note ? h("p", { class: "memory-note" }, note) : "");
    roving(list, rows);
    if (focused !== null)
      rows.find((row) => row.dataset.name === focused)?.focus({ preventScroll: true });
  }

  /** Residuals by the line that makes them, the most bytes first; what is alive now is filled. */
  drawKept(moment) {
    const kept = this.shown.buffers.filter((b) => b[3] === "residual" || b[3] === "remade");
    const needed = kept.filter((b) => b[9].length);
    const groups = new Map();
    for (const b of needed)
      groups.set(b[5] || "elsewhere", [...(groups.get(b[5] || "elsewhere") ?? []), b]);
    const rows = [...groups.entries()].map(([source, list]) => [
      source,
      list,
      list.reduce((sum, b) => sum + b[2], 0),
    ]);
    rows.sort((one, other) => other[2] - one[2]);
    this.keptHead.textContent = needed.length
      ? `residuals by source line: ${bytesText(rows.reduce((sum, row) => sum + row[2], 0))} in all`
      : "no residuals: nothing is kept for the reverse sweep alone";
    this.keptList.replaceChildren(
      ...rows.slice(0, 24).map(([source, list, size]) => this.keptRow(source, list, size, moment)),
    );
    if (rows.length > 24)
      this.keptList.append(
        h("p", { class: "memory-note" }, `… ${rows.length - 24} more lines, with less`),
      );
  }

  keptRow(source, list, size, moment) {
    const chips = list.slice(0, 24).map((b) => {
      const alive = b[7] <= moment && moment <= b[8];
      const chosen = b[0] === this.model.get("selected");
      return h(
        "button",
        {
          type: "button",
          class: "memory-chip",
          "data-alive": alive,
          "aria-pressed": String(chosen),
          title: `${b[1]}, ${bytesText(b[2])}, ${ROLES[b[3]][1]}${alive ? ", alive at the cursor" : ""}`,
          onclick: () => this.select(chosen ? "" : b[0]),
          onpointerenter: () => this.point([b[0]]),
          onpointerleave: () => this.point(null),
          onfocus: () => this.point([b[0]]),
          onblur: () => this.point(null),
        },
        `${alive ? "◆" : "◇"} ${b[0]}${b[3] === "remade" ? " again" : ""}`,
      );
    });
    const names = list.map((b) => b[0]);
    return h(
      "div",
      {
        class: "memory-kept",
        onpointerenter: () => this.point(names),
        onpointerleave: () => this.point(null),
      },
      h(
        "div",
        { class: "memory-source" },
        h("code", {}, list[0][6] || source),
        h("span", { class: "memory-size" }, bytesText(size)),
      ),
      h("div", { class: "memory-about" }, source),
      h(
        "div",
        { class: "memory-chips" },
        chips,
        list.length > 24 ? `… ${list.length - 24} more` : null,
      ),
    );
  }

  drawLives() {
    const names = this.pointed ?? (this.model.get("selected") ? [this.model.get("selected")] : []);
    const wanted = new Set(names);
    const found = this.shown.buffers.filter((b) => wanted.has(b[0]));
    this.plot.lives(found, this.shown.moments);
    for (const row of this.aliveList.querySelectorAll(".memory-row"))
      row.classList.toggle("memory-lit", wanted.has(row.dataset.name) && !this.byLine);
  }

  drawTrade() {
    const width = Math.max(260, Math.min(420, this.tradeBox.clientWidth || 320));
    const choose = (equations) => this.tryOut(equations);
    if (!this.plan && !this.data.places.some((place) => place.peak !== undefined)) {
      const own = this.data.plain.recomputed > 0;
      const why = own
        ? "The function has checkpoints of its own, so no others were tried yet. "
        : "";
      this.tradeBox.replaceChildren(
        h("p", { class: "memory-note" }, `${why}Move the checkpoint slider to try one.`),
      );
      return;
    }
    this.tradeBox.replaceChildren(
      tradePlot(this.data, this.plan, choose, width),
      h(
        "p",
        { class: "memory-note" },
        "□ no checkpoint  ● one checkpoint, up to each equation  ◆ what is tried",
      ),
    );
  }

  drawTrial() {
    const { plan, data } = this;
    const equations = this.model.get("equations");
    if (!equations) this.trade.textContent = data.headline;
    else if (!plan) this.trade.textContent = this.problem || "";
    else
      this.trade.replaceChildren(...trialWords(data, plan, equations, this.model.get("segments")));
  }

  // --- what the reader does ---

  placeText(place) {
    const found = this.data?.places[place - 1];
    if (!found) return "none";
    return `up to ${this.data.steps[found.equations - 1]?.[0] ?? found.equations}`;
  }

  go(moment) {
    const most = this.shown.moments.length - 1;
    this.hovered = null;
    put(this.model, "moment", Math.max(0, Math.min(most, moment)));
  }

  goToPeak() {
    this.go(this.shown.moments.findIndex((m) => m[2] === this.shown.peak));
  }

  pick(moment, final) {
    if (final && moment !== null) {
      this.plot.svg.focus({ preventScroll: true });
      return this.go(moment);
    }
    if (moment === this.hovered || !this.shown.moments.length) return undefined;
    this.hovered = moment;
    this.plot.hoverAt(moment);
    this.drawAlive(moment ?? this.moment);
    this.drawKept(moment ?? this.moment);
    return undefined;
  }

  choose(place) {
    this.tryOut(this.data.places[place - 1]?.equations ?? 0);
  }

  /** Try a checkpoint around the first equations, in as many parts as are set and fit. */
  tryOut(equations) {
    const parts = this.data.places.find((one) => one.equations === equations)?.parts ?? 1;
    const segments = equations ? Math.min(this.model.get("segments"), parts) : 1;
    if (segments !== this.model.get("segments")) this.model.set("segments", segments);
    put(this.model, "equations", equations);
  }

  select(name) {
    put(this.model, "selected", name);
  }

  point(names) {
    this.pointed = names;
    this.drawLives();
  }

  group() {
    this.byLine = !this.byLine;
    this.grouping.setAttribute("aria-pressed", String(this.byLine));
    this.drawAlive(this.moment);
  }

  key(event) {
    const typing = event.target.matches("input, select, textarea");
    if (event.altKey || event.ctrlKey || event.metaKey || typing) return;
    const place = Number(this.place.input.value);
    const keys = {
      ArrowLeft: () => this.go(this.moment - 1),
      ArrowRight: () => this.go(this.moment + 1),
      Home: () => this.go(0),
      End: () => this.go(Infinity),
      p: () => this.goToPeak(),
      "[": () => this.choose(Math.max(0, place - 1)),
      "]": () => this.choose(Math.min(this.data.places.length, place + 1)),
      Escape: () => this.select(""),
    };
    if (!(event.key in keys)) return;
    keys[event.key]();
    event.preventDefault();
    event.stopPropagation();
  }

  resize() {
    if (!this.gone) this.draw();
  }

  dispose() {
    this.gone = true;
    this.view.root.removeEventListener("keydown", this.onkey);
    for (const stop of this.stops) stop();
    this.view.dispose();
  }
}
