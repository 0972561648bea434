// Why NaN: the way of the bad numbers, where in the arrays they are, and the usual repair.

import { button, frame, h, heat, help, listen, num, numberText, put, s } from "./common.js";

const SWEEPS = ["primal", "tangent", "cotangent"];
const HEADS = { primal: "value ↓", tangent: "tangent ↓", cotangent: "cotangent ↑" };
const WORDS = { primal: "the value", tangent: "the tangent", cotangent: "the cotangent" };
const NAMES = { good: "finite", nan: "NaN", inf: "infinity" };
const MARKS = { good: "✓", nan: "NaN", inf: "∞" };
const HELP = [
  "↑ ↓ go along the trail, ← → from the value to its tangent and its cotangent, Home and End to the ends.",
  "Values and tangents are made from the first row to the last, cotangents from the last to the first. ✓ marks numbers that are finite; ▶ marks where a sweep meets its first bad one, ✓ ↑ NaN where an equation hands on a bad cotangent although it got a good one.",
  "Copy a repair, put your own names into it, and run the cell again.",
];

export default {
  /** @returns {() => void} what undoes it */
  render({ model, el }) {
    const trail = new NanExplorer(model, el);
    return () => trail.dispose();
  },
};

class NanExplorer {
  constructor(model, el) {
    this.model = model;
    this.view = frame(el, model.get("title"), "nan");
    this.verdict = h("p", { class: "nan-verdict" });
    this.view.toolbar.append(this.verdict);
    help(this.view, HELP);
    this.table = h("div", { class: "nan-trail" });
    this.detail = h("div", { class: "nan-detail" });
    this.findings = h("div", { class: "nan-findings" });
    this.body = h("div", { class: "nan-body" }, h("div", {}, this.table), this.detail);
    this.view.stage.append(this.findings, this.body);
    this.onkey = (event) => this.key(event);
    this.view.root.addEventListener("keydown", this.onkey);
    const themes = new MutationObserver(() => this.drawDetail());
    themes.observe(this.view.root, { attributes: true, attributeFilter: ["data-theme"] });
    this.stops = [
      () => themes.disconnect(),
      listen(model, ["selected", "sweep"], () => this.current() && this.follow()),
      listen(model, ["data", "title"], () => this.reset()),
    ];
    this.reset();
  }

  get data() {
    return this.model.get("data");
  }

  get dark() {
    return this.view.root.dataset.theme === "dark";
  }

  /** The selected row; undefined where all is finite. */
  get row() {
    return this.data.rows.find((row) => row.id === this.model.get("selected"));
  }

  /** The sweep whose numbers are shown: the chosen one where the row has it. */
  get sweep() {
    const sweep = this.model.get("sweep");
    return this.row?.[sweep] ? sweep : "primal";
  }

  // --- drawing ---

  /** Whether what is drawn is the present run; if not, it is drawn now (traits come in any order). */
  current() {
    if (this.drawn === this.data) return true;
    this.reset();
    return false;
  }

  reset() {
    const { data } = this;
    this.drawn = data;
    this.verdict.replaceChildren(
      h(
        "span",
        { class: data.good ? "nan-ok" : "nan-bad", "aria-hidden": "true" },
        data.good ? "✓" : "✗",
      ),
      ` ${data.headline}`,
    );
    this.verdict.classList.toggle("nan-calm", data.good);
    this.findings.replaceChildren(...data.findings.map((finding, i) => this.card(finding, i)));
    if (data.good)
      this.findings.replaceChildren(
        h(
          "p",
          { class: "nan-peace" },
          "Nothing to repair: every value, tangent and cotangent on the way is a finite number.",
        ),
      );
    else if (data.not_differentiated)
      this.findings.append(
        h("p", { class: "nan-peace" }, `No derivative: ${data.not_differentiated}`),
      );
    this.body.hidden = !data.rows.length;
    this.drawTable();
    this.follow();
    if (data.good) this.view.say(data.headline);
  }

  card(finding, i) {
    const line = finding.source
      ? h(
          "div",
          { class: "nan-line" },
          h("span", {}, finding.source),
          " ",
          h("code", {}, finding.code),
        )
      : null;
    const copied = (text) =>
      button("copy", () => this.copy(text), { tip: "Copy this code", name: `Copy ${text}` });
    const code = (label, text, kind) =>
      text &&
      h(
        "div",
        { class: `nan-code nan-${kind}` },
        h("span", { class: "nan-label" }, label),
        h("pre", {}, text),
        copied(text),
      );
    return h(
      "section",
      { class: `nan-card nan-${finding.sweep}`, "aria-label": finding.where },
      h(
        "h4",
        {},
        h("span", { class: "nan-number" }, i + 1),
        ` ${finding.where}${finding.title ? ` (${finding.title})` : ""}`,
      ),
      h(
        "div",
        { class: "nan-equation" },
        h("code", {}, finding.text),
        button("show on the trail", () => this.choose(finding.row, finding.sweep), {
          name: `Show ${finding.text} on the trail`,
        }),
      ),
      line,
      h("p", {}, h("b", {}, "Why. "), finding.why),
      finding.repair && h("p", {}, h("b", {}, "Repair. "), finding.repair),
      code("instead of", finding.before, "before"),
      code(finding.before ? "write" : "for example", finding.after, "after"),
    );
  }

