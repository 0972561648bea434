// A Jacobian filled pass by pass: columns by forward mode beside rows by reverse mode, one-hot
// or compressed, what that costs, and the paths that make a chosen entry.

import {
  ask, button, choice, enable, frame, h, hasKernel, help, icon, listen, numberText, put, slider,
  toggle,
} from "./common.js";
import { costPanel } from "./jacobian_costs.js";
import { groupLetter, indexed, matrixPanel, written } from "./jacobian_matrix.js";
import { entryPanel, entrySentence, muted } from "./jacobian_paths.js";
import {
  SIDES, counted, counterText, exactText, letterText, passCounts, passesDone, patternText,
  productOf, seedText, stepCount, stepSentence, vectorText, verdict,
} from "./jacobian_words.js";

// at most, for a whole assembly
const PLAY_SECONDS = 12;
// of a panel's canvas, at most
const HEIGHT = 400;
const COLOURS = [
  "ground", "raised", "ink", "muted", "line", "edge", "forward", "reverse", "value", "accent",
];
const HELP = [
  "Each step makes one JVP, which writes a column, and one VJP, which writes a row. Compressed, " +
    "seeds are sums of one-hot vectors: columns (rows) that never meet share a pass.",
  "Space: play or pause. ← →: previous and next step, Home and End: first and last. " +
    "c: one-hot or compressed. Esc: choose no entry. ?: this help.",
  "In a matrix the arrows, Home and End move the chosen entry; a click chooses one, and below " +
    "appear the paths that make it. A click on a letter shows its pass.",
];

class JacobianExplorer {
  constructor(model, el) {
    this.model = model;
    this.view = frame(el, model.get("title"), "jacobian");
    this.playing = null;
    this.forget();
    this.controls();
    this.build();
    this.view.root.addEventListener("keydown", (event) => this.key(event));
    this.stops = [
      listen(model, ["step", "mode", "block"], () => this.moved()),
      listen(model, ["selected"], () => this.chosen()),
      listen(model, ["data", "paths"], () => this.renewed()),
      this.watch(),
    ];
    this.offerBlocks();
    this.draw();
    this.narrate();
  }

  /** Everything that was made from the data or asked for. */
  forget() {
    this.blocks = new Map();
    this.answers = new Map();
    this.asked = new Set();
    this.shown = null;
  }

  dispose() {
    this.pause();
    for (const stop of this.stops) stop();
    this.view.dispose();
  }

  /** Draw again when the place or the theme changes. */
  watch() {
    const sizes = new ResizeObserver(() => {
      if (this.view.stage.clientWidth !== this.width) this.later(0);
    });
    sizes.observe(this.view.stage);
    // a theme's style sheet comes before or after the attribute that names it
    const themes = new MutationObserver(() => [0, 400].forEach((wait) => this.later(wait)));
    themes.observe(this.view.root, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      sizes.disconnect();
      themes.disconnect();
    };
  }

  later(wait) {
    setTimeout(() => this.view.root.isConnected && this.draw(), wait);
  }

  // --- state ----------------------------------------------------------------------------------

  get data() {
    return this.model.get("data");
  }

  get mode() {
    return this.model.get("mode");
  }

  get selected() {
    return this.model.get("selected");
  }

  get chosenBlock() {
    return this.model.get("block");
  }

  get steps() {
    return this.block ? stepCount(this.block, this.mode, this.data.restricted) : 0;
  }

  get step() {
    return Math.min(this.model.get("step"), this.steps);
  }

  /** The present block, or null while the kernel is asked for it. */
  get block() {
    const name = this.chosenBlock.join(":");
    if (!this.blocks.has(name)) {
      const sent = this.data.blocks[name];
      if (sent) this.blocks.set(name, indexed(sent));
      else this.wantBlock(name);
    }
    return this.blocks.get(name) ?? null;
  }

  /** The chosen place counted in the block; null if there is none, or if it is outside. */
  get place() {
    const { block } = this;
    const place = this.selected.map((k, axis) => k - block.corner[axis]);
    const inside = place.every((k, axis) => k >= 0 && k < block.shape[axis]);
    return place.length && inside ? place : null;
  }

