// The derivation: a program and its derivative's programs, side by side and step by step.

import { ask, button, frame, h, help, listen, put, s, slider } from "./common.js";
import {
  copyByHand,
  drawBrackets,
  drawLinks,
  endsOf,
  families,
  groupLetter,
  groupList,
  keyOf,
  lineButton,
  matchesOf,
  nestedLists,
  orderOf,
  passList,
  plainType,
  programText,
  relatedText,
  relatives,
  toldOf,
} from "./derivation_lines.js";

const FIRST_BANDS = 150; // original equations that are written at once; more on demand
const GROUPS = 8;
const HELP = [
  "← → one program back or on · ↑ ↓ the equation above or below · [ ] to what it comes from, or to what comes from it · Escape lets go.",
  "Each row holds all that comes from one equation of the function. Point at an equation, or click it, to see where it comes from and what becomes of it.",
  "ȧ is the tangent of a, ā its cotangent; t1, t2, … are values that the function itself does not have. Σ marks a sum of cotangents. ▸ opens the program inside of an equation.",
];

export default {
  /** @returns {() => void} what undoes it */
  render({ model, el }) {
    const derivation = new DerivationExplorer(model, el);
    return () => derivation.dispose();
  },
};

class DerivationExplorer {
  constructor(model, el) {
    this.model = model;
    this.view = frame(el, model.get("title"), "derivation");
    this.open = new Set(); // equations whose inner programs are shown
    this.pointed = null;
    this.controls();
    this.about = h("div", { class: "derivation-about" });
    this.view.stage.before(this.about);
    this.grid = h("div", { class: "derivation-grid" });
    this.links = s("svg", { class: "derivation-links", "aria-hidden": "true" });
    this.brackets = s("svg", { class: "derivation-links", "aria-hidden": "true" });
    this.group = null; // the group of equations that the reader points at
    this.card = h("div", { class: "derivation-card" });
    this.view.stage.append(this.grid);
    this.view.stage.after(this.card);
    this.onkey = (event) => this.key(event);
    this.view.root.addEventListener("keydown", this.onkey);
    this.stops = [
      listen(model, ["stage"], () => this.current() && this.toStage()),
      listen(model, ["selected"], () => this.current() && this.light({ reveal: true })),
      listen(model, ["data", "title"], () => this.reset()),
    ];
    const sizes = new ResizeObserver(() => this.drawLinks());
    sizes.observe(this.grid);
    this.stops.push(() => sizes.disconnect());
    this.reset();
  }

  controls() {
    const { toolbar } = this.view;
    this.back = button("◀", () => this.goTo(this.stage - 1), {
      name: "Previous program",
      tip: "Previous program (←)",
    });
    this.next = button("▶", () => this.goTo(this.stage + 1), {
      name: "Next program",
      tip: "Next program (→)",
    });
    this.scrub = slider("program", {
      max: 1,
      oninput: (stage) => this.goTo(stage),
      text: (stage) => this.stageText(stage),
    });
    this.scrub.field.classList.add("derivation-scrub");
    this.search = h("input", {
      type: "search",
      placeholder: "find",
      "aria-label": "Find a name, primitive, type or line",
    });
    this.search.addEventListener("input", () => this.find());
    this.search.addEventListener("keydown", (event) => event.key === "Enter" && this.toNextMatch());
    this.unfold = button("unfold all", () => this.unfoldAll(), {
      tip: "Show or hide the programs inside of equations",
    });
    toolbar.append(this.back, this.scrub.field, this.next, this.unfold, this.search);
    help(this.view, HELP);
  }

  get data() {
    return this.model.get("data");
  }

  get stage() {
    return Math.max(0, Math.min(this.data.programs.length - 1, this.model.get("stage")));
  }

  /** The key of the selected equation; null for none. */
  get selected() {
    const [title, step] = this.model.get("selected");
    const program = this.data.programs.findIndex((one) => one.title === title);
    const line =
      program < 0 ? -1 : this.data.programs[program].lines.findIndex((one) => one.step === step);
    return line < 0 ? null : keyOf(program, line);
  }

