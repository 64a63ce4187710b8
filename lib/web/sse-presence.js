// A part of the client: who is in a channel. sse.js loads it with the first subscribe() that asks for it.

export const PRESENCE_EVENTS = ['sse-presence', 'sse-join', 'sse-leave'];

const keyOf = ({ tenant, user }) => JSON.stringify([tenant, user]);

/** Keeps the members of channels up to date; calls `again(channel)` when it has missed an event. */
export class Presence {
  #again;
  #known = new Map(); // channel → { version, members }: null where there are too many

  constructor(again) {
    this.#again = again;
  }

  /** The channel of an event about members, which gets `presence`; undefined for one that tells nothing new. */
  read(event) {
    if (!PRESENCE_EVENTS.includes(event.type)) return undefined;
    let data;
    try {
      data = JSON.parse(event.data);
    } catch {
      return undefined; // not from the server
    }
    const { channel, version, count = 0, members, refused } = data ?? {};
    let known = this.#known.get(channel);
    if (event.type === 'sse-presence') {
      known = { members: members ? new Map() : null };
      this.#known.set(channel, known);
    } else if (!known?.members || !(version > known.version)) {
      return undefined;
    } else if (version > known.version + 1) {
      this.#again(channel);
    }
    known.version = version;
    for (const one of members ?? []) {
      if (event.type === 'sse-leave') known.members.delete(keyOf(one));
      else known.members.set(keyOf(one), one);
    }
    event.channel = channel;
    event.presence = { count, members: known.members && [...known.members.values()], refused };
    return channel;
  }

  forget(channel) {
    this.#known.delete(channel);
  }
}