  wantBlock(name) {
    if (this.asked.has(`block ${name}`)) return;
    this.asked.add(`block ${name}`);
    const [output, input] = this.chosenBlock;
    const { blocks } = this;
    ask(this.model, "block", { output, input }).then(
      (found) => {
        blocks.set(name, indexed(found));
        if (blocks === this.blocks) this.moved();
      },
      (error) => this.view.say(error.message),
    );
  }

  // --- controls -------------------------------------------------------------------------------

  controls() {
    const move = (name, sign, tip, target) =>
      button(icon(sign), () => this.go(target()), { name, tip });
    this.first = move("Start", "first", "Back to the start (Home)", () => 0);
    this.back = move("Previous pass", "back", "Previous pass (←)", () => this.step - 1);
    this.next = move("Next pass", "next", "Next pass (→)", () => this.step + 1);
    this.last = move("End", "last", "To the end (End)", () => this.steps);
    this.play = button("", () => this.togglePlay(), { tip: "Play or pause (Space)" });
    this.scrub = slider("Step", {
      max: 1, oninput: (step) => this.go(step), text: (step) => `${step} of ${this.steps}`,
    });
    this.compress = toggle("Compressed", false, (on) => this.setMode(on ? "compressed" : "dense"), {
      tip: "Seeds are sums of one-hot vectors, a pass for each colour (c)",
    });
    this.blockField = h("span", {});
    const { toolbar } = this.view;
    toolbar.append(this.first, this.back, this.play, this.next, this.last, this.scrub.field);
    toolbar.append(this.compress, this.blockField);
    this.helpButton = help(this.view, HELP);
    this.pause();
  }

  /** The choice of blocks, where there are several. */
  offerBlocks() {
    const { inputs, outputs } = this.data;
    const pairs = outputs.flatMap((output, o) =>
      inputs.flatMap((input, i) =>
        output.size && input.size
          ? [[`${o}:${i}`, `∂${output.name}/∂${input.name}  (${output.size}×${input.size})`]]
          : [],
      ),
    );
    this.blockField.replaceChildren();
    if (pairs.length < 2) return;
    const set = (name) => this.setBlock(name ? name.split(":").map(Number) : []);
    const options = [["", "whole matrix"], ...pairs];
    this.blockField.append(choice("Block", options, this.chosenBlock.join(":"), set));
  }

  go(target) {
    this.pause();
    this.moveTo(target);
  }

  moveTo(target) {
    const step = Math.max(0, Math.min(this.steps, target));
    if (step !== this.model.get("step")) put(this.model, "step", step);
  }

  /** Change the mode; what was complete stays so, else it starts over. */
  setMode(mode) {
    if (mode === this.mode) return;
    this.pause();
    const complete = this.steps > 0 && this.step === this.steps;
    this.model.set("mode", mode);
    put(this.model, "step", complete ? this.steps : 0);
  }

  setBlock(block) {
    this.pause();
    this.model.set("step", 0);
    put(this.model, "block", block);
  }

  togglePlay() {
    if (this.playing) return this.pause();
    if (this.step >= this.steps) this.moveTo(0);
    const pace = (PLAY_SECONDS * 1000) / Math.max(1, this.steps);
    this.playing = setInterval(
      () => (this.step < this.steps ? this.moveTo(this.step + 1) : this.pause()),
      Math.max(60, Math.min(800, pace)),
    );
    this.play.replaceChildren(icon("pause"), " Pause");
  }

  pause() {
    clearInterval(this.playing);
    this.playing = null;
    this.play.replaceChildren(icon("play"), " Play");
  }

  // --- drawing --------------------------------------------------------------------------------

  build() {
    this.panels = { forward: null, reverse: null, pattern: null };
    for (const side of Object.keys(this.panels)) this.panels[side] = this.panel(side);
    this.row = h("div", { class: "jac-panels" });
    this.row.append(...Object.values(this.panels).map((panel) => panel.figure));
    this.costs = h("div", { class: "jac-costs" });
    this.entry = h("div", {});
    this.tip = h("div", { class: "jac-tip", hidden: true });
    this.view.stage.append(this.row, this.costs, this.entry, this.tip);
  }