  line(key) {
    const [program, line] = key.split(".").map(Number);
    return this.data.programs[program].lines[line];
  }

  stageText(stage) {
    return this.data?.programs[stage]?.title ?? "";
  }

  // --- drawing ---

  /** Whether what is drawn is the present record; if not, it is drawn now (traits come in any order). */
  current() {
    if (this.drawn === this.data) return true;
    this.reset();
    return false;
  }

  reset() {
    this.drawn = this.data;
    this.families = families(this.data.programs);
    this.shownBands = FIRST_BANDS;
    const known = new Set(
      this.data.programs.flatMap((program, p) => program.lines.map((_, i) => keyOf(p, i))),
    );
    for (const key of this.open) if (!known.has(key)) this.open.delete(key);
    this.scrub.range(0, Math.max(0, this.data.programs.length - 1));
    this.foldable = [...known].filter((key) => this.line(key).nested.length);
    this.unfold.hidden = !this.foldable.length;
    this.build();
    this.toStage({ quiet: true });
    this.light({});
    this.view.say(this.data.summary);
  }

  build() {
    const { programs, origins } = this.data;
    this.buttons = new Map();
    this.columns = programs.map(() => []); // keys from top to bottom
    const bands = origins.map((_, i) => i);
    if (programs.some((program) => program.lines.some((line) => line.origin < 0))) bands.push(-1);
    const byBand = programs.map((program) => {
      const found = new Map();
      program.lines.forEach((line, i) =>
        found.set(line.origin, [...(found.get(line.origin) ?? []), i]),
      );
      if (program.upward) for (const list of found.values()) list.reverse();
      return found;
    });
    const shown = bands.slice(0, this.shownBands);
    this.grid.style.setProperty("--derivation-columns", programs.length);
    this.grid.replaceChildren(
      ...this.heads(),
      ...shown.flatMap((origin) => this.band(origin, byBand)),
      ...this.more(bands.length - shown.length),
      ...this.feet(),
      this.links,
      this.brackets,
    );
  }

  heads() {
    const corner = h("div", { class: "derivation-head derivation-corner" }, "comes from");
    const heads = this.data.programs.map((program, p) =>
      h(
        "div",
        { class: "derivation-head", "data-program": p },
        h(
          "div",
          { class: "derivation-title" },
          h(
            "button",
            {
              type: "button",
              class: "derivation-name",
              title: "Step to this program",
              onclick: () => this.goTo(p),
            },
            program.title,
          ),
          button("copy", () => this.copy(program), {
            tip: `Copy the text of ${program.title}`,
            name: `Copy the text of ${program.title}`,
          }),
        ),
        h("div", { class: "derivation-note" }, `${program.upward ? "↑" : "↓"} ${program.note}`),
        endsOf(this.data, program.upward ? "out" : "in", program),
      ),
    );
    return [corner, ...heads];
  }

  feet() {
    const feet = this.data.programs.map((program, p) =>
      h(
        "div",
        { class: "derivation-foot", "data-program": p },
        endsOf(this.data, program.upward ? "in" : "out", program),
        groupList(program.groups, (i) => this.pointGroup(i)),
      ),
    );
    return [h("div", { class: "derivation-foot derivation-corner" }), ...feet];
  }

  band(origin, byBand) {
    const found = this.data.origins[origin];
    const tone = `derivation-tone${origin < 0 ? "" : origin % GROUPS}`;
    const label = h(
      "div",
      { class: `derivation-label ${tone}`, title: found?.code || null },
      h("span", { class: "derivation-id" }, found?.id ?? "no one equation"),
      found?.source && h("span", { class: "derivation-source" }, found.source),
    );
    const cells = this.data.programs.map((program, p) => {
      const lines = byBand[p].get(origin) ?? [];
      const cell = h(
        "div",
        { class: `derivation-cell ${tone}`, "data-program": p },
        lines.map((i) => this.lineOf(p, i)),
      );
      const before = p > 0 && byBand[p - 1].has(origin);
      if (!lines.length && program.upward && before) cell.append(h("i", {}, "passed on unchanged"));
      const fate = program.fates?.find((one) => one.origin === origin);
      if (!lines.length && fate) cell.append(h("i", {}, fate.text));
      cell.classList.toggle("derivation-grouped", Boolean(program.groups?.length));
      return cell;
    });
    return [label, ...cells];
  }

