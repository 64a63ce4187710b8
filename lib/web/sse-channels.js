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
 * fn)`, which posts what `fn` returns as soon as a stream is open, `call(fn, event)`, which reports what it throws, and
 * `presence()`, which loads the part for that.
 *
 * A channel resumes with the stream, from its last event id, if the URL of the stream names it. One that catches up with
 * what it has missed has a position of its own until the server says that this has ended.
 */
export class Channels {
  #host;
  #followed = new Map(); // channel → listener → names of events
  #heard = new Set(); // names of events
  #named = []; // those that the URL of the present stream names
  #positions = new Map(); // of channels that catch up, or are to: id of the event up to which they have everything
  #asked = []; // requests to be sent, in order
  #asking = false;
  #presence; // the part for it, once a listener wants it

  constructor(host) {
    this.#host = host;
  }

  /** The channels that a stream joins when it opens, and resumes from `cursor`. */
  names(cursor) {
    let room = MAX_NAMES;
    const all = [...this.#followed.keys()];
    const together = all.filter((channel) => !this.#positions.has(channel));
    this.#named = together.filter((channel) => (room -= encodeURIComponent(channel).length + 9) >= 0);
    for (const channel of together) {
      if (cursor && !this.#named.includes(channel)) this.#positions.set(channel, cursor);
    }
    return this.#named;
  }

  /** Those of the last names() whose members a listener wants. */
  watched() {
    return this.#named.filter(this.#isWatched);
  }

  /** A stream has opened: it joins the channels that its URL does not name. */
  opened() {
    const asked = this.#asked.map(({ channel }) => channel);
    for (const channel of this.#followed.keys()) {
      if (this.#named.includes(channel) || asked.includes(channel)) continue;
      this.#ask('subscribe', channel).catch(() => {}); // as the next stream does
    }
  }

  /** The stream has got what came after this mark. */
  passed({ channel, position }) {
    if (position && this.#positions.has(channel)) this.#positions.set(channel, position);
  }

  /** Streams are those of another service from now on. */
  restart() {
    this.#positions.clear();
  }

  /** With this mark the channel may have caught up. */
  ended({ channel, caughtUp }) {
    if (caughtUp) this.#positions.delete(channel);
  }

  async subscribe(channel, options, listener) {
    const { events: wanted = DEFAULT_EVENTS, presence, since } = options ?? {};
    if (typeof channel !== 'string' || !channel || typeof listener !== 'function') {
      throw new TypeError('subscribe() takes the name of a channel, options and a function.');
    }
    if (since !== undefined && !/^\d{1,19}$/.test(since)) throw new TypeError('since is the id of an event, or 0.');
    let events = wanted;
    if (presence) {
      const { Presence, PRESENCE_EVENTS } = await this.#host.presence();
      this.#presence ??= new Presence((missed) => this.#ask('subscribe', missed).catch(() => {}));
      events = [...wanted, ...PRESENCE_EVENTS];
    }
    const known = this.#followed.get(channel);
    if (known) known.set(listener, events);
    else this.#followed.set(channel, new Map([[listener, events]]));
    if (!known && since !== undefined) this.#positions.set(channel, String(since));
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
        let since;
        const response = await this.#host.request(action, () => {
          since = Object.fromEntries([...this.#positions].filter(([channel]) => channels.includes(channel)));
          if (action !== 'subscribe') return { channels };
          const watched = channels.filter(this.#isWatched);
          // JSON leaves out what is undefined.
          return {
            channels,
            presence: watched.length ? watched : undefined,
            since: Object.keys(since).length ? since : undefined,
          };
        });
        const { data, errorMessage } = await response.json();
        if (!data?.channels && batch.length > 1) {
          // One that the server accepts as no name must not cost the others.
          this.#asked.unshift(...batch);
          most = 1;
          continue;
        }
        most = MAX_AT_ONCE;
        for (const { channel, resolve } of batch) {
          const result = data?.channels?.find((one) => one.channel === channel) ?? { reason: errorMessage };
          // A server that knows no positions does not say when a channel has caught up.
          if (result.joined && result.catchesUp === undefined && since[channel]) this.#positions.delete(channel);
          resolve(result);
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
      this.#positions.delete(channel);
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
