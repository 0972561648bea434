// Predict-then-reveal: reading what a learner typed, and saying what is wrong with it.
//
// Pure functions: nothing here knows the page.

const FUNCTIONS = {
  sin: Math.sin, cos: Math.cos, tan: Math.tan, exp: Math.exp, log: Math.log, ln: Math.log,
  sqrt: Math.sqrt, tanh: Math.tanh, sinh: Math.sinh, cosh: Math.cosh, abs: Math.abs,
};
const TOKEN = /\s*(?:(\d+\.?\d*(?:[eE][-+−]?\d+)?|\.\d+(?:[eE][-+−]?\d+)?)|([\p{L}_][\p{L}\p{M}\p{N}_˙]*)|(\*\*|[-+*/^()−·×]))/uy;

/**
 * The number that a text stands for: `0.54`, `-1/3`, `cos(a)*2`. Names are looked up in `names`.
 * @param {string} text
 * @param {Record<string, number>} [names]
 * @returns {number}
 */
export function typedNumber(text, names = {}) {
  const tokens = typedTokens(text.normalize("NFC"));
  if (!tokens.length) throw new Error("Type a number first, for example 0.54 or cos(1)*2.");
  let at = 0;
  const next = () => tokens[at]?.text;
  const take = (...wanted) => (tokens[at]?.sign && wanted.includes(next()) ? tokens[at++].text : null);
  function sum() {
    let value = product();
    for (let sign; (sign = take("+", "-")); ) {
      const other = product();
      value = sign === "+" ? value + other : value - other;
    }
    return value;
  }
  function product() {
    let value = signed();
    for (let sign; (sign = take("*", "/")); ) {
      const other = signed();
      value = sign === "*" ? value * other : value / other;
    }
    return value;
  }
  function signed() {
    if (take("-")) return -signed();
    if (take("+")) return signed();
    const base = atom();
    return take("^") ? base ** signed() : base;
  }
  function atom() {
    if (take("(")) return closed(sum());
    const token = tokens[at++];
    if (token?.number !== undefined) return token.number;
    if (token?.name === undefined) throw new Error(`Something is missing in “${text}”.`);
    if (take("(")) {
      if (!Object.hasOwn(FUNCTIONS, token.name))
        throw new Error(`“${token.name}” is no function known here.`);
      return FUNCTIONS[token.name](closed(sum()));
    }
    if (Object.hasOwn(names, token.name)) return names[token.name];
    if (token.name === "pi" || token.name === "π") return Math.PI;
    throw new Error(`“${token.name}” has no number yet. Type a number, or names that have one.`);
  }
  function closed(value) {
    if (!take(")")) throw new Error(`A “)” is missing in “${text}”.`);
    return value;
  }
  const value = sum();
  if (at < tokens.length) throw new Error(`“${text}” is no number: what is “${next()}”?`);
  return value;
}

function typedTokens(text) {
  const tokens = [];
  const plain = text.trim().replace(/^([-−]?\d+),(\d+)$/, "$1.$2"); // a decimal comma
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < plain.length) {
    const from = TOKEN.lastIndex;
    const found = TOKEN.exec(plain);
    if (!found) throw new Error(`“${plain.slice(from).trim()}” is no number.`);
    const [, digits, name, sign] = found;
    if (digits) tokens.push({ text: digits, number: Number(digits.replace("−", "-")) });
    else if (name) tokens.push({ text: name, name });
    else tokens.push({ text: { "−": "-", "·": "*", "×": "*", "**": "^" }[sign] ?? sign, sign: true });
  }
  return tokens;
}

/** Whether a number is right: to one percent; a zero, which may be 1e-17, to a thousandth. */
export function isNear(given, wanted, share = 0.01) {
  const allowed = Math.abs(wanted) < 1e-6 ? 1e-3 : share * Math.abs(wanted);
  return Math.abs(given - wanted) <= allowed;
}

/**
 * What to say about a number.
 * @param {number} given
 * @param {{value: number, slips: {value: number, slip: string, say: string}[]}} question
 * @returns {{right: boolean, slip: string, say: string}}
 */