  panel(side) {
    const words = SIDES[side];
    const title = words?.title ?? "Sparsity pattern";
    const what = words ? `each ${words.product} writes a ${words.writes}` : "one letter, one pass";
    const matrix = matrixPanel(side, `${title}: Jacobian`, {
      pick: (place) => this.pick(place),
      key: (event) => this.gridKey(event),
      hover: (place, x, y) => this.hover(side, place, x, y),
    });
    const head = h("figcaption", {}, h("b", {}, title), muted(what));
    const vectors = h("div", { class: "jac-vectors" });
    const count = h("div", { class: "jac-count" });
    const attributes = { class: `jac-panel jac-${side}` };
    const told = h("div", { class: "jac-told" }, vectors, count);
    const figure = h("figure", attributes, head, matrix.grid, told);
    return { figure, matrix, vectors, count };
  }

  draw() {
    const { block } = this;
    if (!block) return;
    const { shape, groups } = block;
    const fewer = groups[0] < shape[1] || groups[1] < shape[0];
    const sparse = block.whole && fewer && block.entries < 0.9 * shape[0] * shape[1];
    this.panels.pattern.figure.hidden = !sparse;
    const state = this.drawn(block, sparse);
    const passes = passCounts(block, this.mode, this.data.restricted);
    for (const side of ["forward", "reverse"]) {
      const absent = passes[side] === null;
      this.panels[side].matrix.draw(absent ? { ...state, absent, step: 0 } : state);
      this.tell(side, block, passes[side]);
    }
    if (sparse) {
      this.panels.pattern.matrix.draw(state);
      const words = muted(patternText(block));
      this.panels.pattern.vectors.replaceChildren(words);
    }
    this.costs.replaceChildren(...costPanel(block, this.data, this.mode, this.step, state.dark));
    this.drawControls();
    this.drawEntry();
  }

  /** What the canvases need to know. */
  drawn(block, sparse) {
    const style = getComputedStyle(this.view.root);
    const colours = Object.fromEntries(
      COLOURS.map((name) => [name, style.getPropertyValue(`--adlib-${name}`).trim() || "#888888"]),
    );
    this.width = this.view.stage.clientWidth;
    const width = this.width - 2;
    const across = width >= 1050 && sparse ? 3 : width >= 620 ? 2 : 1;
    this.row.style.setProperty("--jac-across", String(across));
    this.row.classList.toggle("jac-three", across === 3);
    const selected = this.place;
    return {
      block, colours, selected,
      mode: this.mode,
      step: this.step,
      font: style.getPropertyValue("--adlib-mono") || "monospace",
      dark: this.view.root.dataset.theme === "dark",
      width: Math.max(220, width / across - 26),
      height: HEIGHT,
      selectedText: selected ? this.entryText(selected) : "No entry is chosen.",
    };
  }

  drawControls() {
    const { step, steps } = this;
    this.scrub.range(0, steps);
    this.scrub.set(step);
    enable(this.first, step > 0);
    enable(this.back, step > 0);
    enable(this.next, step < steps);
    enable(this.last, step < steps);
    this.compress.setAttribute("aria-pressed", String(this.mode === "compressed"));
    const list = this.blockField.querySelector("select");
    if (list) list.value = this.chosenBlock.join(":");
  }

  /** Seed and product of a side's pass, and its counters. */
  tell(side, block, total) {
    const { vectors, count } = this.panels[side];
    count.replaceChildren();
    if (total === null) {
      vectors.replaceChildren(muted(verdict(block, this.data.costs, this.data.restricted)));
      return;
    }
    const done = passesDone(block, side, this.mode, this.step, total);
    const [strong, plain] = counterText(this.data.costs, side, done, total);
    count.append(h("b", {}, strong), plain);
    const before = passesDone(block, side, this.mode, this.step - 1, total);
    const say = (text) => vectors.replaceChildren(muted(text));
    if (!this.step) say("No pass is done yet.");
    else if (done === before) say(`Complete after ${counted(total, SIDES[side].product)}.`);
    else if (!block.whole)
      say(`passes ${before + 1} to ${done}; a cell shows its largest of up to ` +
        `${block.bundle.join("×")} entries`);
    else {
      const forward = side === "forward";
      const [given, got] = forward ? ["ẋ", "ẏ = J·ẋ"] : ["ȳ", "x̄ = ȳᵀ·J"];
      const name = forward ? block.rowName : block.columnName;
      const product = productOf(block, side, this.mode, this.step - 1);
      vectors.replaceChildren(
        h("div", {}, h("b", {}, given), ` ${seedText(block, side, this.mode, this.step - 1)}`),
        h("div", {}, h("b", {}, got), ` ${vectorText(product, name)}`),
      );
    }
  }

