// The flow stepper: numbers appear step by step, forward and then in reverse, or are predicted.

import { button, choice, enable, frame, h, help, icon, listen, put, slider, toggle } from "./common.js";
import { flowLines, flowMoment, flowQuestion, flowRange, flowSentence, flowTimes } from "./flow_steps.js";
import { flowTable } from "./flow_table.js";
import { isNear, judged, scored, typedNumber } from "./predict.js";

const TRAITS = ["step", "sweep", "tangents", "cotangents", "predict", "ask", "answers"];
const HELP = [
  "← → one step back or on · Home, End first or last · Space plays · / searches · click a number to go to its step.",
  "Predict: type the next number, such as 0.54, cos(a)*1 or 1/3, and press Enter. One percent is near enough.",
];

export default {
  /** @returns {() => void} what undoes it */
  render({ model, el }) {
    const flow = new FlowStepper(model, el);
    return () => flow.dispose();
  },
};

class FlowStepper {
  constructor(model, el) {
    this.model = model;
    this.view = frame(el, model.get("title"), "flow");
    this.timer = null;
    this.matches = new Set();
    this.resolved = new Set(); // steps whose question is answered or skipped
    this.said = ""; // feedback on the last try
    this.hinted = 0;
    this.card = h("div", { class: "flow-card" });
    this.view.stage.before(this.card);
    this.table = flowTable(this.view.stage, (row, column) => this.pick(row, column));
    for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", "values"]])
      this.view.stage.setAttribute(name, value);
    this.controls();
    this.onkey = (event) => this.key(event);
    this.view.root.addEventListener("keydown", this.onkey);
    this.stops = [
      listen(model, TRAITS, () => this.draw()),
      listen(model, ["data", "title"], () => this.reset()),
    ];
    this.watch();
    this.reset();
  }

  /** Draw anew where the view gets another size or theme. */
  watch() {
    const sizes = new ResizeObserver(() => this.table.refresh());
    sizes.observe(this.view.stage);
    const themes = new MutationObserver(() => this.draw());
    themes.observe(this.view.root, { attributes: true, attributeFilter: ["data-theme"] });
    this.stops.push(() => sizes.disconnect(), () => themes.disconnect());
  }

  controls() {
    const { toolbar } = this.view;
    const named = (label, name, tip, act) => button(label, act, { name, tip });
    this.first = named(icon("first"), "First step", "First step (Home)", () => this.go(-Infinity));
    this.back = named(icon("back"), "Previous step", "Previous step (←)", () => this.move(-1));
    this.playing = named(icon("play"), "Play", "Play (Space)", () => this.play(this.timer === null));
    this.next = named(icon("next"), "Next step", "Next step (→)", () => this.move(1));
    this.last = named(icon("last"), "Last step", "Last step (End)", () => this.go(Infinity));
    this.scrub = slider("step", { max: 1, oninput: (step) => this.go(step), text: (step) => `${step}` });
    this.scrub.field.classList.add("flow-scrub");
    const sweeps = [["both", "both sweeps"], ["forward", "forward only"], ["reverse", "reverse only"]];
    this.sweep = choice("show", sweeps, this.model.get("sweep"), (value) => this.set("sweep", value));
    const column = (name) =>
      toggle(name, this.model.get(name), (on) => this.set(name, on), { tip: `Show ${name}` });
    this.columns = { tangents: column("tangents"), cotangents: column("cotangents") };
    this.predicting = toggle("predict", this.model.get("predict"), (on) => this.set("predict", on), {
      tip: "Be asked for each number before it is shown",
    });
    const kinds = [["entry", "one entry"], ["sum", "their sum"]];
    this.ask = choice("of arrays ask", kinds, this.model.get("ask"), (value) => this.set("ask", value));
    this.score = h("span", { class: "flow-score" });
    this.again = button("start over", () => this.startOver(), { tip: "Forget the answers" });
    this.search = h("input", { type: "search", placeholder: "find", "aria-label": "Find a name, primitive or line", class: "flow-search" });
    this.search.addEventListener("input", () => this.find(false));
    this.search.addEventListener("keydown", (event) => event.key === "Enter" && this.find(true));
    toolbar.append(
      h("span", { class: "flow-buttons" }, this.first, this.back, this.playing, this.next, this.last),
      this.scrub.field,
      this.sweep, this.columns.tangents, this.columns.cotangents,
      this.predicting, this.ask, this.score, this.again, this.search,
    );
    help(this.view, HELP);
  }