  lineOf(program, i) {
    const key = keyOf(program, i);
    const line = this.data.programs[program].lines[i];
    const made = lineButton(line, {
      "data-key": key,
      "aria-pressed": "false",
      tabindex: "-1",
      onclick: () => this.select(this.selected === key ? null : key),
      onpointerenter: () => this.point(key),
      onpointerleave: () => this.point(null),
    });
    this.buttons.set(key, made);
    this.columns[program].push(key);
    if (!line.nested.length) return made;
    const inside = h(
      "div",
      { class: "derivation-inside", hidden: !this.open.has(key) },
      nestedLists(line.nested),
    );
    const fold = button(this.open.has(key) ? "▾" : "▸", () => this.fold(key), {
      name: `Program inside of ${line.text}`,
    });
    fold.classList.add("derivation-fold");
    fold.setAttribute("aria-expanded", String(this.open.has(key)));
    made.fold = { fold, inside };
    return h("div", { class: "derivation-folding" }, fold, made, inside);
  }

  more(count) {
    if (count <= 0) return [];
    const row = h(
      "div",
      { class: "derivation-more" },
      button(`show ${Math.min(count, FIRST_BANDS)} of ${count} more rows`, () =>
        this.showBands(this.shownBands + FIRST_BANDS),
      ),
    );
    return [row];
  }

  showBands(count) {
    this.shownBands = count;
    this.build();
    this.toStage({ quiet: true });
    this.light({});
  }

  // --- stages ---

  goTo(stage) {
    const bounded = Math.max(0, Math.min(this.data.programs.length - 1, stage));
    if (bounded !== this.model.get("stage")) put(this.model, "stage", bounded);
  }

  /** Show the programs up to the present one, and say what that does. */
  toStage({ quiet = false } = {}) {
    const { stage } = this;
    const program = this.data.programs[stage];
    this.scrub.set(stage);
    this.back.disabled = stage === 0;
    this.next.disabled = stage === this.data.programs.length - 1;
    this.grid.style.gridTemplateColumns = `max-content repeat(${stage + 1}, fit-content(400px))`;
    for (const element of this.grid.querySelectorAll("[data-program]")) {
      const at = Number(element.dataset.program);
      element.hidden = at > stage;
      element.classList.toggle("derivation-present", at === stage);
    }
    const passes = stage === this.data.programs.length - 1 ? passList(this.data.passes) : null;
    this.about.replaceChildren(
      h("strong", {}, `${program.title}: `),
      program.explanation,
      passes ?? "",
    );
    const key = this.selected;
    const hidden = key !== null && Number(key.split(".")[0]) > stage;
    if (hidden) put(this.model, "selected", []);
    this.tabStop();
    this.light({});
    if (quiet) return;
    this.showColumn(stage);
    this.view.say(
      `Program ${stage + 1} of ${this.data.programs.length}: ${program.title}. ${program.explanation}`,
    );
  }

  showColumn(stage) {
    const head = this.grid.querySelector(`.derivation-head[data-program="${stage}"]`);
    const { stage: box } = this.view;
    if (!head || head.offsetLeft + head.offsetWidth <= box.scrollLeft + box.clientWidth) return;
    box.scrollLeft = head.offsetLeft + head.offsetWidth - box.clientWidth + 12;
  }

  // --- one equation ---

  select(key) {
    if (key === null) return put(this.model, "selected", []);
    const [program] = key.split(".").map(Number);
    return put(this.model, "selected", [this.data.programs[program].title, this.line(key).step]);
  }

  point(key) {
    this.pointed = key;
    this.light({});
  }

