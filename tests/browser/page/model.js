// The front end's half of a widget's traits, without a kernel: what anywidget hands to render().
// `set` emits the change events that Backbone emits; everything the widget does is kept in `log`.

const wildcard = "all";

export class FakeModel {
  /**
   * @param {Record<string, unknown>} state
   * @param {{kernel?: boolean, tell?: ((kind: string, content: unknown) => Promise<any>) | null}} options
   *   without a kernel `send` is null, as on a saved page; `tell` reaches a widget in Python
   */
  constructor(state, { kernel = true, tell = null } = {}) {
    this.state = { ...state };
    this.tell = tell;
    if (!kernel) this.send = null;
    this.unsaved = {};
    /** Every call in order: ["set", name, value], ["save", changes], ["send", content]. */
    this.log = [];
    this.saved = [];
    this.sent = [];
    this.handlers = [];
  }

  get(name) {
    return this.state[name];
  }

  set(name, value) {
    if (typeof name !== "string") throw new TypeError("model.set takes a name and a value");
    if (!(name in this.state)) throw new Error(`the model has no trait ${JSON.stringify(name)}`);
    const plain = JSON.stringify(value);
    if (plain === undefined) throw new TypeError(`${name} cannot be sent to a kernel: ${value}`);
    this.log.push(["set", name, JSON.parse(plain)]);
    if (JSON.stringify(this.state[name]) === plain) return;
    this.unsaved[name] = value;
    this.change({ [name]: value });
  }

  save_changes() {
    const changes = JSON.parse(JSON.stringify(this.unsaved));
    this.unsaved = {};
    this.log.push(["save", changes]);
    if (!Object.keys(changes).length) return;
    this.saved.push(changes);
    this.told("save", changes);
  }

  send(content, _callbacks, _buffers) {
    const plain = JSON.parse(JSON.stringify(content));
    this.log.push(["send", plain]);
    this.sent.push(plain);
    this.told("message", plain);
  }

  /** Pass something to the widget in Python, if there is one, and apply what it does. */
  async told(kind, content) {
    if (!this.tell) return;
    const { changes, messages } = await this.tell(kind, content);
    if (Object.keys(changes).length) this.change(changes);
    for (const message of messages) this.receive(message);
  }

  on(events, handler) {
    for (const event of events.split(/\s+/)) this.handlers.push({ event, handler });
    return this;
  }

  off(events, handler) {
    const named = events ? events.split(/\s+/) : null;
    this.handlers = this.handlers.filter(
      (entry) =>
        (named && !named.includes(entry.event)) || (handler && handler !== entry.handler),
    );
    return this;
  }

  // What follows is for tests: the kernel's half.

  /** The kernel changes traits. */
  change(changes) {
    Object.assign(this.state, changes);
    for (const [name, value] of Object.entries(changes)) {
      this.emit(`change:${name}`, this, value);
    }
    this.emit("change", this);
  }

  /** The kernel sends a message. */
  receive(content, buffers = []) {
    this.emit("msg:custom", content, buffers);
  }

  emit(event, ...values) {
    for (const entry of [...this.handlers]) {
      if (entry.event === event) entry.handler(...values);
      else if (entry.event === wildcard) entry.handler(event, ...values);
    }
  }

  /** What the widget still listens to. */
  listening() {
    return this.handlers.map((entry) => entry.event);
  }
}
