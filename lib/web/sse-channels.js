// A part of the client: the channels that a page follows. sse.js loads it with the first subscribe().

const DEFAULT_EVENTS = ['server-push'];
// UTF-16 units of the names in a URL. Further channels are joined when the stream is open.
const MAX_NAMES = 2000;

/**
 * Follows channels on the streams of `host`, which has `on(name, fn)` and `off(name, fn)` for events, `request(action,
 * channels)`, which posts as soon as a stream is open, and `call(fn, event)`, which reports what it throws.
 */
export class Channels {
  #host;
  #followed = new Map(); // channel → listener → names of events
  #heard = new Set(); // names of events

  constructor(host) {
    this.#host = host;
  }

  /** The channels that a stream joins when it opens. */
  names() {
    let room = MAX_NAMES;
    return [...this.#followed.keys()].filter((channel) => (room -= encodeURIComponent(channel).length + 9) >= 0);
  }

  /** A stream has opened: it joins the channels that did not fit into its URL. */
  opened() {
    const named = this.names();
    const others = [...this.#followed.keys()].filter((channel) => !named.includes(channel));
    if (others.length) this.#host.request('subscribe', others).catch(() => {}); // as the next stream does
  }

  async subscribe(channel, options, listener) {
    const { events = DEFAULT_EVENTS } = options ?? {};
    if (typeof channel !== 'string' || !channel || typeof listener !== 'function') {
      throw new TypeError('subscribe() takes the name of a channel, options and a function.');
    }
    const known = this.#followed.get(channel);
    if (known) known.set(listener, events);
    else this.#followed.set(channel, new Map([[listener, events]]));
    this.#hear();
    // Also where it is known: its first request may be waiting, or may have failed.
    const refusal = await this.#refusalOf(channel);
    if (!refusal) return;
    this.#forget(channel);
    throw Object.assign(new Error(`The channel '${channel}' was refused: ${refusal}.`), { reason: refusal });
  }

  async unsubscribe(channel, listener) {
    const listeners = this.#followed.get(channel);
    if (!listeners) return;
    if (listener) {
      listeners.delete(listener);
      this.#hear();
      if (listeners.size) return;
    }
    this.#forget(channel);
    await this.#host.request('unsubscribe', [channel]);
  }

  async #refusalOf(channel) {
    const response = await this.#host.request('subscribe', [channel]);
    const { data, errorMessage } = await response.json();
    const result = data?.channels?.[0];
    return result?.joined ? '' : (result?.reason ?? errorMessage ?? `status ${response.status}`);
  }

  #forget(channel) {
    this.#followed.delete(channel);
    this.#hear();
  }

  /** Listens to the events that a listener wants, and to no others. */
  #hear() {
    const before = this.#heard;
    this.#heard = new Set([...this.#followed.values()].flatMap((listeners) => [...listeners.values()].flat()));
    for (const name of this.#heard) if (!before.has(name)) this.#host.on(name, this.#dispatch);
    for (const name of before) if (!this.#heard.has(name)) this.#host.off(name, this.#dispatch);
  }

  #dispatch = (event) => {
    for (const [listener, events] of this.#followed.get(event.channel) ?? []) {
      if (events.includes(event.type)) this.#host.call(listener, event);
    }
  };
}