  /** Light up an equation's family, and tell how it follows. */
  light({ reveal = false }) {
    const key = this.pointed ?? this.selected;
    const family = key === null ? { keys: new Set(), links: [] } : relatives(this.families, key);
    for (const [one, made] of this.buttons) {
      made.classList.toggle("derivation-related", family.keys.has(one));
      made.classList.toggle("derivation-chosen", one === key);
      made.setAttribute("aria-pressed", String(one === this.selected));
    }
    this.lit = family.links;
    this.drawLinks();
    this.tell(key, family);
    if (reveal && this.selected !== null) this.reveal(this.selected);
    if (this.selected !== null) this.tabStop(this.selected);
  }

  pointGroup(group) {
    this.group = group;
    this.drawLinks();
  }

  drawLinks() {
    const visible = this.data.programs.slice(0, this.stage + 1);
    const groups = visible.flatMap((program, p) =>
      (program.groups ?? []).map(({ steps }, i) => ({
        elements: steps.map((step) => this.buttons.get(keyOf(p, step - 1))).filter(Boolean),
        letter: groupLetter(i),
        lit: i === this.group,
      })),
    );
    drawBrackets(this.brackets, this.grid, groups);
    drawLinks(this.links, this.grid, this.lit ?? [], (key) => {
      const made = this.buttons.get(key);
      return made?.closest("[hidden]") ? null : made;
    });
  }

  /** The card below: the rule, and the chain of equations. */
  tell(key, family) {
    if (key === null) {
      this.card.replaceChildren(
        h(
          "p",
          { class: "derivation-hint" },
          "Point at an equation to follow it through the programs; click it to keep it.",
        ),
      );
      return;
    }
    const [program, i] = key.split(".").map(Number);
    const line = this.line(key);
    const origin = this.data.origins[line.origin];
    const chain = [...family.keys].sort((one, other) => orderOf(one) - orderOf(other));
    const words = chain.slice(0, 14).map((one) =>
      h(
        "button",
        {
          type: "button",
          class: "derivation-link",
          "aria-current": one === key ? "true" : null,
          onclick: () => this.select(one),
        },
        h(
          "small",
          {},
          `${this.data.programs[Number(one.split(".")[0])].title} ${this.line(one).step}`,
        ),
        ` ${this.line(one).text}`,
      ),
    );
    const rule = h("span", {}, toldOf(this.data, program, line));
    this.card.replaceChildren(
      h(
        "p",
        {},
        h("strong", {}, `${this.data.programs[program].title} ${line.step}: `),
        h("code", {}, line.text),
        " ",
        h("code", { class: "derivation-type" }, plainType(line.type)),
      ),
      h(
        "p",
        {},
        rule,
        origin?.source ? ` ${program ? "From" : "At"} ${origin.source}` : "",
        origin?.code ? [": ", h("code", {}, origin.code)] : "",
      ),
      h(
        "p",
        { class: "derivation-chain" },
        words,
        chain.length > words.length ? `… ${chain.length - words.length} more` : "",
      ),
    );
    if (this.pointed === null)
      this.view.say(
        `${this.data.programs[program].title} ${line.step}: ${line.text}. ${toldOf(this.data, program, line)} ${relatedText(family.keys.size - 1)}.`,
      );
    if (!this.data.told && program && !line.rule) this.askRule(program, i, rule);
  }

  async askRule(program, line, rule) {
    try {
      rule.textContent = await ask(this.model, "rule", { program, line });
    } catch (error) {
      rule.textContent = error.message;
    }
  }

  reveal(key) {
    const made = this.buttons.get(key);
    if (!made) {
      const band = this.line(key).origin;
      if (band < this.shownBands || band >= this.data.origins.length) return;
      this.showBands(Math.ceil((band + 1) / FIRST_BANDS) * FIRST_BANDS);
    }
    if (Number(key.split(".")[0]) > this.stage) this.goTo(Number(key.split(".")[0]));
    const { stage } = this.view;
    const [box, at] = [
      stage.getBoundingClientRect(),
      this.buttons.get(key).getBoundingClientRect(),
    ];
    const head = this.grid.querySelector(".derivation-head").offsetHeight;
    const side = this.grid.querySelector(".derivation-label")?.offsetWidth ?? 0;
    if (at.top < box.top + head) stage.scrollTop -= box.top + head - at.top + 8;
    else if (at.bottom > box.bottom) stage.scrollTop += at.bottom - box.bottom + 8;
    if (at.left < box.left + side) stage.scrollLeft -= box.left + side - at.left + 8;
    else if (at.right > box.right) stage.scrollLeft += at.right - box.right + 8;
  }