  // --- where we are ---

  get range() {
    return flowRange(this.times, this.model.get("sweep"), this.model.get("cotangents"));
  }

  get step() {
    const [first, last] = this.range;
    return Math.max(first, Math.min(last, this.model.get("step")));
  }

  /** What the learner is asked now; null outside of predict mode, and once it is answered. */
  get question() {
    if (!this.model.get("predict") || this.resolved.has(this.step)) return null;
    return this.anyQuestion;
  }

  get anyQuestion() {
    const moment = flowMoment(this.data, this.times, this.step);
    const tangents = this.model.get("tangents") && this.model.get("sweep") !== "reverse";
    return flowQuestion(this.data, moment, { tangents, ask: this.model.get("ask") });
  }

  set(name, value) {
    this.play(false);
    this.fresh();
    put(this.model, name, value);
  }

  fresh() {
    this.said = "";
    this.hinted = 0;
  }

  go(step) {
    const [first, last] = this.range;
    const target = Math.max(first, Math.min(last, step));
    if (target === this.model.get("step")) return;
    this.fresh();
    const typing = this.card.contains(document.activeElement);
    put(this.model, "step", target);
    if (typing) this.card.querySelector("input, button")?.focus();
  }

  /** One step on or back; on from an open question is to skip it. */
  move(by) {
    this.play(false);
    if (by > 0 && this.question) this.skip();
    else this.go(this.step + by);
  }

  play(on) {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    const [first, last] = this.range;
    if (on && !this.model.get("predict")) {
      if (this.step >= last) this.go(first);
      // about a second a step, and the whole of a long program in about forty
      const pause = Math.max(150, Math.min(1100, 40000 / Math.max(1, last - first)));
      this.timer = setInterval(() => {
        if (this.step < last) this.go(this.step + 1);
        if (this.step >= last) this.play(false);
      }, pause);
    }
    this.playing.replaceChildren(icon(this.timer === null ? "play" : "pause"));
    this.playing.setAttribute("aria-label", this.timer === null ? "Play" : "Pause");
  }

  /** Go to the step that fills a cell. */
  pick(row, column) {
    this.play(false);
    const { forward, parts, split } = this.times;
    const back = column === "cotangent" || (column === "" && this.step > split);
    const step = back && parts[row].length ? Math.max(...parts[row]) : forward[row];
    if (Number.isFinite(step)) this.go(step);
  }

