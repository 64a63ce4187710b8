// The Java library's own client module (1.2.x) as the server sees it: the same requests with the same parameters in the
// same order, and the same dependence on what comes back. Written anew from the wire, since that client is on no package
// registry; java.test.mjs runs a copy of the real one instead when SSE_JAVA_CLIENT names it.

export default class Sse {
  static version = '1.2.17';
  static imported = Date.now();

  state = 0;
  retryQueue = [];
  #created = Date.now();
  #instance = crypto.randomUUID();
  #closedFor = null;
  #timer;

  constructor({ url = '/api/sse', eventListeners = {}, query = {}, keepaliveTime = 900000, reconnectTime } = {}) {
    this.options = { url, eventListeners, query, keepaliveTime, reconnectTime };
    this.clientId = localStorage.sseClientId ??= crypto.randomUUID();
    sessionStorage.sseAccessTimestamp ??= Date.now();
    for (const reason of ['unload', 'beforeunload']) addEventListener(reason, () => this.#leave(reason));
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.connect();
      else this.#leave('visibilitychange');
    });
    this.connect();
    window.sse = this;
  }

  connect = () => {
    if (this.es && this.es.readyState !== EventSource.CLOSED) {
      this.state = this.es.readyState;
      return;
    }
    this.es?.close();
    const { url, eventListeners, query, keepaliveTime } = this.options;
    const { totalJSHeapSize, usedJSHeapSize, jsHeapSizeLimit } = performance.memory;
    const parameters = new URLSearchParams({
      sessionDuration: sessionStorage.getItem(`sseDuration${url}`) || '0',
      keepaliveTime,
      clientId: this.clientId,
      clientVersion: Sse.version,
      screen: `${screen.width}x${screen.height}`,
      accessTime: sessionStorage.sseAccessTimestamp,
      listeners: Object.keys(eventListeners).join(','),
      useWindowEventBus: true,
      locationHref: location.href,
      clientImportModuleTime: Sse.imported,
      clientInstanceTime: this.#created,
      clientInstanceId: this.#instance,
      totalJSHeapSize,
      usedJSHeapSize,
      jsHeapSizeLimit,
      ...query,
    });
    this.state = 0;
    this.es = new EventSource(`${url}/connect?${parameters}`, { withCredentials: true });
    this.es.addEventListener('open', () => {
      this.#closedFor = null;
      this.state = 1;
    });
    // The browser reconnects this EventSource by itself as well, with the same address and a Last-Event-ID header.
    this.es.addEventListener('error', () => {
      this.state = 2;
      this.#timer = setTimeout(this.connect, this.options.reconnectTime || this.connectResponse?.reconnectTime || 5000);
    });
    this.es.addEventListener('connect-finish', ({ data }) => {
      clearTimeout(this.#timer);
      this.connectResponse = JSON.parse(data);
      this.connectionId = this.connectResponse.connectionId;
      for (const task of this.retryQueue.splice(0)) task();
    });
    this.es.addEventListener('_set-duration', ({ data }) => {
      sessionStorage.setItem(`sseDuration${url}`, JSON.parse(data).duration || '0');
    });
    this.es.addEventListener('connect-close', ({ data }) => {
      JSON.parse(data);
      clearTimeout(this.#timer);
      this.state = 2;
      setTimeout(() => {
        this.es?.close();
        this.es = null;
        this.connectionId = undefined;
      });
    });
    for (const [name, fn] of Object.entries(eventListeners)) this.#listen(name, fn);
  };

  #listen(name, fn) {
    this.es.addEventListener(name, (event) => {
      const info = {
        whoTriggerClose: this.#closedFor ? 'client' : 'server',
        closeReason: this.#closedFor ?? 'server-close',
      };
      if (name === 'connect-close') Object.assign(event, info);
      fn?.call(this, event, info);
      dispatchEvent(new MessageEvent(name, event));
    });
  }

  /** The stream stays open: it is the server that ends it, with connect-close. */
  #leave(reason) {
    if (this.state === 2) return;
    this.state = 2;
    clearTimeout(this.#timer);
    if (this.connectionId === undefined) return;
    this.#closedFor = reason;
    const form = new URLSearchParams({
      clientId: this.clientId,
      connectionId: this.connectionId,
      reason,
      sseVersion: Sse.version,
      duration: '1',
      sessionDuration: '0',
    });
    navigator.sendBeacon(`${this.options.url}/connect/disconnect.do`, form);
  }

  close(reason = 'close') {
    this.#leave(reason);
  }

  isActive() {
    return this.es?.readyState === EventSource.OPEN && this.connectionId !== undefined;
  }

  #request(task) {
    if (this.isActive()) return task();
    return new Promise((resolve, reject) => this.retryQueue.push(() => task().then(resolve, reject)));
  }

  #post(path, body, headers = { 'content-type': 'application/json;charset=UTF-8' }) {
    const { url } = this.options;
    return fetch(`${url}/connect/${path}`, { method: 'POST', body, headers, credentials: 'include', mode: 'cors' });
  }

  #change(action, names) {
    const body = () => JSON.stringify({ connectionId: this.connectionId, listener: names });
    return this.#request(() => this.#post(`${action}.do?${new URLSearchParams(this.options.query)}`, body()));
  }

  addListener(name, fn) {
    return this.#request(() => {
      this.options.eventListeners[name] = fn;
      this.#listen(name, fn);
      return this.#change('addListener', [name]);
    });
  }

  removeListener(name) {
    return this.#change('removeListener', [name]);
  }

  // Messages, uploads and goodbyes do not carry the page's query: who sends them must be in a cookie or be the default.
  send(path, body = {}, query = {}) {
    const parameters = () => new URLSearchParams({ connectionId: this.connectionId, ...query });
    return this.#request(() => this.#post(`message/${path}.do?${parameters()}`, JSON.stringify(body)));
  }

  upload(path, form, query = {}) {
    const parameters = () => new URLSearchParams({ connectionId: this.connectionId, ...query });
    return this.#request(() => this.#post(`upload/${path}.do?${parameters()}`, form, {}));
  }
}