  drawTable() {
    const { rows, starts } = this.data;
    this.cells = new Map();
    const head = h(
      "tr",
      {},
      h("th", { scope: "col" }, "equation"),
      SWEEPS.map((sweep) => h("th", { scope: "col", class: `nan-${sweep}` }, HEADS[sweep])),
    );
    const lines = rows.map((row) => {
      const cells = SWEEPS.map((sweep) =>
        this.cell(row, sweep, starts[sweep]?.row === row.id && starts[sweep].kind),
      );
      const line = h(
        "tr",
        { "data-row": row.id },
        h(
          "th",
          { scope: "row" },
          h("code", {}, row.text),
          h("small", {}, row.output ? "output" : row.source),
        ),
        cells,
      );
      return line;
    });
    this.table.replaceChildren(h("table", {}, h("thead", {}, head), h("tbody", {}, lines)));
  }

  cell(row, sweep, starts) {
    const value = row[sweep];
    if (!value) return h("td", { class: "nan-none" }, h("span", { title: "there is none" }, "–"));
    // a cotangent turns bad on its way from the result to the operands
    const turns = starts && value.status === "good";
    const label = `${WORDS[sweep]} of ${row.name}, ${row.text}: ${NAMES[value.status]}${starts ? (turns ? `, and what it hands on is ${NAMES[starts]}` : ", the first that is met") : ""}`;
    const made = h(
      "button",
      {
        type: "button",
        class: `nan-cell nan-${value.status}${turns ? " nan-turn" : ""}`,
        "aria-label": label,
        "aria-pressed": "false",
        tabindex: "-1",
        onclick: () => this.choose(row.id, sweep),
      },
      starts && h("span", { class: "nan-start", "aria-hidden": "true" }, "▶"),
      turns ? `✓ ↑ ${MARKS[starts]}` : MARKS[value.status],
    );
    this.cells.set(`${row.id} ${sweep}`, made);
    return h("td", {}, made);
  }

  follow() {
    const { row, sweep } = this;
    for (const [key, made] of this.cells) {
      const chosen = row !== undefined && key === `${row.id} ${sweep}`;
      made.setAttribute("aria-pressed", String(chosen));
      made.setAttribute("tabindex", chosen ? "0" : "-1");
    }
    for (const line of this.table.querySelectorAll("tr[data-row]"))
      line.classList.toggle("nan-chosen", line.dataset.row === row?.id);
    this.drawDetail();
    if (!row) return;
    this.reveal(row);
    this.view.say(this.sentence(row, sweep));
  }

  /** Bring a row into sight within the table; the page around it stays where it is. */
  reveal(row) {
    const line = [...this.table.querySelectorAll("tr[data-row]")].find(
      (one) => one.dataset.row === row.id,
    );
    const [box, at] = [this.table.getBoundingClientRect(), line.getBoundingClientRect()];
    const head = this.table.querySelector("thead").getBoundingClientRect().height;
    if (at.top < box.top + head) this.table.scrollTop -= box.top + head - at.top;
    else if (at.bottom > box.bottom) this.table.scrollTop += at.bottom - box.bottom + at.height;
  }

  sentence(row, sweep) {
    const value = row[sweep];
    const at = this.data.rows.indexOf(row) + 1;
    const here = this.data.starts[sweep]?.row === row.id;
    const turns = here && value.status === "good";
    const first = turns
      ? " What it hands on to its operands is the first that is not."
      : here
        ? " Here this sweep first goes wrong."
        : "";
    const words = WORDS[sweep];
    return `Row ${at} of ${this.data.rows.length}: ${row.text}. ${words[0].toUpperCase()}${words.slice(1)} of ${row.name} is ${value.status === "good" ? "finite" : `not finite: ${value.text}`}.${first}`;
  }

  /** What goes into the selected equation and what comes out, with where the bad entries are. */
  drawDetail() {
    const { row, sweep } = this;
    if (!row) return this.detail.replaceChildren();
    const finding = this.data.findings.find((one) => one.row === row.id && one.sweep === sweep);
    const inputs = row.reads
      .map((id) => this.data.rows.find((other) => other.id === id))
      .filter(Boolean);
    const values = finding
      ? finding.values.map((value) => [value.way === "out" ? `→ ${value.name}` : value.name, value])
      : [
          ...inputs.map((other) => [other.name, other.primal]),
          [`→ ${WORDS[sweep]} of ${row.name}`, row[sweep]],
        ];
    return this.detail.replaceChildren(
      h("h4", {}, h("code", {}, finding?.text ?? row.text)),
      ...(row.source
        ? [h("div", { class: "nan-line" }, h("span", {}, row.source), " ", h("code", {}, row.code))]
        : []),
      h(
        "div",
        { class: "nan-values" },
        values.map(([name, value]) => this.value(name, value)),
      ),
    );
  }

