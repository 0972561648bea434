// Runs inside the empty page: holds the widgets that a test shows.

import { FakeModel } from "./model.js";

const shown = [];

async function resolved(module, model) {
  const widget = typeof module.default === "function" ? await module.default() : module.default;
  if (!widget || typeof widget.render !== "function") {
    throw new Error("a widget's module needs a default export with a function `render`");
  }
  const forgets = [];
  if (widget.initialize) forgets.push(await widget.initialize({ model }));
  return { widget, forgets };
}

/** Renders a widget in a new element and gives its number. */
export async function show(url, state, css, { kernel, bound }) {
  const module = await import(url);
  const tell = bound ? (kind, content) => window[bound](kind, content) : null;
  const model = new FakeModel(state, { kernel, tell });
  if (css) document.head.append(Object.assign(document.createElement("style"), { textContent: css }));
  const { widget, forgets } = await resolved(module, model);
  const el = document.createElement("div");
  el.dataset.shown = String(shown.length);
  document.body.append(el);
  forgets.push(await widget.render({ model, el, experimental: {} }));
  shown.push({ model, el, forgets });
  return shown.length - 1;
}

/** A second view of the same model, as two output cells of one widget have. */
export async function showAgain(url, number) {
  const module = await import(url);
  const { model } = shown[number];
  const el = document.createElement("div");
  el.dataset.shown = String(shown.length);
  document.body.append(el);
  const forget = await module.default.render({ model, el, experimental: {} });
  shown.push({ model, el, forgets: [forget] });
  return shown.length - 1;
}

/** Ends a widget as a front end does: its clean-up functions, then its element. */
export async function close(number) {
  const { el, forgets } = shown[number];
  for (const forget of forgets.reverse()) if (typeof forget === "function") await forget();
  el.remove();
}

export const model = (number) => shown[number].model;
export const element = (number) => shown[number].el;