  // --- the chosen entry -----------------------------------------------------------------------

  /** A click: on a group's letter it shows that pass, on a cell it chooses the entry. */
  pick({ i, j, letter }) {
    if (letter === undefined) return this.choose(i, j);
    this.pause();
    this.model.set("mode", "compressed");
    put(this.model, "step", letter + 1);
  }

  /** Choose a cell of the picture: of merged entries the largest. */
  choose(i, j) {
    const { block } = this;
    put(this.model, "selected", this.entryOf(i, j).map((k, axis) => k + block.corner[axis]));
  }

  /** The place of a cell's entry: of merged ones the largest, where there is none the first. */
  entryOf(i, j) {
    const { block } = this;
    const k = block.entry(i, j);
    if (k === undefined) return [i * block.bundle[0], j * block.bundle[1]];
    return [block.row[k], block.column[k]];
  }

  /** The position of the entry at a place of the block, if it is in the pattern and known here. */
  positionOf([i, j]) {
    const { block } = this;
    const k = block.entry(Math.floor(i / block.bundle[0]), Math.floor(j / block.bundle[1]));
    return k !== undefined && block.row[k] === i && block.column[k] === j ? k : undefined;
  }

  entryText(place) {
    const k = this.positionOf(place);
    const name = `∂${this.block.rowName(place[0])}/∂${this.block.columnName(place[1])}`;
    if (k !== undefined) {
      const [forward, reverse] = this.bothTexts(k, exactText);
      return reverse ? `${name} = ${forward} forward, ${reverse} reverse` : `${name} = ${forward}`;
    }
    return this.block.whole ? `${name} = 0, not in the pattern` : name;
  }

  /** The record of the chosen entry's paths, if it is here. */
  get record() {
    const name = this.selected.join(",");
    return this.answers.get(name) ?? this.model.get("paths")[name] ?? null;
  }

  /** The entry k as forward mode has it, and as reverse mode where that differs. */
  bothTexts(k, text) {
    const { v, reverse } = this.block;
    const differs = reverse && reverse[k] !== v[k];
    return [text(v[k]), differs ? text(reverse[k]) : ""];
  }

  /** The chosen entry in words; what its paths come to, where the matrix is merged. */
  valueOf(record) {
    const place = this.block && this.place;
    const k = place ? this.positionOf(place) : undefined;
    if (k === undefined) return numberText(record.value);
    const [forward, reverse] = this.bothTexts(k, numberText);
    return reverse ? `${forward} in forward mode, ${reverse} in reverse mode` : forward;
  }

  drawEntry() {
    const { record } = this;
    const chosen = this.selected;
    const note = (text) => {
      this.shown = null;
      this.entry.replaceChildren(h("p", { class: "jac-note jac-muted" }, text));
    };
    if (!chosen.length)
      note("Choose an entry (click, or the arrow keys in a matrix) to see the paths that make it.");
    else if (record) {
      const fresh = this.shown !== record;
      if (fresh) this.entry.replaceChildren(entryPanel(record, this.valueOf(record)));
      this.shown = record;
    } else if (hasKernel(this.model)) {
      note("Following the paths …");
      this.wantPaths(chosen);
    } else note(`${this.here()} Its paths need a kernel; run the notebook to see them.`);
  }

  here() {
    const place = this.block && this.place;
    const chosen = this.selected.join(", ");
    return place ? `${this.entryText(place)}.` : `Entry (${chosen}).`;
  }

  wantPaths(chosen) {
    const name = chosen.join(",");
    if (this.asked.has(name)) return;
    this.asked.add(name);
    const { answers } = this;
    ask(this.model, "paths", { row: chosen[0], column: chosen[1] }).then(
      (found) => {
        answers.set(name, found);
        if (answers !== this.answers) return;
        this.drawEntry();
        this.narrateEntry();
      },
      (error) => {
        this.asked.delete(name);
        this.entry.replaceChildren(h("p", { class: "jac-note" }, error.message));
      },
    );
  }

