// One stream for all windows of a browser that want the same one: the part of the client for the option `share`.
//
// The windows are members of a group, and the one that holds the group's lock leads: it has the stream and posts what
// arrives to the others. Locks end with their window, however that ends, so that a successor needs no timeout; only of a
// window that hangs, they ask. Timers of hidden windows may run once a minute: what has to be quick is in handlers of
// events and messages. Each leader has an epoch, greater than those before; messages of an earlier one are dropped.

const ASK_INTERVAL = 250;
const UNANSWERED = 6; // asked as often, the leader hangs: 1.5 s, and more in a window that was itself delayed
const ALIVE = 1000;

const isHidden = () => document.visibilityState === 'hidden';
const isOlder = (a, b) => a.padStart(20) < b.padStart(20);

/** Windows with equal names share: the same module, service, credentials and key, and so the same user. */
async function groupName({ url, query, headers, withCredentials, share, clientId }, version) {
  const [sortedQuery, sortedHeaders] = [query, headers].map((given) => Object.entries(given ?? {}).sort());
  const parts = [version, new URL(url, location.href).href, sortedQuery, sortedHeaders, withCredentials];
  const text = JSON.stringify([...parts, share, clientId]);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return `sse ${Array.from(digest.slice(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** False on pages that are not secure contexts: they have no locks. */
export const canShare = () => Boolean(globalThis.navigator?.locks && globalThis.BroadcastChannel && crypto.subtle);

/** Has the methods and properties of `Connection`, which it makes one of while it leads. */
export class SharedConnection {
  id;
  server = {};
  #Connection;
  #host;
  #version;
  #me = Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join('');
  #joined; // while this window is a member: aborts what it waits for
  #name;
  #channel;
  #members = new Map(); // of the others: id → the names of events that it listens to
  #isNew; // has not been connected as a member: it may have missed events that the others have
  #epoch = 0;
  #heard = 0; // when the leader was heard last
  #unanswered = 0;
  #askTimer;
  #releases = []; // of the locks held as a member
  #showing; // releases the lock that says that this window is visible
  #calls = new Map(); // requests to the leader that it has not answered
  #lastCall = 0;
  #passFence;

  #real; // the stream, while this window leads
  #cursor; // the event id that it has, or is to, resume after
  #finish; // its connect-finish
  #resign; // releases the lock of the leader
  #client; // by this id the browser knows the holder of a lock
  #alive = 0;
  #checking; // events that wait until it is clear whether this window still leads

  constructor(Connection, host, version) {
    this.#Connection = Connection;
    this.#host = host;
    this.#version = version;
  }

  get isOpen() {
    return Boolean(this.#joined && this.id);
  }

  open() {
    if (this.#joined) this.#real?.open();
    else this.#join().catch((error) => this.#host.report(error));
  }

  /** Only the leader has a stream that may be dead. */
  reopen() {
    this.#real?.reopen();
  }

  close(goodbye) {
    const said = this.#real ? this.#real.close(goodbye) : (goodbye?.(), false);
    this.#leave();
    return said;
  }

  confirm(id) {
    if (this.#real) this.#real.confirm(id);
    else this.#post({ kind: 'confirm', id });
  }

  listen(names) {
    this.#real?.listen(names);
  }

  unlisten() {
    // The next request tells the leader.
  }

  announce() {
    if (this.#real) this.#real.announce();
    else this.#post({ kind: 'names', names: this.#host.names() });
  }

  changeListening(action, names) {
    if (this.#real) return this.#changeAsLeader(action, names);
    return new Promise((resolve, reject) => {
      const call = ++this.#lastCall;
      this.#calls.set(call, { action, names, resolve, reject });
      this.#postCall(call);
    });
  }

  // ---- membership

  async #join() {
    const joined = new AbortController();
    this.#joined = joined;
    this.#isNew = true;
    this.#host.connecting();
    this.#name ??= await groupName(this.#host.options, this.#version);
    // The requests of a window that does not lead need credentials, too.
    await this.#host.refresh().catch((error) => this.#host.report(error));
    if (joined.signal.aborted) return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => this.#onMessage(data);
    this.#heard = this.#alive = Date.now();
    this.#unanswered = 0;
    await this.#hold(this.#memberLock(this.#me), 'exclusive', this.#releases);
    if (joined.signal.aborted) return;
    this.#askForLead();
    document.addEventListener('visibilitychange', this.#onVisibilityChange, { signal: joined.signal });
    document.addEventListener('freeze', this.#onFreeze, { signal: joined.signal });
    this.#onVisibilityChange();
    this.#greet();
  }

  #leave() {
    if (!this.#joined) return;
    this.#post({ kind: 'bye' });
    this.#joined.abort();
    this.#joined = this.id = undefined;
    clearInterval(this.#askTimer);
    this.#stopLeading();
    this.#showing?.();
    this.#showing = undefined;
    for (const release of this.#releases.splice(0)) release();
    this.#channel?.close();
    this.#channel = undefined;
    this.#members.clear();
    for (const { reject } of this.#calls.values()) reject(new Error('The connection was closed before the answer.'));
    this.#calls.clear();
  }

  #memberLock = (id) => `${this.#name} member ${id}`;

  /** Holds a lock until a function that goes to `releases` is called; resolves when it is held. */
  #hold(name, mode, releases) {
    const { signal } = this.#joined;
    return new Promise((resolve) => {
      const held = () =>
        new Promise((release) => {
          releases.push(release);
          if (signal.aborted) release();
          resolve();
        });
      navigator.locks.request(name, { mode, signal }, held).catch(resolve); // aborted: this window has left
    });
  }

  #greet() {
    this.#post({ kind: 'hello', names: this.#host.names(), cursor: this.#isNew ? this.#host.cursor() : undefined });
  }

  #post(message) {
    this.#channel?.postMessage({ from: this.#me, ...message });
  }

  #postCall(call) {
    const { action, names } = this.#calls.get(call);
    this.#post({ kind: 'call', call, action, names, all: this.#host.names() });
  }

  #onVisibilityChange = () => {
    clearInterval(this.#askTimer);
    this.#showing?.();
    this.#showing = undefined;
    if (isHidden()) return;
    const releases = [];
    this.#showing = () => releases.forEach((release) => release());
    this.#hold(`${this.#name} visible`, 'shared', releases);
    this.#askTimer = setInterval(this.#ask, ASK_INTERVAL);
    this.#ask();
  };

  // A frozen window neither leads nor confirms, so it is no member.
  #onFreeze = () => {
    this.close();
    this.#host.lost();
    document.addEventListener('resume', () => this.#host.resume(), { once: true });
  };

  /** Of a leader that hangs, the lock is stolen. */
  #ask = () => {
    if (this.#real) return;
    if (this.#unanswered >= UNANSWERED) {
      this.#unanswered = 0;
      this.#askForLead({ steal: true });
    } else if (Date.now() - this.#heard >= ASK_INTERVAL) {
      this.#unanswered += 1;
      this.#post({ kind: 'ask' });
    }
  };

  #onMessage(message) {
    this.#touch();
    const { kind, from, epoch, names } = message;
    if (epoch !== undefined) {
      if (epoch < this.#epoch) return;
      if (epoch > this.#epoch && this.#real) this.#stepDown();
      this.#epoch = epoch;
      this.#heard = this.#alive;
      this.#unanswered = 0;
      this.#onLeader(message);
      return;
    }
    switch (kind) {
      case 'hello':
        this.#members.set(from, names);
        if (this.#real) this.#welcome(message);
        break;
      case 'names':
        this.#members.set(from, names);
        this.#real?.announce();
        break;
      case 'bye':
        this.#forget(from);
        break;
      case 'ask':
        if (this.#real) this.#postLead({ kind: 'here' });
        break;
      case 'confirm':
        this.#real?.confirm(message.id);
        break;
      case 'call':
        this.#members.set(from, message.all);
        if (this.#real) this.#answer(message);
        break;
      case 'fence':
        if (from === this.#me) this.#passFence?.();
        break;
    }
  }

  #onLeader({ kind, to, event, call, status, text, members, finish, cursor, details }) {
    switch (kind) {
      case 'lead':
        if (to && to !== this.#me) break;
        if (members) for (const [id, names] of members) if (id !== this.#me) this.#members.set(id, names);
        if (finish && !this.id) {
          this.#deliver(new MessageEvent(finish.type, { ...finish, lastEventId: cursor }));
        }
        if (!to) {
          this.#greet();
          for (const pending of this.#calls.keys()) this.#postCall(pending);
        }
        break;
      case 'event':
        this.#deliver(new MessageEvent(event.type, event));
        break;
      case 'connecting':
        this.#host.connecting();
        break;
      case 'lost':
        this.id = undefined;
        this.#host.lost();
        break;
      case 'failed':
        this.#host.failed(details);
        break;
      case 'refused':
        this.#leave();
        this.#host.refused();
        break;
      case 'reply':
        if (to === this.#me) {
          this.#calls.get(call)?.resolve(new Response(text, { status, headers: { 'content-type': 'application/json' } }));
          this.#calls.delete(call);
        }
        break;
    }
  }

  #deliver(event) {
    if (event.type === 'connect-finish') {
      try {
        this.server = Object(JSON.parse(event.data));
      } catch {
        this.server = {};
      }
      this.id = String(this.server.connectionId ?? event.lastEventId);
      this.#isNew = false;
    }
    this.#host.receive(event);
  }

  // ---- leadership

  #askForLead({ steal = false } = {}) {
    const { signal } = this.#joined;
    const term = { isOver: false };
    navigator.locks
      .request(this.#name, steal ? { steal } : { signal }, () => this.#lead(signal, term))
      .then(
        (again) => again && !signal.aborted && this.#askForLead(),
        () => {
          // This window has left, or another has stolen the lock.
          term.isOver = true;
          if (this.#real) this.#stepDown();
          else if (!signal.aborted) this.#askForLead();
        },
      );
  }

  /** Holds the lock until this window resigns. Returns true when it is to be asked for again. */
  async #lead(signal, term) {
    const { held } = await navigator.locks.query();
    const names = held.map(({ name }) => name);
    if (isHidden() && names.includes(`${this.#name} visible`)) return true;
    this.#client = held.find(({ name }) => name === this.#name)?.clientId;
    for (const id of this.#members.keys()) if (!names.includes(this.#memberLock(id))) this.#members.delete(id);
    await this.#fence(signal);
    if (signal.aborted || term.isOver) return false;
    this.#epoch = Math.max(this.#epoch + 1, Date.now());
    this.id = undefined;
    this.#cursor = this.#host.cursor();
    this.#real = new this.#Connection(this.#leaderHost());
    for (const id of this.#members.keys()) this.#watch(id);
    this.#postLead({ kind: 'lead' });
    this.#real.open();
    const resigned = new Promise((resign) => (this.#resign = resign));
    for (const [call, { action, names: changed, resolve, reject }] of this.#calls) {
      this.#calls.delete(call);
      this.#changeAsLeader(action, changed).then(resolve, reject);
    }
    await resigned;
    return false;
  }

  /** What other windows have posted before has arrived then: the last that one has posted may be a connect-close. */
  async #fence(signal) {
    const passed = new Promise((resolve) => {
      this.#passFence = resolve;
      signal.addEventListener('abort', resolve);
    });
    const probe = new BroadcastChannel(this.#name);
    probe.postMessage({ kind: 'fence', from: this.#me });
    await passed;
    probe.close();
  }

  #stopLeading() {
    this.#real?.close();
    this.#real = this.#finish = this.#checking = undefined;
    this.#resign?.();
    this.#resign = undefined;
  }

  #stepDown() {
    if (!this.#real) return;
    this.#stopLeading();
    this.id = undefined;
    this.#host.lost();
    this.#askForLead();
    this.#greet();
  }

  #leaderHost() {
    const host = this.#host;
    return {
      ...host,
      names: () => this.#allNames(),
      // The last event id says what one window has, not that others have handled it.
      parameters: () => ({ ...host.parameters(), lastEventId: this.#cursor, ackBy: 'id' }),
      connecting: () => {
        this.#postLead({ kind: 'connecting' });
        host.connecting();
      },
      lost: () => this.#onLost(),
      failed: (details) => {
        this.#postLead({ kind: 'failed', details });
        host.failed(details);
      },
      refused: () => {
        this.#postLead({ kind: 'refused' });
        this.#leave();
        host.refused();
      },
      receive: (event) => this.#receiveAsLeader(event),
    };
  }

  #allNames() {
    return [...new Set([...this.#host.names(), ...[...this.#members.values()].flat()])];
  }

  #onLost() {
    this.#finish = this.id = undefined;
    this.#postLead({ kind: 'lost' });
    this.#host.lost();
  }

  #postLead(message) {
    this.#post({ epoch: this.#epoch, ...message });
  }

  #receiveAsLeader(event) {
    this.#touch();
    if (this.#checking) this.#checking.push(event);
    else this.#pass(event);
  }

  /** After a pause, in which this window may have been frozen, it first makes sure that it still leads. */
  #touch() {
    const now = Date.now();
    const isLate = now - this.#alive >= ALIVE;
    this.#alive = now;
    if (isLate && this.#real && !this.#checking) this.#check();
  }

  async #check() {
    const waiting = [];
    this.#checking = waiting;
    const { held } = await navigator.locks.query();
    if (this.#checking !== waiting) return; // it has left or been replaced meanwhile
    this.#checking = undefined;
    if (held.some(({ name, clientId }) => name === this.#name && clientId === this.#client)) waiting.forEach(this.#pass);
    else this.#stepDown();
  }

  #pass = (event) => {
    const { type, data, lastEventId } = event;
    if (!this.#real) return;
    const plain = { type, data, lastEventId };
    if (type === 'connect-finish') this.#finish = plain;
    this.#postLead({ kind: 'event', event: plain });
    this.#deliver(event);
    this.#cursor = this.#host.cursor();
  };

  #welcome({ from, cursor }) {
    this.#watch(from);
    // It has missed what the others have had while it was away; they know what they have seen.
    const isBehind = cursor && this.#cursor && isOlder(cursor, this.#cursor);
    const members = [...this.#members, [this.#me, this.#host.names()]];
    this.#postLead({ kind: 'lead', to: from, members, finish: isBehind ? undefined : this.#finish, cursor: this.#cursor });
    if (isBehind) {
      this.#cursor = cursor;
      this.#real.close();
      this.#onLost();
      this.#real.open();
    } else {
      this.#real.announce();
    }
  }

  #watch(id) {
    const { signal } = this.#joined;
    navigator.locks.request(this.#memberLock(id), { signal }, () => this.#forget(id)).catch(() => {});
  }

  #forget(id) {
    if (this.#members.delete(id)) this.#real?.announce();
  }

  #changeAsLeader(action, names) {
    const all = this.#allNames();
    const changed = action === 'addListener' ? names : names.filter((name) => !all.includes(name));
    if (action === 'addListener') this.#real.listen(changed);
    else this.#real.unlisten(changed);
    return this.#real.changeListening(action, changed);
  }

  async #answer({ from, call, action, names }) {
    const response = await this.#changeAsLeader(action, names).catch(() => undefined);
    if (response) this.#postLead({ kind: 'reply', to: from, call, status: response.status, text: await response.text() });
    else this.#postLead({ kind: 'reply', to: from, call, status: 503, text: '' });
  }
}
