// The client of sse-server. sse.d.ts is its manual; web.cc turns it into a classic script by its last line.
//
// What only some pages use is in parts: modules beside this one that import nothing and are loaded when they are used,
// each by one dynamic import of './sse-NAME.js' in this file. web.cc lists them for the server, package.json for npm.
// Workers, Node.js and the rendering of pages on a server have no document: this module may be loaded there, and be used
// with absolute URLs.

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

const LONGEST_DELAY = 60000;
const MAX_QUEUED = 1000;
const MAX_SEEN = 4096;
const ACK_DELAY = 50;
const ACK_BATCH = 100;
const ACK_TIMEOUT = 30000;
const GOODBYE_DELAY = 1000;
// A stream without a sign of life for so many intervals is dead.
const SILENT_INTERVALS = 2.5;
const LONGEST_SILENCE = 60000;
// Of a try to connect: browsers use connections again that have died with the path.
const LONGEST_CONNECT = 10000;
// A timer that is later than this has waited for something else, and so may have the events.
const LATE = 1000;
// Proxies accept request lines of 8 kB and more; the rest is for the host and for cookies.
const MAX_URL = 6000;

// `_set-duration` is the name in Java servers up to 1.2.
const OWN_EVENTS = [
  'connect-finish',
  'connect-close',
  'sse-qos',
  'sse-channel',
  'sse-ping',
  'sse-end',
  'sse-set-duration',
  '_set-duration',
];
const LOCAL_EVENTS = ['sse-change-state', 'sse-change-active', 'sse-connect-failed'];
// Events of window that have no property on window or document, at least in some browsers.
const PAGE_EVENTS = ['DOMContentLoaded', 'pagehide', 'visibilitychange', 'freeze', 'resume'];
const ACTIVITY_EVENTS = ['mousemove', 'mouseover', 'click', 'keydown', 'touchstart'];
const JSON_HEADERS = { 'content-type': 'application/json;charset=UTF-8' };

const page = () => globalThis.document;
const channelsPart = () => import('./sse-channels.js');
const isHidden = () => page()?.visibilityState === 'hidden';

const memory = {};

// Storage throws when blocked or full; values are then stored until the page is closed.
function read(kind, key) {
  try {
    return (page() && globalThis[kind][key]) ?? memory[key];
  } catch {
    return memory[key];
  }
}

function write(kind, key, value) {
  memory[key] = value;
  try {
    if (page()) globalThis[kind][key] = value;
  } catch {
    // stored in memory
  }
}

// crypto.randomUUID is missing on plain http pages.
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(16)).join('');
}

/** An object, also where the data is no JSON object. */
function objectIn(data) {
  try {
    return Object(JSON.parse(data));
  } catch {
    return {};
  }
}

/** Code that listens for these on window expects them from the browser, and `error` calls window.onerror. */
function isPageEvent(name) {
  return `on${name}` in window || `on${name}` in document || PAGE_EVENTS.includes(name);
}

function listenerEntries(names, fn) {
  if (typeof names === 'string') return [[names, fn]];
  if (Array.isArray(names)) return names.map((name) => [name, fn]);
  return Object.entries(names ?? {});
}

function parameters(...sources) {
  const result = new URLSearchParams();
  for (const source of sources) {
    for (const [name, value] of Object.entries(source ?? {})) {
      if (Array.isArray(value)) value.forEach((one) => result.append(name, one));
      else if (value !== undefined && value !== null) result.set(name, value);
    }
  }
  return result;
}

/** The key of a stream that was opened with a ticket takes the place of the ticket, which is used up. */
function requestURL({ url, query, requestKey }, path, more) {
  const credentials = requestKey && { ticket: null, requestKey };
  return `${url}/connect/${path}?${parameters({ ...query, ...credentials }, more)}`;
}

/** `target`: url, query, headers, withCredentials and requestKey. `more`: further properties of the request. */
function post(target, path, body, headers, query, more) {
  return fetch(requestURL(target, path, query), {
    method: 'POST',
    body,
    headers: { ...target.headers, ...headers },
    credentials: credentialsOf(target),
    ...more,
  });
}

function credentialsOf({ withCredentials }) {
  return withCredentials ? 'include' : 'same-origin';
}

/** For goodbyes, whose answer is not read. A beacon carries no headers. */
function beacon(target, path, body) {
  const { navigator } = globalThis;
  if (navigator?.sendBeacon && !target.headers) return navigator.sendBeacon(requestURL(target, path), body);
  post(target, path, body, {}, {}, { keepalive: true }).catch(() => {}); // as little is known of a beacon
  return true;
}

