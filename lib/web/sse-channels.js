// A part of the client: the channels that a page follows or publishes to. sse.js loads it with the first of these calls.

const DEFAULT_EVENTS = ['server-push'];
// UTF-16 units of the names in a URL. Further channels are joined when the stream is open.
const MAX_NAMES = 2000;
const MAX_AT_ONCE = 100;

/** Publishes with `post(body)`, which posts as soon as a stream is open; resolves with the id of the event. */
export async function publish(post, channel, event, data = null, { echo } = {}) {
  const response = await post({ channel, event, data, echo });
  const { data: result, errorMessage } = await response.json();
  if (response.ok) return result.id;
  const { status } = response;
  throw Object.assign(new Error(`The event for '${channel}' was refused: ${errorMessage}`), { status, ...result });
}

/**
 * Follows channels on the streams of `host`, which has `on(name, fn)` and `off(name, fn)` for events, `request(action,
 * body)`, which posts as soon as a stream is open, `call(fn, event)`, which reports what it throws, and `presence()`, which
 * loads the part for that.
 */
export class Channels {
  #host;
  #followed = new Map(); // channel → listener → names of events
  #heard = new Set(); // names of events
  #asked = []; // requests to be sent, in order
  #asking = false;
  #presence; // the part for it, once a listener wants it

  constructor(host) {
    this.#host = host;
  }

  /** The channels that a stream joins when it opens. */
  names() {
    let room = MAX_NAMES;
    return [...this.#followed.keys()].filter((channel) => (room -= encodeURIComponent(channel).length + 9) >= 0);
  }

  /** Those of names() whose members a listener wants. */
  watched() {
    return this.names().filter(this.#isWatched);
  }

  /** A stream has opened: it joins the channels that did not fit into its URL. */
  opened() {
    const named = this.names();
    const others = [...this.#followed.keys()].filter((channel) => !named.includes(channel));
    for (const channel of others) this.#ask('subscribe', channel).catch(() => {}); // as the next stream does
  }

  async subscribe(channel, options, listener) {
    const { events: wanted = DEFAULT_EVENTS, presence } = options ?? {};
    if (typeof channel !== 'string' || !channel || typeof listener !== 'function') {
      throw new TypeError('subscribe() takes the name of a channel, options and a function.');
    }
    let events = wanted;
    if (presence) {
      const { Presence, PRESENCE_EVENTS } = await this.#host.presence();
      this.#presence ??= new Presence((missed) => this.#ask('subscribe', missed).catch(() => {}));
      events = [...wanted, ...PRESENCE_EVENTS];
    }
    const known = this.#followed.get(channel);
    if (known) known.set(listener, events);
    else this.#followed.set(channel, new Map([[listener, events]]));
    this.#hear();
    // Also where it is known: its first request may be waiting, or may have failed.
    try {
      const { joined, reason } = await this.#ask('subscribe', channel);
      if (joined) return;
      throw Object.assign(new Error(`The channel '${channel}' was refused: ${reason}.`), { reason });
    } catch (error) {
      this.#remove(channel, [listener]);
      throw error;
    }
  }

  async unsubscribe(channel, listener) {
    if (!this.#followed.has(channel)) return;
    const isLast = this.#remove(channel, listener ? [listener] : [...this.#followed.get(channel).keys()]);
    if (isLast) await this.#ask('unsubscribe', channel);
  }

  /** Resolves with the server's result for the channel. */
  #ask(action, channel) {
    return new Promise((resolve, reject) => {
      this.#asked.push({ action, channel, resolve, reject });
      if (!this.#asking) this.#send();
    });
  }

  /** One request at a time, so that they arrive in order. */
  async #send() {
    this.#asking = true;
    await undefined; // for what one task asks there is one request
    let most = MAX_AT_ONCE;
    while (this.#asked.length) {
      const { action } = this.#asked[0];
      const others = this.#asked.findIndex((one) => one.action !== action);
      const batch = this.#asked.splice(0, Math.min(others < 0 ? most : others, most));
      try {
        const channels = [...new Set(batch.map(({ channel }) => channel))];
        const watched = action === 'subscribe' ? channels.filter(this.#isWatched) : [];
        const body = watched.length ? { channels, presence: watched } : { channels };
        const response = await this.#host.request(action, body);
        const { data, errorMessage } = await response.json();
        if (!data?.channels && batch.length > 1) {
          // One that the server accepts as no name must not cost the others.
          this.#asked.unshift(...batch);
          most = 1;
          continue;
        }
        most = MAX_AT_ONCE;
        for (const { channel, resolve } of batch) {
          resolve(data?.channels?.find((one) => one.channel === channel) ?? { reason: errorMessage });
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#asking = false;
  }

  /** Returns whether the channel has no listener left. */
  #remove(channel, gone) {
    const listeners = this.#followed.get(channel);
    for (const listener of gone) listeners?.delete(listener);
    const isLast = !listeners?.size;
    if (isLast) {
      this.#followed.delete(channel);
      this.#presence?.forget(channel);
    }
    this.#hear();
    return isLast;
  }

  #isWatched = (channel) => [...(this.#followed.get(channel)?.values() ?? [])].flat().includes('sse-presence');

  /** Listens to the events that a listener wants, and to no others. */
  #hear() {
    const before = this.#heard;
    this.#heard = new Set([...this.#followed.values()].flatMap((listeners) => [...listeners.values()].flat()));
    for (const name of this.#heard) if (!before.has(name)) this.#host.on(name, this.#dispatch);
    for (const name of before) if (!this.#heard.has(name)) this.#host.off(name, this.#dispatch);
  }

  #dispatch = (event) => {
    const channel = event.channel ?? this.#presence?.read(event);
    for (const [listener, events] of this.#followed.get(channel) ?? []) {
      if (events.includes(event.type)) this.#host.call(listener, event);
    }
  };
}
