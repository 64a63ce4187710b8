// The browser client of sse-server. sse.d.ts is its manual; web.cc turns it into a classic script by its last line.

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

const LONGEST_DELAY = 60000;
const MAX_QUEUED = 1000;
const MAX_SEEN = 4096;
const ACK_DELAY = 50;
const ACK_BATCH = 100;
const GOODBYE_DELAY = 1000;
// Proxies accept request lines of 8 kB and more; the rest is for the host and for cookies.
const MAX_URL = 6000;

// `_set-duration` is the name in Java servers up to 1.2.
const OWN_EVENTS = ['connect-finish', 'connect-close', 'sse-qos', 'sse-set-duration', '_set-duration'];
const LOCAL_EVENTS = ['sse-change-state', 'sse-change-active'];
// Events of window that have no property on window or document, at least in some browsers.
const PAGE_EVENTS = ['DOMContentLoaded', 'pagehide', 'visibilitychange', 'freeze', 'resume'];
const ACTIVITY_EVENTS = ['mousemove', 'mouseover', 'click', 'keydown', 'touchstart'];
const JSON_HEADERS = { 'content-type': 'application/json;charset=UTF-8' };

const memory = {};

// Storage throws when blocked or full; values are then stored until the page is closed.
function read(kind, key) {
  try {
    return window[kind][key] ?? memory[key];
  } catch {
    return memory[key];
  }
}

function write(kind, key, value) {
  memory[key] = value;
  try {
    window[kind][key] = value;
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
      if (value !== undefined && value !== null) result.set(name, value);
    }
  }
  return result;
}