export function judged(given, question) {
  if (isNear(given, question.value)) return { right: true, slip: "", say: "Right." };
  const found = question.slips.find(
    ({ value }) => Number.isFinite(value) && !isNear(value, question.value) && isNear(given, value),
  );
  if (found) return { right: false, slip: found.slip, say: found.say };
  if (isNear(given, question.value, 0.06))
    return { right: false, slip: "rounding", say: "Close: keep three digits." };
  return { right: false, slip: "", say: "Not yet. A hint shows the rule." };
}

/**
 * Slips in a tangent ċ = Σ local·ȧ.
 * @param {{name: string, dot: string, primal: number, value: number,
 *          terms: {name: string, dot: string, local: number, tangent: number, primal: number}[]}} at
 */
export function tangentSlips({ name, dot, primal, value, terms }) {
  const slips = [];
  const add = (number, slip, say) => slips.push({ value: number, slip, say });
  const one = terms.length === 1;
  if (!one)
    for (const term of terms) {
      const share = term.local * term.tangent;
      add(value - share, "missing term", `A term is missing: what ${term.dot} contributes. Add it.`);
      if (terms.length > 2)
        add(share, "missing term", `That is the term of ${term.dot} alone. Add those of the others.`);
      add(value - 2 * share, "sign", `The term of ${term.dot} has the wrong sign.`);
    }
  add(-value, "sign", "Right but for the sign.");
  add(primal, "primal", `That is the primal ${name}. Asked is its tangent ${dot}.`);
  for (const { dot: inner, local, tangent } of terms) {
    if (one) add(local, "local derivative", `That is the local derivative alone. Multiply it by ${inner}.`);
    if (one) add(tangent, "factor", `That is ${inner} itself. Multiply it by the local derivative.`);
    if (one) add(primal * tangent, "function", "The factor is the function's derivative, not its value.");
    if (one) add(tangent / local, "divided", "You divided by the local derivative. Multiply by it.");
  }
  add(terms.reduce((all, term) => all + term.local, 0), "local derivative",
    "Those are the local derivatives without the tangents. Multiply each by its tangent.");
  add(terms.reduce((all, term) => all + term.tangent, 0), "factor",
    "Those are the operands' tangents. Multiply each by its local derivative.");
  return slips;
}

/**
 * Slips in a cotangent ā that gets local·c̄ on top of what it held before.
 * @param {{name: string, bar: string, value: number, before: number|null, share: number,
 *          seed: number, outer: string, local: number, primal: number, tangent: number}} at
 */
export function cotangentSlips({ name, bar, value, before, share, seed, outer, local, primal, tangent }) {
  const slips = [];
  const add = (number, slip, say) => slips.push({ value: number, slip, say });
  const held = before ?? 0;
  if (before !== null) {
    add(share, "missing term", `That is what this reader adds. Add what ${bar} holds already.`);
    add(held - share, "sign", "What is added has the wrong sign.");
    add(held, "unchanged", `That is ${bar} before this step. Add what this reader gives.`);
    add(held * share, "multiplied", "Contributions add up; they are not multiplied.");
  }
  add(-value, "sign", "Right but for the sign.");
  add(held + local, "local derivative", `That is the local derivative alone. Multiply it by ${outer}.`);
  add(held + seed, "factor", `That is ${outer} itself. Multiply it by the local derivative.`);
  add(held + seed / local, "divided", "You divided by the local derivative. Multiply by it.");
  if (before !== null) {
    add(local, "local derivative", `That is the local derivative alone. Multiply it by ${outer}, then add.`);
    add(seed, "factor", `That is ${outer} itself. Multiply it by the local derivative, then add.`);
  }
  add(primal, "primal", `That is the primal ${name}. Asked is its cotangent ${bar}.`);
  add(tangent, "tangent", `That is the tangent of ${name}. Asked is its cotangent ${bar}.`);
  return slips;
}

/** How a learner has done: questions answered rightly, at once, and all that were asked. */
export function scored(answers) {
  const questions = new Map();
  for (const answer of answers) {
    const key = `${answer.step} ${answer.name} ${answer.expected}`;
    const before = questions.get(key);
    questions.set(key, { right: (before?.right ?? false) || answer.right, tries: (before?.tries ?? 0) + 1 });
  }
  const all = [...questions.values()];
  return {
    right: all.filter((one) => one.right).length,
    atOnce: all.filter((one) => one.right && one.tries === 1).length,
    asked: all.length,
  };
}