  value(name, value) {
    const counts = [
      value.nans && `${value.nans} of ${value.size} NaN`,
      value.infs && `${value.infs} of ${value.size} infinite`,
    ];
    const bad = value.size > 4 ? counts.filter(Boolean).join(", ") : "";
    const text = bad
      ? value.text
          .split(", ")
          .filter((part) => !/^\d+ (nan|inf)$/.test(part))
          .join(", ")
      : value.text;
    return h(
      "div",
      { class: "nan-value" },
      h(
        "div",
        {},
        h("code", {}, name),
        " ",
        h("span", { class: "nan-type" }, value.type),
        " ",
        h("span", {}, text),
        bad ? h("span", { class: "nan-bad" }, ` ${bad}`) : "",
      ),
      value.picture && picture(value.picture, this.dark),
    );
  }

  // --- what the reader does ---

  choose(id, sweep) {
    if (!this.data.rows.some((row) => row.id === id)) return;
    this.model.set("sweep", sweep);
    put(this.model, "selected", id);
  }

  key(event) {
    if (
      event.altKey ||
      event.ctrlKey ||
      event.metaKey ||
      !this.row ||
      event.target.matches("input, select")
    )
      return;
    const { rows } = this.data;
    const at = rows.indexOf(this.row);
    const to = (i) => this.moveTo(rows[Math.max(0, Math.min(rows.length - 1, i))], this.sweep);
    const keys = {
      ArrowUp: () => to(at - 1),
      ArrowDown: () => to(at + 1),
      Home: () => to(0),
      End: () => to(rows.length - 1),
      ArrowLeft: () => this.turn(-1),
      ArrowRight: () => this.turn(1),
    };
    if (!(event.key in keys)) return;
    keys[event.key]();
    event.preventDefault();
    event.stopPropagation();
  }

  turn(by) {
    const there = SWEEPS.filter((sweep) => this.row[sweep]);
    const next = there[there.indexOf(this.sweep) + by];
    if (next) this.moveTo(this.row, next);
  }

  moveTo(row, sweep) {
    this.choose(row.id, sweep);
    this.cells.get(`${row.id} ${this.sweep}`)?.focus({ preventScroll: true });
  }

  async copy(text) {
    try {
      await navigator.clipboard.writeText(text);
      this.view.say(`Copied: ${text}`);
    } catch {
      this.view.say("The browser does not allow copying here; select the code and copy it.");
    }
  }

  dispose() {
    this.view.root.removeEventListener("keydown", this.onkey);
    for (const stop of this.stops) stop();
    this.view.dispose();
  }
}

/** Blocks of an array's entries; NaN has a cross, infinities their sign. */
function picture(rows, dark) {
  const most = Math.max(
    ...rows
      .flat()
      .map(num)
      .map((x) => (Number.isFinite(x) ? Math.abs(x) : 0)),
    0,
  );
  const side = Math.max(9, Math.min(18, Math.floor(288 / rows[0].length)));
  const cells = rows.flatMap((row, i) =>
    row.map((value, j) => block(num(value), j * side, i * side, side, most, dark)),
  );
  const [width, height] = [rows[0].length * side, rows.length * side];
  const bad = rows.flat().filter((value) => !Number.isFinite(num(value))).length;
  const label = bad
    ? `${bad} of ${rows.flat().length} blocks hold bad entries`
    : "all blocks are finite";
  return s(
    "svg",
    {
      class: "nan-picture",
      viewBox: `-1 -1 ${width + 2} ${height + 2}`,
      width: width + 2,
      height: height + 2,
      role: "img",
      "aria-label": label,
    },
    cells,
  );
}

function block(x, left, top, side, most, dark) {
  const finite = Number.isFinite(x);
  const rect = s("rect", {
    x: left,
    y: top,
    width: side - 1,
    height: side - 1,
    fill: finite ? heat(x, most, dark) : null,
    class: finite ? "nan-block" : "nan-block nan-wrong",
  });
  const tip = s("title", {}, numberText(x));
  if (finite) return s("g", {}, rect, tip);
  const [a, b] = [side * 0.25, side * 0.75 - 1];
  const mark = Number.isNaN(x)
    ? s("path", {
        class: "nan-cross",
        d: `M${left + a} ${top + a}L${left + b} ${top + b}M${left + b} ${top + a}L${left + a} ${top + b}`,
      })
    : s(
        "text",
        {
          class: "nan-infinite",
          x: left + side / 2 - 0.5,
          y: top + side * 0.72,
          "font-size": side * 0.7,
        },
        x > 0 ? "∞" : "−",
      );
  return s("g", {}, rect, mark, tip);
}