class Sse {
  static version = '0.1.0';
  static DEFAULT_OPTIONS = {
    url: '/my-sse',
    eventListeners: {},
    intercepts: [],
    query: {},
    withCredentials: true,
    clientId: null,
    accessTimestamp: null,
    reconnectTime: null,
    keepaliveTime: 900000,
    useWindowEventBus: true,
    leaveTimeout: 5000,
    leaveCheckInterval: 500,
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

  #es;
  #life = new AbortController();
  #wanted = false; // The page wants a connection, whether or not one is possible now.
  #failures = 0;
  #retryTimer;
  #server = {}; // data of connect-finish
  #listeners; // those of addListener: one for each name
  #moreListeners = new Map(); // those of on: name → function → once
  #announced = new Set(); // the names that the server knows, or will know by a queued request
  #announcing = false;
  #queue = [];
  #draining = false;

  #streamId = ''; // EventSource repeats the last id on events without one.
  #lastEventId;
  #marked = false;
  #seen = new Set();
  #acks = [];
  #ackTimer;

  #userActive = false;
  #activeSince = 0;
  #lastActivity = 0;
  #connectionSeconds = 0;
  #activityTimer;

  constructor(options) {
    this.options = { ...Sse.DEFAULT_OPTIONS, ...options };
    this.#listeners = new Map(listenerEntries(this.options.eventListeners));
    this.clientId = this.options.clientId || read('localStorage', 'sseClientId') || randomId();
    write('localStorage', 'sseClientId', this.clientId);
    this.options.accessTimestamp ||= Number(read('sessionStorage', 'sseAccessTimestamp')) || Date.now();
    write('sessionStorage', 'sseAccessTimestamp', this.options.accessTimestamp);

    const on = (target, name, fn) =>
      target.addEventListener(name, fn, { passive: true, signal: this.#life.signal });
    on(document, 'visibilitychange', this.#onVisibilityChange);
    on(window, 'pagehide', this.#onPageHide);
    on(window, 'pageshow', this.#resume);
    on(window, 'online', this.#resume);
    for (const name of ACTIVITY_EVENTS) on(document, name, this.#onActivity);
    this.connect();
  }

  connect() {
    if (this.#life.signal.aborted) return;
    this.#wanted = true;
    this.#resume();
  }

  close(reason = 'close') {
    this.#wanted = false;
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
    this.#seen.clear();
    this.#acks = [];
    this.connect();
  }

  isActive() {
    return this.state === OPEN && Boolean(this.#es);
  }

  getEventListeners() {
    return Object.fromEntries(this.#listeners);
  }

  addListener(names, fn) {
    const added = listenerEntries(names, fn);
    for (const [name, listener] of added) {
      this.#listeners.set(name, listener);
      this.#es?.addEventListener(name, this.#receive);
      this.#announced.add(name);
    }
    return this.#changeListening(
      'addListener',
      added.map(([name]) => name),
    );
  }

  removeListener(names) {
    const removed = listenerEntries(names).map(([name]) => name);
    for (const name of removed) this.#listeners.delete(name);
    const unused = removed.filter((name) => !this.#moreListeners.has(name));
    for (const name of unused) {
      this.#stopReceiving(name);
      this.#announced.delete(name);
    }
    return this.#changeListening('removeListener', unused);
  }

  on(name, fn, { once = false } = {}) {
    if (typeof fn !== 'function') throw new TypeError('on() takes an event name and a function.');
    if (!this.#moreListeners.has(name)) this.#moreListeners.set(name, new Map());
    this.#moreListeners.get(name).set(fn, once);
    this.#es?.addEventListener(name, this.#receive);
    this.#announce();
    return () => this.off(name, fn);
  }

  off(name, fn) {
    const fns = this.#moreListeners.get(name);
    if (!fns?.delete(fn) || fns.size) return;
    this.#moreListeners.delete(name);
    if (this.#listeners.has(name)) return;
    this.#stopReceiving(name);
    this.#announce();
  }

  send(path = '', body = {}, query = {}, headers = {}) {
    const text = JSON.stringify(body);
    return this.#whenActive(() =>
      this.#post(
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
      this.#post(`upload/${path}.do`, formData, headers, { ...query, connectionId: this.connectionId }),
    );
  }

  // ---- the stream

  #resume = () => {
    if (!this.#wanted || this.#es || document.visibilityState === 'hidden') return;
    clearTimeout(this.#retryTimer);
    this.#streamId = '';
    const es = new EventSource(this.#connectURL(), { withCredentials: this.options.withCredentials });
    this.#es = es;
    for (const name of [...OWN_EVENTS, ...this.#names()]) es.addEventListener(name, this.#receive);
    es.onerror = this.#onStreamError;
    this.#setState(CONNECTING);
  };

  #connectURL() {
    const { keepaliveTime, accessTimestamp, useWindowEventBus, query } = this.options;
    const { totalJSHeapSize, usedJSHeapSize, jsHeapSizeLimit } = performance.memory ?? {};
    const own = {
      clientId: this.clientId,
      clientVersion: Sse.version,
      clientImportModuleTime: Sse.IMPORT_MODULE_TIMESTAMP,
      clientInstanceTime: this.createTimestamp,
      clientInstanceId: this.instanceId,
      keepaliveTime,
      sessionDuration: Math.round(this.#sessionSeconds),
      accessTime: accessTimestamp,
      screen: `${screen.width}x${screen.height}`,
      locationHref: location.href.slice(0, 2000),
      useWindowEventBus,
      totalJSHeapSize,
      usedJSHeapSize,
      jsHeapSizeLimit,
      lastEventId: this.#lastEventId,
      ack: 1,
      ackMarks: 1,
    };
    const address = (listeners) => `${this.options.url}/connect?${parameters(own, { listeners }, query)}`;
    let room = MAX_URL - address('').length;
    const fitting = this.#names().filter((name) => {
      room -= encodeURIComponent(`${name},`).length;
      return room >= 0 && !/,|^\s|\s$/.test(name);
    });
    this.#announced = new Set(fitting);
    return address(fitting.join(','));
  }

  // An event of the server may be named "error", too; that one has data.
  #onStreamError = (event) => {
    if (!('data' in event) && event.target === this.#es) this.#reconnect();
  };

  #reconnect() {
    this.#leave(CONNECTING);
    this.connectionId = undefined;
    const base = this.options.reconnectTime || Number(this.#server.reconnectTime) || Sse.DEFAULT_RECONNECT_TIME;
    const delay = Math.min(base * 2 ** this.#failures++, Math.max(base, LONGEST_DELAY));
    this.#retryTimer = setTimeout(this.#resume, delay * (0.5 + Math.random()));
  }

  #receive = (event) => {
    // The browser's own `open` and `error` have no data.
    if (event.target !== this.#es || !('data' in event)) return;
    const marked = this.#marked; // With ackMarks only the event after an `sse-qos` is confirmed.
    this.#marked = event.type === 'sse-qos';
    if (this.#marked) return;
    const ownId = (marked || event.lastEventId !== this.#streamId) && event.lastEventId;
    this.#streamId = event.lastEventId ?? this.#streamId;
    switch (event.type) {
      case 'connect-finish':
        return this.#onConnectFinish(event);
      case 'connect-close':
        this.#wanted = false;
        this.#leave(CLOSED);
        return this.#emitClose(event, Sse.SERVER_TRIGGER_CLOSE, 'server-close');
      case 'sse-set-duration':
      case '_set-duration':
        this.#setSessionSeconds(objectIn(event.data).duration);
        return this.#emit(event);
    }
    if (!ownId) return this.#emit(event);

    // Java servers restart ids on every connection.
    const { ack, ackMarks = false } = this.#server;
    const known = ack && this.#seen.has(ownId);
    // A message may be older than the last event.
    if (!marked || ownId.padStart(20) > (this.#lastEventId ?? '').padStart(20)) this.#lastEventId = ownId;
    if (ack) {
      this.#seen.add(ownId);
      if (this.#seen.size > MAX_SEEN) this.#seen.delete(this.#seen.values().next().value);
    }
    if (!known) this.#emit(event);
    if (ack && marked === ackMarks) this.#confirm(ownId);
  };

  #onConnectFinish(event) {
    this.#server = objectIn(event.data);
    this.connectionId = String(this.#server.connectionId ?? event.lastEventId);
    this.connectionName = this.#server.name;
    this.serverVersion = this.#server.version;
    this.#failures = 0;
    this.#lastEventId = event.lastEventId; // the old one while missed events follow
    this.#connectionSeconds = 0;
    this.#lastActivity = Date.now();
    this.#setState(OPEN);
    this.#checkActivity();
    this.#activityTimer = setInterval(this.#checkActivity, this.options.leaveCheckInterval);
    this.#emit(event);
    this.#sendAcks();
    this.#drain();
    this.#announce();
  }

  /** `connectionId` stays for the listeners. */
  #leave(state) {
    clearTimeout(this.#retryTimer);
    clearInterval(this.#activityTimer);
    this.#es?.close();
    this.#es = undefined;
    this.#setUserActive(false);
    this.#setState(state);
  }

  #disconnect(reason) {
    const { connectionId } = this;
    if (!this.isActive()) {
      this.#leave(CLOSED);
      return false;
    }
    this.#sendAcks();
    // The server should read the reason before the stream ends; an EventSource whose stream ends would reconnect.
    const es = this.#es;
    es.onerror = () => es.close();
    setTimeout(es.onerror, GOODBYE_DELAY);
    this.#es = undefined;
    this.#leave(CLOSED);
    const form = parameters({
      connectionId,
      clientId: this.clientId,
      reason,
      duration: Math.round(this.#connectionSeconds),
      sessionDuration: Math.round(this.#sessionSeconds),
      sseVersion: Sse.version,
    });
    const sent = this.#beacon('disconnect.do', form);
    const event = new MessageEvent('connect-close', { data: `{"connectionId": "${connectionId}"}` });
    this.#emitClose(event, Sse.CLIENT_TRIGGER_CLOSE, reason);
    return sent;
  }

  #onVisibilityChange = () => {
    if (document.visibilityState === 'hidden') this.#disconnect('visibilitychange');
    else this.#resume();
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
    if (this.options.useWindowEventBus && !isPageEvent(event.type)) {
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

  #requestURL(path, query) {
    return `${this.options.url}/connect/${path}?${parameters(this.options.query, query)}`;
  }

  #beacon(path, body) {
    return navigator.sendBeacon(this.#requestURL(path), body);
  }

  #post(path, body, headers, query) {
    return fetch(this.#requestURL(path, query), {
      method: 'POST',
      body,
      headers,
      credentials: this.options.withCredentials ? 'include' : 'same-origin',
    });
  }

  #names() {
    return [...new Set([...this.#listeners.keys(), ...this.#moreListeners.keys()])];
  }

  #stopReceiving(name) {
    if (!OWN_EVENTS.includes(name)) this.#es?.removeEventListener(name, this.#receive);
  }

  #changeListening(action, names) {
    return this.#whenActive(() => this.#postListeners(action, names));
  }

  #postListeners(action, listener) {
    const body = JSON.stringify({ connectionId: this.connectionId, listener });
    return this.#post(`${action}.do`, body, JSON_HEADERS);
  }

  /** Sends the names that on() and off() have changed, and those that did not fit into the URL. */
  async #announce() {
    if (this.#announcing) return;
    this.#announcing = true;
    await undefined; // for all calls of one task there is one request
    while (this.isActive()) {
      const es = this.#es;
      const announced = this.#announced;
      const names = this.#names().filter((name) => !OWN_EVENTS.includes(name) && !LOCAL_EVENTS.includes(name));
      const added = names.filter((name) => !announced.has(name));
      const removed = [...announced].filter((name) => !OWN_EVENTS.includes(name) && !names.includes(name));
      if (!added.length && !removed.length) break;
      const [action, changed] = added.length ? ['addListener', added] : ['removeListener', removed];
      for (const name of changed) announced[added.length ? 'add' : 'delete'](name);
      try {
        const response = await this.#postListeners(action, changed);
        const text = await response.text();
        if (!response.ok) this.#report(new Error(`${action} of ${changed.length} events was refused: ${text}`));
      } catch {
        // Without these names the stream is not the one that the page wants.
        if (es === this.#es) this.#reconnect();
      }
    }
    this.#announcing = false;
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

  #confirm(id) {
    this.#acks.push(id);
    if (this.#acks.length >= ACK_BATCH) this.#sendAcks();
    else this.#ackTimer ??= setTimeout(this.#sendAcks, ACK_DELAY);
  }

  // A lost one is harmless: the message is sent and confirmed again.
  #sendAcks = () => {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    if (!this.isActive() || !this.#acks.length) return;
    const body = JSON.stringify({ connectionId: this.connectionId, ids: this.#acks });
    if (this.#beacon('ack.do', body)) this.#acks = [];
  };

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