  // --- what happens ---------------------------------------------------------------------------

  moved() {
    this.draw();
    this.narrate();
  }

  chosen() {
    this.draw();
    this.narrateEntry();
  }

  renewed() {
    this.forget();
    this.view.root.setAttribute("aria-label", this.model.get("title"));
    this.offerBlocks();
    this.draw();
    if (this.selected.length) this.narrateEntry();
    else this.narrate();
  }

  narrate() {
    const { block } = this;
    if (block) this.view.say(stepSentence(block, this.mode, this.data.restricted, this.step));
  }

  narrateEntry() {
    const { record } = this;
    if (!this.selected.length) return;
    this.view.say(record ? entrySentence(record, this.valueOf(record)) : this.here());
  }

  hover(side, place, x, y) {
    const { block } = this;
    this.tip.hidden = !place || !block;
    if (this.tip.hidden) return;
    this.tip.replaceChildren(...this.hoverLines(side, place).map((line) => h("div", {}, line)));
    const { stage } = this.view;
    const box = stage.getBoundingClientRect();
    const left = Math.min(x - box.left + 14, stage.clientWidth - this.tip.offsetWidth - 8);
    this.tip.style.left = `${Math.max(4, left)}px`;
    this.tip.style.top = `${y - box.top + stage.scrollTop + 16}px`;
  }

  hoverLines(side, { i, j, group, letter, of }) {
    const { block, mode, step } = this;
    if (letter !== undefined) return [letterText(block, of, letter), "click to see their pass"];
    const k = block.entry(i, j);
    const at = this.entryOf(i, j);
    const where = `row ${at[0]}, column ${at[1]}`;
    if (!block.whole && k === undefined) return ["no entry of the pattern is in this cell"];
    const merged = block.whole || block.count[k] === 1 ? "" : `: largest of ${block.count[k]} here`;
    const lines = [this.entryText(at), where + merged];
    if (group !== undefined)
      lines.push(`group ${groupLetter(group)}: its only ${SIDES[side].writes} that is met here`);
    else if (side !== "pattern" && k !== undefined) {
      const done = written({ block, mode, step }, side, k, i, j);
      if (!done) lines.push("not written yet");
    }
    return lines;
  }

  // --- keys -----------------------------------------------------------------------------------

  gridKey(event) {
    const { block } = this;
    if (!block || event.altKey || event.ctrlKey || event.metaKey) return;
    const [m, n] = block.picture;
    const at = this.place?.map((k, axis) => Math.floor(k / block.bundle[axis])) ?? null;
    const [i, j] = at ?? [0, 0];
    const jump = Math.max(1, Math.floor(m / 5));
    const target = {
      ArrowUp: [i - 1, j], ArrowDown: [i + 1, j], ArrowLeft: [i, j - 1], ArrowRight: [i, j + 1],
      Home: [i, 0], End: [i, n - 1], PageUp: [i - jump, j], PageDown: [i + jump, j],
    }[event.key];
    if (!target || !m || !n) return;
    event.preventDefault();
    event.stopPropagation();
    const within = (k, size) => Math.max(0, Math.min(size - 1, k));
    this.choose(at ? within(target[0], m) : 0, at ? within(target[1], n) : 0);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const on = (selector) => event.target.closest?.(selector);
    const actions = {
      " ": () => this.togglePlay(),
      c: () => this.setMode(this.mode === "dense" ? "compressed" : "dense"),
      "?": () => this.helpButton.click(),
      Escape: () => put(this.model, "selected", []),
      ArrowLeft: () => this.go(this.step - 1),
      ArrowRight: () => this.go(this.step + 1),
      Home: () => this.go(0),
      End: () => this.go(this.steps),
    };
    if (!(event.key in actions) || on("select") || (on("button") && event.key === " ")) return;
    // sliders and the graph's scrolling keep their own keys
    if (on("input, .jac-scroll") && /^(Arrow|Home|End)/.test(event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }
}

export default {
  render({ model, el }) {
    const explorer = new JacobianExplorer(model, el);
    return () => explorer.dispose();
  },
};
