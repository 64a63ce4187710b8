// A part of the client: an EventSource that sends headers and sees the status of a refusal. sse.js loads it when the
// option `headers` is given.

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 2;

// UTF-16 units of one event. What a server sends must not fill the memory of the page.
const MAX_EVENT = 32 * 1024 * 1024;

/**
 * Reads an event stream (WHATWG HTML 9.2.6) piece by piece, wherever it is cut. `dispatch(type, data, lastEventId)` is
 * called for each event. The returned function takes the next piece of text; it throws when an event is larger than
 * `limit`.
 */
export function eventParser(dispatch, limit = MAX_EVENT) {
  let rest = ''; // of a line that is not complete
  let afterReturn = false;
  let size = 0; // of the event so far
  let data;
  let type = '';
  let lastEventId = '';
  let nextId = '';

  function field(name, value) {
    if (name === 'data') data = data === undefined ? [value] : (data.push(value), data);
    else if (name === 'event') type = value;
    else if (name === 'id' && !value.includes('\0')) nextId = value;
  }

  function line(text) {
    if (text === '') {
      lastEventId = nextId;
      if (data !== undefined) dispatch(type || 'message', data.join('\n'), lastEventId);
      data = undefined;
      type = '';
      size = 0;
      return;
    }
    const colon = text.indexOf(':');
    if (colon < 0) field(text, '');
    else if (colon > 0) field(text.slice(0, colon), text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1));
  }

  return (text) => {
    let from = 0;
    // The LF of a CRLF that was cut in two.
    if (afterReturn && text[0] === '\n') from = 1;
    if (text !== '') afterReturn = false;
    const breaks = /\r\n|[\r\n]/g;
    breaks.lastIndex = from;
    for (let found = breaks.exec(text); found; found = breaks.exec(text)) {
      const part = text.slice(from, found.index);
      size += part.length;
      if (size > limit) throw new Error(`An event is larger than ${limit} characters.`);
      line(rest + part);
      rest = '';
      from = breaks.lastIndex;
    }
    afterReturn = text.endsWith('\r') || (text === '' && afterReturn);
    const part = text.slice(from);
    size += part.length;
    rest += part;
    if (size > limit) throw new Error(`An event is larger than ${limit} characters.`);
  };
}

/** As far as sse.js uses an EventSource. It does not reconnect: `failure` says why it has ended, for an `error` event. */
export class FetchStream extends EventTarget {
  readyState = CONNECTING;
  failure;
  onerror = null;
  #cancel = new AbortController();

  /** `options`: headers and credentials of the request, and `refusalOf(response)`, which makes a failure of a response. */
  constructor(url, options) {
    super();
    this.#run(url, options).catch((error) => this.#fail({ status: 0, reason: 'network', description: String(error) }));
  }

  close() {
    this.readyState = CLOSED;
    this.#cancel.abort();
  }

  async #run(url, { headers, credentials, refusalOf }) {
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream', ...headers },
      credentials,
      cache: 'no-store',
      signal: this.#cancel.signal,
    });
    const { status } = response;
    const type = response.headers.get('content-type') ?? '';
    if (status !== 200 || !/^text\/event-stream\s*(;|$)/i.test(type)) {
      this.#cancel.abort(); // the body, which may be endless
      return this.#fail(refusalOf(response));
    }
    this.readyState = OPEN;
    const push = eventParser((name, data, lastEventId) => {
      if (this.readyState === OPEN) this.dispatchEvent(new MessageEvent(name, { data, lastEventId }));
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      push(value);
    }
    this.#fail({ status: 0, reason: 'network' });
  }

  #fail(failure) {
    if (this.readyState === CLOSED) return;
    this.close();
    this.failure = failure;
    const event = new Event('error');
    this.dispatchEvent(event);
    this.onerror?.(event);
  }
}