/** What a response says about a refusal. */
function refusalOf(response) {
  const challenge = response.headers.get('www-authenticate') ?? '';
  const part = (name) => challenge.match(new RegExp(`\\b${name}="([^"]*)"`))?.[1];
  return {
    status: response.status,
    reason: part('error') ?? (response.status === 401 ? 'unauthenticated' : 'refused'),
    description: part('error_description'),
    retryAfter: Number(response.headers.get('retry-after')) * 1000 || 0,
  };
}

/**
 * A stream that is opened again whenever it ends, until close(), and the requests that belong to it. It works for `host`,
 * which has `options`, `names()` (to listen to), `parameters()` (of the connect), `refresh()` (of the credentials that
 * `target()` has), `connecting()` and `lost()`, which are called when a stream is opened and when it has broken,
 * `failed(details)` and `refused()` (for good), which are called when it could not be opened, `receive(event)` and
 * `report(error)`.
 */
class Connection {
  id; // of the open stream, from connect-finish on
  server = {}; // data of the last connect-finish
  #host;
  #es;
  #try; // the present one, from open() until the stream ends
  #failures = 0;
  #retryTimer;
  #announced = new Set(); // the names that the server knows, or will know by a queued request
  #announcing = false;
  #acks = [];
  #ackTimer;
  #acking; // the try on which a request with confirmations is on its way
  #ackFailed = false;
  #opened = 0;
  #heard = 0;
  #maxSilence = 0; // 0: the server promises no pings
  #silenceFactor = 1;
  #watchTimer;

  constructor(host) {
    this.#host = host;
  }