  /** One equation is in the tab order: the selected one, or the first of the present program. */
  tabStop(key = this.selected) {
    const stop = key ?? this.columns[this.stage][0];
    for (const [one, made] of this.buttons)
      made.setAttribute("tabindex", one === stop ? "0" : "-1");
  }

  // --- folding, searching, copying ---

  fold(key, open = !this.open.has(key)) {
    if (open) this.open.add(key);
    else this.open.delete(key);
    const parts = this.buttons.get(key)?.fold;
    if (parts) {
      parts.inside.hidden = !open;
      parts.fold.textContent = open ? "▾" : "▸";
      parts.fold.setAttribute("aria-expanded", String(open));
    }
    const all = this.foldable.every((one) => this.open.has(one));
    this.unfold.textContent = all ? "fold all" : "unfold all";
    this.drawLinks();
  }

  unfoldAll() {
    const open = !this.foldable.every((key) => this.open.has(key));
    for (const key of this.foldable) this.fold(key, open);
  }

  find() {
    const wanted = this.search.value.trim();
    this.matches = matchesOf(this.data, wanted);
    const found = new Set(this.matches);
    for (const [key, made] of this.buttons)
      made.classList.toggle("derivation-found", found.has(key));
    this.at = -1;
    if (wanted)
      this.view.say(
        found.size
          ? `${found.size} equations hold “${wanted}”; Enter goes to the next.`
          : `No equation holds “${wanted}”.`,
      );
  }

  toNextMatch() {
    if (!this.matches?.length) return;
    this.at = (this.at + 1) % this.matches.length;
    this.select(this.matches[this.at]);
  }

  async copy(program) {
    const text = programText(program).join("\n");
    const said = `Copied ${program.title}, ${program.lines.length} equations.`;
    try {
      await navigator.clipboard.writeText(text);
      this.view.say(said);
    } catch {
      this.view.say(copyByHand(text) ? said : "The browser does not allow copying here.");
    }
  }

  // --- keys ---

  key(event) {
    if (
      event.altKey ||
      event.ctrlKey ||
      event.metaKey ||
      event.target.matches("input, select, textarea")
    )
      return;
    const keys = {
      ArrowLeft: () => this.goTo(this.stage - 1),
      ArrowRight: () => this.goTo(this.stage + 1),
      ArrowUp: () => this.move(-1),
      ArrowDown: () => this.move(1),
      "[": () => this.along("parents"),
      "]": () => this.along("children"),
      Escape: () => this.select(null),
    };
    if (!(event.key in keys)) return;
    keys[event.key]();
    event.preventDefault();
    event.stopPropagation();
  }

  /** To the equation above or below in the same program. */
  move(by) {
    const key = this.selected;
    const column = this.columns[key === null ? this.stage : Number(key.split(".")[0])];
    const at = key === null ? (by > 0 ? -1 : column.length) : column.indexOf(key);
    const next = column[Math.max(0, Math.min(column.length - 1, at + by))];
    if (next) this.focusOn(next);
  }

  along(way) {
    const key = this.selected;
    if (key === null) return;
    const next =
      way === "parents" ? this.families.parents.get(key) : this.families.children.get(key)?.[0];
    if (next) this.focusOn(next);
    else
      this.view.say(
        way === "parents" ? "This is where it begins." : "Nothing comes from this equation.",
      );
  }

  focusOn(key) {
    this.select(key);
    this.buttons.get(key)?.focus({ preventScroll: true });
  }

  dispose() {
    this.view.root.removeEventListener("keydown", this.onkey);
    for (const stop of this.stops) stop();
    this.view.dispose();
  }
}