  find(on) {
    const wanted = this.search.value.trim().toLowerCase();
    const texts = (row) => [row.name, row.text, row.id ?? "", row.key, row.code ?? ""];
    const hits = [];
    if (wanted)
      this.data.rows.forEach((row, i) => {
        const exact = wanted.length === 1; // a letter is a variable's name
        if (exact ? row.name.toLowerCase() === wanted : texts(row).some((text) => text.toLowerCase().includes(wanted)))
          hits.push(i);
      });
    this.matches = new Set(hits);
    if (on && hits.length) {
      this.hit = hits[(hits.indexOf(this.hit) + 1) % hits.length];
      this.pick(this.hit, "");
    }
    this.draw();
    if (hits.length) this.table.keepInSight(on ? this.hit : hits[0]);
    const count = hits.length === 1 ? "1 row matches" : `${hits.length} rows match`;
    if (wanted) this.view.say(`${count} “${wanted}”.${hits.length ? " Enter goes to the next." : ""}`);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const tag = event.target.tagName;
    const typing = tag === "SELECT" || (tag === "INPUT" && event.target.type !== "range");
    if (typing && event.key === "Escape") event.target.blur();
    if (typing) return;
    const acts = {
      ArrowLeft: () => this.move(-1),
      ArrowRight: () => this.move(1),
      Home: () => this.go(-Infinity),
      End: () => this.go(Infinity),
      "/": () => this.search.focus(),
    };
    if (tag !== "BUTTON") acts[" "] = () => this.play(this.timer === null);
    if (!Object.hasOwn(acts, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    acts[event.key]();
  }

  // --- predicting ---

  check(text) {
    const question = this.question;
    if (!question) return;
    let given;
    try {
      given = typedNumber(text, this.knownNumbers());
      if (!Number.isFinite(given)) throw new Error("That does not come to a finite number.");
    } catch (error) {
      this.said = error.message;
      this.draw({ text, said: true });
      this.card.querySelector("input")?.focus();
      return;
    }
    const verdict = judged(given, question);
    if (verdict.right) this.resolved.add(this.step);
    this.said = verdict.say;
    const entry = this.answer(question, { text, given, right: verdict.right, slip: verdict.slip });
    this.kept = { text: verdict.right ? "" : text };
    this.note(entry);
  }

  skip() {
    const question = this.question;
    if (!question) return;
    this.resolved.add(this.step);
    this.said = "Skipped.";
    this.note(this.answer(question, { text: "", given: null, right: false, slip: "", skipped: true }));
  }

  answer(question, more) {
    const { name, entry, value } = question;
    return { step: this.step, name, entry, expected: value, skipped: false, ...more };
  }

  note(entry) {
    const focused = this.card.contains(document.activeElement);
    put(this.model, "answers", [...this.model.get("answers"), entry]);
    this.kept = null;
    if (focused) this.card.querySelector("input, button")?.focus();
  }

  startOver() {
    this.resolved.clear();
    this.fresh();
    put(this.model, "answers", []);
    this.go(-Infinity);
  }

  /** Names that a learner may type: the scalars that are shown. */
  knownNumbers() {
    const known = {};
    this.data.rows.forEach((row, i) => {
      if (row.kind !== "output" && this.times.forward[i] <= this.step && row.primal.n === 1) {
        const value = Number(row.primal.v?.[0]);
        if (Number.isFinite(value)) known[row.name] = value;
      }
    });
    if (this.question?.column === "primal") delete known[this.question.name];
    return known;
  }

  // --- drawing ---

  reset() {
    this.data = this.model.get("data");
    this.times = flowTimes(this.data);
    this.view.root.setAttribute("aria-label", this.model.get("title"));
    this.resolved.clear();
    this.fresh();
    this.table.setData(this.data);
    this.draw();
  }

  /** Answers that are known, as when another view of the same model gave them, are not asked again. */
  recall() {
    if (!this.model.get("answers").length) this.resolved.clear();
    for (const answer of this.model.get("answers")) {
      if (!(answer.right || answer.skipped) || this.resolved.has(answer.step)) continue;
      const moment = flowMoment(this.data, this.times, answer.step);
      const tangents = this.model.get("tangents");
      const question = flowQuestion(this.data, moment, { tangents, ask: this.model.get("ask") });
      if (question && isNear(question.value, answer.expected, 1e-9)) this.resolved.add(answer.step);
    }
  }

  draw({ text = this.kept?.text ?? "", said = false } = {}) {
    const { model, view, times } = this;
    const get = (name) => model.get(name);
    if (get("predict")) this.recall();
    const step = this.step;
    const [first, last] = this.range;
    const moment = flowMoment(this.data, times, step);
    const question = this.question;
    this.drawControls(step, first, last);
    const columns = ["primal"];
    if (get("tangents") && get("sweep") !== "reverse") columns.push("tangent");
    if (get("cotangents") && get("sweep") !== "forward") columns.push("cotangent");
    const lines = flowLines(this.data, moment, {
      tangents: columns.includes("tangent"),
      hidden: question?.column ?? null,
    });
    this.drawCard(moment, lines, question, text);
    this.table.draw({
      times, moment, step, columns,
      hidden: question?.column ?? null,
      mark: question?.place ?? null,
      found: this.matches,
      dark: view.root.dataset.theme === "dark",
    });
    if (!said) this.table.keepInSight(moment.rows[0]);
    const sentence = flowSentence(this.data, times, moment, lines);
    const asked = question ? ` What is ${this.prompt(question)}?` : "";
    view.say(`${this.said ? `${this.said} ` : ""}${sentence}${asked}`);
  }

  drawControls(step, first, last) {
    const get = (name) => this.model.get(name);
    const predicting = get("predict");
    this.scrub.range(first, last);
    this.scrub.set(step);
    this.scrub.field.querySelector(".adlib-readout").textContent = `${step} of ${last}`;
    enable(this.first, step > first);
    enable(this.back, step > first);
    enable(this.last, step < last);
    enable(this.next, step < last || this.question !== null);
    enable(this.playing, !predicting);
    this.sweep.querySelector("select").value = get("sweep");
    for (const [name, made] of Object.entries(this.columns)) made.setAttribute("aria-pressed", String(get(name)));
    this.columns.tangents.disabled = get("sweep") === "reverse";
    this.columns.cotangents.disabled = get("sweep") === "forward";
    this.predicting.setAttribute("aria-pressed", String(predicting));
    const arrays = this.data.rows.some((row) => row.primal.n > 1);
    this.ask.hidden = !predicting || !arrays;
    this.ask.querySelector("select").value = get("ask");
    const { right, asked } = scored(get("answers"));
    this.score.textContent = `${right} of ${asked} right`;
    this.score.hidden = !predicting;
    this.again.hidden = !predicting || !asked;
  }

  prompt(question) {
    return question.entry ? `${question.entry} of ${question.name}` : question.name;
  }

  drawCard(moment, lines, question, text) {
    const place = { forward: "forward ↓", reverse: "reverse ↑" }[moment.sweep] ?? "inputs";
    const row = this.data.rows[moment.sweep === "reverse" ? moment.from[0] : moment.rows[0]];
    const code = row?.code
      ? [h("span", { class: "flow-key" }, row.key), h("code", { class: "flow-code" }, row.code)]
      : [];
    const told = lines.map((line) =>
      h("div", { class: "flow-said" }, line.map(([piece, kind]) => h("span", { class: kind.split(" ").map((one) => one && `flow-${one}`).join(" ").trim() || null }, piece))),
    );
    this.card.className = `flow-card flow-card-${moment.sweep || "start"}`;
    this.card.replaceChildren(
      h("div", { class: "flow-where" }, h("span", { class: "flow-badge" }, place), code),
      ...told,
      ...(this.model.get("predict") ? [this.drawQuestion(question, text)] : []),
    );
  }

  drawQuestion(question, text) {
    const tone = this.said === "Right." ? "flow-good" : question ? "flow-bad" : "";
    const said = h("span", { class: `flow-feedback ${tone}` }, this.said);
    const [, last] = this.range;
    if (!question) {
      const on = button("next ↵", () => this.move(1), { name: "Next question" });
      on.disabled = this.step >= last;
      const done = this.step >= last ? `Done: ${this.score.textContent}.` : "";
      return h("div", { class: "flow-question" }, this.step < last && on, said, done);
    }
    const input = h("input", { type: "text", class: "flow-answer", "aria-label": `Your ${this.prompt(question)}`, autocomplete: "off", spellcheck: "false", value: text });
    input.value = text;
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // or this key would press the button that gets the focus
      this.check(input.value);
    });
    const hints = question.hints.slice(0, this.hinted).map((hint) => h("span", { class: "flow-hint" }, hint));
    const hint = button("hint", () => {
      this.hinted += 1;
      this.draw({ text: input.value, said: true });
      this.card.querySelector("input")?.focus();
    });
    hint.disabled = this.hinted >= question.hints.length;
    return h(
      "div",
      { class: "flow-question" },
      h("span", { class: "flow-prompt" }, `${this.prompt(question)} = `),
      input,
      button("check", () => this.check(input.value)),
      hint,
      button("skip", () => this.skip()),
      said,
      hints,
    );
  }

  dispose() {
    this.play(false);
    for (const stop of this.stops) stop();
    this.view.dispose();
  }
}