  get isOpen() {
    return Boolean(this.#es && this.id);
  }

  /** Connects at once, unless a stream is open or being opened. */
  open = () => {
    if (this.#try) return;
    clearTimeout(this.#retryTimer);
    const { withCredentials, query, headers } = this.#host.options;
    const mine = (this.#try = {});
    this.#host.connecting();
    this.#heard = Date.now();
    this.#watch(LONGEST_CONNECT);
    if (typeof query !== 'function' && !headers) {
      this.#listenTo(new EventSource(this.#url(), { withCredentials }));
      return;
    }
    this.#connectWithCredentials(mine).catch((error) => {
      if (mine !== this.#try) return;
      this.#host.report(error);
      this.#retry({ status: 0, reason: 'credentials', description: String(error) });
    });
  };

  /** Connects anew, because the open stream may be dead. */
  reopen() {
    if (!this.#try) return;
    this.close();
    this.#host.lost();
    this.open();
  }

  async #connectWithCredentials(mine) {
    const { withCredentials, headers } = this.#host.options;
    await this.#host.refresh();
    const part = headers && (await import('./sse-fetch.js'));
    if (mine !== this.#try) return;
    const target = this.#host.target();
    const more = { headers: target.headers, credentials: credentialsOf(target), refusalOf };
    this.#listenTo(part ? new part.FetchStream(this.#url(), more) : new EventSource(this.#url(), { withCredentials }));
  }

  #listenTo(es) {
    this.#es = es;
    for (const name of [...OWN_EVENTS, ...this.#host.names()]) es.addEventListener(name, this.#receive);
    es.onerror = this.#onError;
  }

  /** Ends the stream; with `goodbye`, which returns a form, the server is told. Returns whether that is on its way. */
  close(goodbye) {
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#watchTimer);
    const es = this.#es;
    if (goodbye) this.#sendAcks();
    this.#es = this.#try = this.id = undefined;
    if (!goodbye) {
      es?.close();
      return false;
    }
    // The server should read the reason before the stream ends; an EventSource whose stream ends would reconnect.
    es.onerror = () => es.close();
    setTimeout(es.onerror, GOODBYE_DELAY);
    return beacon(this.#host.target(), 'disconnect.do', goodbye());
  }

  /** The message `id` has been handled. */
  confirm(id) {
    this.#acks.push(id);
    // Timers of hidden pages may run once a minute.
    if (this.#acks.length >= ACK_BATCH || isHidden()) this.#sendAcks();
    else this.#ackTimer ??= setTimeout(this.#sendAcks, ACK_DELAY);
  }

  /** Receives these events; the caller tells the server. */
  listen(names) {
    for (const name of names) {
      this.#announced.add(name);
      this.#es?.addEventListener(name, this.#receive);
    }
  }

  unlisten(names) {
    for (const name of names) {
      this.#announced.delete(name);
      if (!OWN_EVENTS.includes(name)) this.#es?.removeEventListener(name, this.#receive);
    }
  }

  /** `action`: addListener or removeListener. */
  changeListening(action, listener) {
    const body = JSON.stringify({ connectionId: this.id, listener });
    return post(this.#host.target(), `${action}.do`, body, JSON_HEADERS);
  }

  /** Makes the server know the names of the host: sends those that have changed, and those that no URL could hold. */
  async announce() {
    if (this.#announcing) return;
    this.#announcing = true;
    await undefined; // for all calls of one task there is one request
    while (this.isOpen) {
      const es = this.#es;
      const announced = this.#announced;
      const isOurs = (name) => OWN_EVENTS.includes(name) || LOCAL_EVENTS.includes(name);
      const names = this.#host.names();
      const added = names.filter((name) => !announced.has(name) && !isOurs(name));
      const removed = [...announced].filter((name) => !names.includes(name) && !isOurs(name));
      if (!added.length && !removed.length) break;
      const [action, changed] = added.length ? ['addListener', added] : ['removeListener', removed];
      if (added.length) this.listen(added);
      else this.unlisten(removed);
      try {
        const response = await this.changeListening(action, changed);
        const text = await response.text();
        if (!response.ok) this.#host.report(new Error(`${action} of ${changed.length} events was refused: ${text}`));
      } catch {
        // Without these names the stream is not the one that the page wants.
        if (es === this.#es) this.#retry({ status: 0, reason: 'network' });
      }
    }
    this.#announcing = false;
  }

  #url() {
    const { url, query } = this.#host.target();
    const { channel, ...own } = this.#host.parameters();
    const address = (listeners) => `${url}/connect?${parameters(own, { listeners }, query, { channel })}`;
    let room = MAX_URL - address('').length;
    const fitting = this.#host.names().filter((name) => {
      room -= encodeURIComponent(`${name},`).length;
      return room >= 0 && !/,|^\s|\s$/.test(name);
    });
    this.#announced = new Set(fitting);
    return address(fitting.join(','));
  }

  // An event of the server may be named "error", too; that one has data.
  #onError = (event) => {
    const es = event.target;
    if ('data' in event || es !== this.#es) return;
    if (es.failure) this.#retry(es.failure);
    // An EventSource that gives up has got an answer, and does not tell which.
    else if (es.readyState === CLOSED && !this.id) this.#askWhy();
    else this.#retry({ status: 0, reason: 'network' });
  };

  async #askWhy() {
    const mine = this.#try;
    let why = { status: 0, reason: 'network' };
    try {
      const signal = AbortSignal.timeout(ACK_TIMEOUT);
      const request = { method: 'HEAD', credentials: credentialsOf(this.#host.target()), cache: 'no-store', signal };
      const response = await fetch(this.#url(), request);
      why = response.status === 200 ? { status: 200, reason: 'network' } : refusalOf(response);
    } catch {
      // the network has failed since
    }
    if (mine === this.#try) this.#retry(why);
  }

  /** The stream has ended, or could not be opened because of `why`. */
  #retry(why) {
    const opened = this.id;
    const { options } = this.#host;
    const base = options.reconnectTime || Number(this.server.reconnectTime) || Sse.DEFAULT_RECONNECT_TIME;
    const delay = Math.min(base * 2 ** this.#failures++, Math.max(base, LONGEST_DELAY)) * (0.5 + Math.random());
    this.#reopenAfter(Math.max(delay, why.retryAfter ?? 0));
    if (opened) return;
    const isFinal = why.status === 204;
    const nextTry = isFinal ? null : Math.round(Math.max(delay, why.retryAfter ?? 0));
    const { status, reason, description } = why;
    if (isFinal) this.close();
    this.#host.failed({ attempt: this.#failures, status, reason, description, nextTry });
    if (isFinal && !this.#try) this.#host.refused();
  }

  #reopenAfter(delay) {
    this.close();
    this.#retryTimer = setTimeout(this.open, delay);
    this.#host.lost();
  }

  #receive = (event) => {
    // The browser's own `open` and `error` have no data.
    if (event.target !== this.#es || !('data' in event)) return;
    this.#heard = Date.now();
    if (event.type === 'sse-ping') {
      if (this.#heard - this.#opened > LONGEST_SILENCE) this.#silenceFactor = 1;
      return;
    }
    if (event.type === 'connect-finish') {
      this.server = objectIn(event.data);
      this.id = String(this.server.connectionId ?? event.lastEventId);
      if (!this.#ackFailed) this.#failures = 0;
      this.#opened = this.#heard;
      this.#watch();
    }
    this.#host.receive(event);
    if (event.type === 'connect-finish') {
      this.#sendAcks();
      this.announce();
    }
    if (event.type === 'sse-end' && event.target === this.#es) {
      this.#reopenAfter(Number(objectIn(event.data).retry) || 0);
    }
  };

  // ---- is the stream alive?

  /** Limits the silence, at least to `least`, where the server promises pings, or has promised them before. */
  #watch(least = 0) {
    clearTimeout(this.#watchTimer);
    const silence = SILENT_INTERVALS * Number(this.server.pingInterval);
    if (!(silence > 0)) return;
    const shortest = Math.max(silence, least);
    this.#maxSilence = Math.max(shortest, Math.min(shortest * this.#silenceFactor, LONGEST_SILENCE));
    this.#checkAt(this.#maxSilence);
  }

  #checkAt(delay, isSecond = false) {
    const due = Date.now() + delay;
    this.#watchTimer = setTimeout(() => {
      const now = Date.now();
      const silence = Math.max(now - this.#heard, 0);
      if (silence < this.#maxSilence) return this.#checkAt(this.#maxSilence - silence);
      if (!isSecond && now - due > LATE) return this.#checkAt(LATE, true);
      // One large event on a slow line takes its time.
      this.#silenceFactor *= 2;
      if (this.id) this.reopen();
      else this.#retry({ status: 0, reason: 'network' });
    }, delay);
  }

  // ---- confirmations

  #sendAcks = async () => {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    const mine = this.#try;
    if (!this.isOpen || !this.#acks.length || this.#acking === mine) return;
    const ids = this.#acks.splice(0, ACK_BATCH);
    this.#acking = mine;
    let arrived = false;
    try {
      const body = JSON.stringify({ connectionId: this.id, ids });
      const signal = AbortSignal.timeout(ACK_TIMEOUT);
      // Without a content type it needs no preflight (Fetch §2.2.2), and so may outlive the page.
      const response = await post(this.#host.target(), 'ack.do', body, {}, {}, { keepalive: true, signal });
      arrived = response.ok && !(await response.json()).data?.error;
    } catch {
      // as if it had been refused
    }
    if (this.#acking === mine) this.#acking = undefined;
    if (arrived) {
      if (this.#ackFailed) this.#failures = 0;
      this.#ackFailed = false;
      this.#sendAcks();
      return;
    }
    // The server forgets nothing that is not confirmed. If the stream is dead, too, it sends the messages again.
    this.#acks = [...ids, ...this.#acks].slice(-MAX_SEEN);
    if (mine !== this.#try) return this.#sendAcks();
    this.#ackFailed = true;
    this.#retry({ status: 0, reason: 'network' });
  };
}

class Sse {
  static version = '0.2.0';
  static DEFAULT_OPTIONS = {
    url: '/my-sse',
    eventListeners: {},
    intercepts: [],
    query: {},
    headers: null,
    withCredentials: true,
    clientId: null,
    accessTimestamp: null,
    reconnectTime: null,
    keepaliveTime: 900000,
    useWindowEventBus: true,
    leaveTimeout: 5000,
    leaveCheckInterval: 500,
    share: false,
    whenHidden: 'close',
  };
  static DEFAULT_RECONNECT_TIME = 5000;
  static IMPORT_MODULE_TIMESTAMP = Date.now();
  static STATE_CONNECTING = CONNECTING;
  static STATE_OPEN = OPEN;
  static STATE_CLOSED = CLOSED;
  static SERVER_TRIGGER_CLOSE = 'server';
  static CLIENT_TRIGGER_CLOSE = 'client';

  state = CLOSED;
  connectionId = undefined;
  connectionName = '';
  serverVersion = undefined;
  createTimestamp = Date.now();
  instanceId = randomId();

  #connection;
  #host; // of the connection
  #made = {}; // query and headers that functions have returned last
  #sharing; // no, wanted, loading: whether the connection is still to be replaced by a shared one
  #life = new AbortController();
  #wanted = false; // The page wants a connection, whether or not one is possible now.
  #replaced = false; // Another window has taken the place of this one.
  #listeners; // those of addListener: one for each name
  #moreListeners = new Map(); // those of on: name → function → once
  #queue = [];
  #draining = false;

  #streamId = ''; // EventSource repeats the last id on events without one.
  #lastEventId;
  #marked = false;
  #mark = {}; // of the channel of the next event
  #seen = new Set();
  #channels; // the part for them, once subscribe() was called
  #marks; // pending or done: that part is loaded
  #marksAsked = false; // of the stream

  #userActive = false;
  #activeSince = 0;
  #lastActivity = 0;
  #connectionSeconds = 0;
  #activityTimer;

  constructor(options) {
    this.options = { ...Sse.DEFAULT_OPTIONS, ...options };
    const { share, query, headers } = this.options;
    if (share === true && [query, headers].some((value) => typeof value === 'function')) {
      throw new TypeError('With credentials that are functions, share is a string that differs from user to user.');
    }
    this.#listeners = new Map(listenerEntries(this.options.eventListeners));
    this.clientId = this.options.clientId || read('localStorage', 'sseClientId') || randomId();
    write('localStorage', 'sseClientId', this.clientId);
    this.options.accessTimestamp ||= Number(read('sessionStorage', 'sseAccessTimestamp')) || Date.now();
    write('sessionStorage', 'sseAccessTimestamp', this.options.accessTimestamp);

    const on = (target, name, fn) =>
      target?.addEventListener?.(name, fn, { passive: true, signal: this.#life.signal });
    on(page(), 'visibilitychange', this.#onVisibilityChange);
    on(globalThis, 'pagehide', this.#onPageHide);
    on(globalThis, 'pageshow', ({ persisted }) => this.#wakeUp(persisted));
    on(globalThis, 'online', this.#wakeUp);
    on(page(), 'resume', this.#wakeUp);
    for (const name of ACTIVITY_EVENTS) on(page(), name, this.#onActivity);
    this.#connection = this.#newConnection();
    this.#wanted = true;
    queueMicrotask(this.#resume); // with the listeners that on() adds until then
  }

  connect() {
    if (this.#life.signal.aborted) return;
    this.#wanted = true;
    this.#replaced = false;
    this.#resume();
  }

  close(reason = 'close') {
    this.#wanted = this.#replaced = false;
    return this.#disconnect(reason);
  }

  destroy() {
    this.close('destroy');
    this.#life.abort();
    for (const { reject } of this.#queue.splice(0)) reject(this.#destroyedError());
  }

  switchURL(url) {
    if (url === this.options.url) return;
    this.#disconnect('switchURL');
    this.options.url = url;
    this.#lastEventId = undefined;
    this.#channels?.restart();
    this.#seen.clear();
    this.#connection = this.#newConnection();
    this.connect();
  }

  isActive() {
    return this.state === OPEN && this.#connection.isOpen;
  }

  getEventListeners() {
    return Object.fromEntries(this.#listeners);
  }

  addListener(names, fn) {
    const added = listenerEntries(names, fn);
    for (const [name, listener] of added) this.#listeners.set(name, listener);
    return this.#changeListening(
      'addListener',
      added.map(([name]) => name),
    );
  }

  removeListener(names) {
    const removed = listenerEntries(names).map(([name]) => name);
    for (const name of removed) this.#listeners.delete(name);
    const unused = removed.filter((name) => !this.#moreListeners.has(name));
    return this.#changeListening('removeListener', unused);
  }

  on(name, fn, { once = false } = {}) {
    if (typeof fn !== 'function') throw new TypeError('on() takes an event name and a function.');
    if (!this.#moreListeners.has(name)) this.#moreListeners.set(name, new Map());
    this.#moreListeners.get(name).set(fn, once);
    this.#connection.announce();
    return () => this.off(name, fn);
  }

  off(name, fn) {
    const fns = this.#moreListeners.get(name);
    if (!fns?.delete(fn) || fns.size) return;
    this.#moreListeners.delete(name);
    if (!this.#listeners.has(name)) this.#connection.announce();
  }

  send(path = '', body = {}, query = {}, headers = {}) {
    const text = JSON.stringify(body);
    return this.#whenActive(() =>
      post(
        this.#target(),
        `message/${path}.do`,
        text,
        { ...JSON_HEADERS, ...headers },
        { ...query, connectionId: this.connectionId },
      ),
    );
  }

  upload(path = '', formData, query = {}, headers = {}) {
    if (!(formData instanceof FormData)) {
      return Promise.reject(new TypeError('upload() takes a FormData object.'));
    }
    return this.#whenActive(() =>
      post(this.#target(), `upload/${path}.do`, formData, headers, { ...query, connectionId: this.connectionId }),
    );
  }

  subscribe(channel, options, listener) {
    return this.#withChannels((channels) => channels.subscribe(channel, options, listener));
  }

  unsubscribe(channel, listener) {
    return this.#withChannels((channels) => channels.unsubscribe(channel, listener));
  }

  async publish(...event) {
    const { publish } = await channelsPart();
    return publish((body) => this.#postOfStream('publish', () => body), ...event);
  }

  #postOfStream(action, more) {
    return this.#whenActive(() => {
      const body = JSON.stringify({ connectionId: this.connectionId, ...more() });
      return post(this.#target(), `${action}.do`, body, JSON_HEADERS);
    });
  }

  async #withChannels(use) {
    if (this.options.share) throw new TypeError('A shared stream cannot subscribe to channels.');
    this.#marks ??= channelsPart().then(({ Channels }) => {
      this.#channels = new Channels({
        on: (name, fn) => this.on(name, fn),
        off: (name, fn) => this.off(name, fn),
        call: (fn, event) => this.#call(fn, event),
        presence: () => import('./sse-presence.js'),
        request: (action, body) => this.#postOfStream(action, body),
      });
    });
    await this.#marks;
    // A stream that was opened before the first call has no marks.
    if (!this.#marksAsked) this.#connection.reopen();
    return use(this.#channels);
  }

  // ---- the stream

  #newConnection() {
    this.#host = {
      options: this.options,
      names: () => [...new Set([...this.#listeners.keys(), ...this.#moreListeners.keys()])],
      parameters: () => this.#parameters(),
      cursor: () => this.#lastEventId,
      resume: this.#resume,
      target: () => this.#target(),
      refresh: () => this.#refresh(),
      connecting: () => {
        this.#streamId = '';
        this.#mark = {};
        this.#setState(CONNECTING);
      },
      lost: () => {
        this.#leave(CONNECTING);
        this.connectionId = undefined;
      },
      failed: (details) => this.#emitLocal('sse-connect-failed', details),
      refused: () => {
        this.#wanted = false;
        this.#leave(CLOSED);
      },
      receive: (event) => this.#receive(event),
      report: (error) => this.#report(error),
    };
    this.#sharing = this.options.share ? 'wanted' : 'no';
    return new Connection(this.#host);
  }

  #resume = () => {
    if (!this.#mayConnect()) return;
    if (this.#sharing === 'no') this.#connection.open();
    else if (this.#sharing === 'wanted') this.#share();
  };

  /** Of requests. */
  #target() {
    const { url, withCredentials, query, headers } = this.options;
    const current = (given, made) => (typeof given === 'function' ? made : (given ?? undefined));
    return {
      url,
      withCredentials,
      requestKey: this.#connection.server.requestKey,
      query: current(query, this.#made.query),
      headers: current(headers, this.#made.headers),
    };
  }

  /** Calls the functions for credentials, so that these are fresh. */
  async #refresh() {
    const { query, headers } = this.options;
    const made = {};
    if (typeof query === 'function') made.query = await query();
    if (typeof headers === 'function') made.headers = (await headers()) ?? undefined;
    this.#made = made;
  }

  #mayConnect() {
    return this.#wanted && (!isHidden() || this.options.whenHidden === 'stay');
  }

  /** The network or the machine was away: what looks open may be dead. */
  #wakeUp = (wasAway = true) => {
    if (wasAway && this.#mayConnect()) this.#connection.reopen();
    this.#resume();
  };

  /** Replaces the connection by one that is shared, or leaves it where that is not possible. */
  async #share() {
    const host = this.#host;
    this.#sharing = 'loading';
    this.#setState(CONNECTING);
    let shared;
    try {
      const { SharedConnection, canShare } = await import('./sse-share.js');
      if (canShare()) shared = new SharedConnection(Connection, host, Sse.version);
    } catch (error) {
      this.#report(error);
    }
    if (host !== this.#host) return; // switchURL
    if (shared) this.#connection = shared;
    this.#sharing = 'no';
    this.#resume();
  }

  #parameters() {
    const { keepaliveTime, accessTimestamp, useWindowEventBus } = this.options;
    const { totalJSHeapSize, usedJSHeapSize, jsHeapSizeLimit } = performance.memory ?? {};
    const { screen, location } = globalThis;
    this.#marksAsked = Boolean(this.#marks);
    return {
      clientId: this.clientId,
      clientVersion: Sse.version,
      clientImportModuleTime: Sse.IMPORT_MODULE_TIMESTAMP,
      clientInstanceTime: this.createTimestamp,
      clientInstanceId: this.instanceId,
      keepaliveTime,
      sessionDuration: Math.round(this.#sessionSeconds),
      accessTime: accessTimestamp,
      screen: screen && `${screen.width}x${screen.height}`,
      locationHref: location?.href.slice(0, 2000),
      useWindowEventBus,
      totalJSHeapSize,
      usedJSHeapSize,
      jsHeapSizeLimit,
      lastEventId: this.#lastEventId,
      ack: 1,
      ackMarks: 1,
      ping: 1,
      ends: 1,
      channelMarks: this.#marks && 1,
      channel: this.#channels?.names(this.#lastEventId),
      presence: this.#channels?.watched(),
    };
  }

  #receive(event) {
    if (event.type === 'sse-channel') {
      this.#channels?.passed(this.#mark);
      this.#mark = objectIn(event.data);
      this.#channels?.ended(this.#mark);
      return;
    }
    const marked = this.#marked; // With ackMarks only the event after an `sse-qos` is confirmed.
    this.#marked = event.type === 'sse-qos';
    if (this.#marked) return;
    // Of an event without a listener only the mark arrives.
    const { channel, id } = this.#mark.event === event.type ? this.#mark : {};
    this.#channels?.passed(this.#mark);
    this.#mark = {};
    if (channel) event.channel = channel;
    // An id in the mark is that of the event alone: the stream resumes from another one.
    const ownId = id ?? ((marked || event.lastEventId !== this.#streamId) && event.lastEventId);
    this.#streamId = event.lastEventId ?? this.#streamId;
    if (this.#handleOwn(event)) return;
    if (marked) event.qos = true;
    const isWanted = this.#listeners.has(event.type) || this.#moreListeners.has(event.type);
    const { ack, ackMarks = false } = this.#connection.server;
    // A message may be older than the last event.
    if (ownId && !id && (!marked || ownId.padStart(20) > (this.#lastEventId ?? '').padStart(20))) this.#lastEventId = ownId;
    if (!isWanted) return; // a message without a listener is not confirmed
    // Java servers, which do not ask for confirmations, restart ids on every connection.
    if (!ownId || !ack || !this.#seen.has(ownId)) this.#emit(event);
    if (!ownId || !ack) return;
    this.#seen.add(ownId);
    if (this.#seen.size > MAX_SEEN) this.#seen.delete(this.#seen.values().next().value);
    if (marked === ackMarks) this.#connection.confirm(ownId);
  }

  #handleOwn(event) {
    switch (event.type) {
      case 'connect-finish':
        this.#onConnectFinish(event);
        return true;
      case 'connect-close':
        this.#wanted = false;
        this.#replaced = objectIn(event.data).reason === 'replaced';
        this.#connection.close();
        this.#leave(CLOSED);
        this.#emitClose(event, Sse.SERVER_TRIGGER_CLOSE, 'server-close');
        return true;
      case 'sse-set-duration':
      case '_set-duration':
        this.#setSessionSeconds(objectIn(event.data).duration);
        this.#emit(event);
        return true;
    }
    return false;
  }

  #onConnectFinish(event) {
    const { id, server } = this.#connection;
    this.connectionId = id;
    this.connectionName = server.name;
    this.serverVersion = server.version;
    this.#lastEventId = event.lastEventId; // the old one while missed events follow
    this.#connectionSeconds = 0;
    this.#lastActivity = Date.now();
    this.#setState(OPEN);
    if (page()) {
      this.#checkActivity();
      this.#activityTimer = setInterval(this.#checkActivity, this.options.leaveCheckInterval);
    }
    this.#emit(event);
    this.#drain();
    this.#channels?.opened();
  }

  /** `connectionId` stays for the listeners. */
  #leave(state) {
    clearInterval(this.#activityTimer);
    this.#setUserActive(false);
    this.#setState(state);
  }

  #disconnect(reason) {
    const { connectionId } = this;
    if (!this.isActive()) {
      this.#connection.close();
      this.#leave(CLOSED);
      return false;
    }
    const sent = this.#connection.close(() => {
      this.#leave(CLOSED);
      return parameters({
        connectionId,
        clientId: this.clientId,
        reason,
        duration: Math.round(this.#connectionSeconds),
        sessionDuration: Math.round(this.#sessionSeconds),
        sseVersion: Sse.version,
      });
    });
    const event = new MessageEvent('connect-close', { data: `{"connectionId": "${connectionId}"}` });
    this.#emitClose(event, Sse.CLIENT_TRIGGER_CLOSE, reason);
    return sent;
  }

  #onVisibilityChange = () => {
    if (isHidden()) {
      if (this.options.whenHidden !== 'stay') this.#disconnect('visibilitychange');
      return;
    }
    // Only a window that is shown again comes back: of several that are visible each would push out another.
    this.#wanted ||= this.#replaced;
    this.#replaced = false;
    this.#resume();
  };

  #onPageHide = () => this.#disconnect('unload');

  // ---- events for the page

  #setState(state) {
    const oldState = this.state;
    if (state === oldState) return;
    this.state = state;
    this.#emitLocal('sse-change-state', { oldState, newState: state });
  }

  #emitClose(event, whoTriggerClose, closeReason) {
    const info = { whoTriggerClose, closeReason };
    const closed = this.connectionId;
    this.#emit(Object.assign(event, info), info);
    if (this.connectionId === closed) this.connectionId = undefined;
  }

  #emitLocal(name, data) {
    this.#emit(new MessageEvent(name, { data }));
  }

  #emit(event, closeInfo) {
    event.url = this.options.url;
    for (const intercept of this.options.intercepts) this.#call(intercept, event);
    this.#call(this.#listeners.get(event.type), event, closeInfo);
    const fns = this.#moreListeners.get(event.type);
    for (const [fn, once] of [...(fns ?? [])]) {
      if (!fns.has(fn)) continue;
      if (once) this.off(event.type, fn);
      this.#call(fn, event, closeInfo);
    }
    if (this.options.useWindowEventBus && page() && !isPageEvent(event.type)) {
      const copy = new MessageEvent(event.type, event);
      window.dispatchEvent(Object.assign(copy, { url: event.url }, closeInfo));
    }
  }

  /** An exception is reported as uncaught; other listeners still get the event. */
  #call(fn, ...args) {
    try {
      fn?.apply(this, args);
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error) {
    setTimeout(() => {
      throw error;
    });
  }

  // ---- requests of the page

  #changeListening(action, names) {
    if (action === 'addListener') this.#connection.listen(names);
    else this.#connection.unlisten(names);
    return this.#whenActive(() => this.#connection.changeListening(action, names));
  }

  #whenActive(task) {
    if (this.#life.signal.aborted) return Promise.reject(this.#destroyedError());
    if (this.isActive() && !this.#draining) return task();
    if (this.#queue.length >= MAX_QUEUED) {
      return Promise.reject(
        new Error(`${MAX_QUEUED} requests wait already; this one was refused.`),
      );
    }
    return new Promise((resolve, reject) => this.#queue.push({ task, resolve, reject }));
  }

  /** One request at a time, so that they arrive in order. */
  async #drain() {
    if (this.#draining) return;
    this.#draining = true;
    while (this.#queue.length && this.isActive()) {
      const { task, resolve, reject } = this.#queue.shift();
      await task().then(resolve, reject);
    }
    this.#draining = false;
  }

  #destroyedError() {
    return new Error('This Sse object was destroyed; create a new one to send.');
  }

  // ---- active time of the user

  get #sessionSeconds() {
    return Number(read('sessionStorage', `sseDuration${this.options.url}`)) || 0;
  }

  set #sessionSeconds(seconds) {
    write('sessionStorage', `sseDuration${this.options.url}`, seconds);
  }

  #setSessionSeconds(duration) {
    const seconds = Number(duration ?? NaN);
    if (!Number.isFinite(seconds)) return;
    this.#sessionSeconds = seconds;
    this.#activeSince = Date.now();
  }

  #onActivity = () => {
    this.#lastActivity = Date.now();
  };

  #checkActivity = () => this.#setUserActive(Date.now() - this.#lastActivity < this.options.leaveTimeout);

  #setUserActive(active) {
    const oldActive = this.#userActive;
    if (active === oldActive) return;
    const seconds = oldActive ? (Date.now() - this.#activeSince) / 1000 : 0;
    const duration = { sessionDuration: Math.round(this.#sessionSeconds), duration: Math.round(seconds) };
    this.#userActive = active;
    this.#activeSince = Date.now();
    this.#connectionSeconds += seconds;
    if (seconds) this.#sessionSeconds += seconds;
    this.#emitLocal('sse-change-active', { oldActive, newActive: active, duration });
  }
}

export default Sse;
