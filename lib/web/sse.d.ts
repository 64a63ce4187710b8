/** Called with an event, and for `connect-close` also with the closing side and the reason. `this` is the Sse. */
export type SseListener<E = SseEvent> = ((this: Sse, event: E, info?: SseCloseInfo) => void) | null | undefined;

export interface SseEvent extends MessageEvent {
  /** The service that sent the event, as in the option `url`. */
  url: string;
  /** Set for messages that the server stores until they are confirmed. */
  qos?: true;
  /** The channel to which it was sent, once this object subscribes to channels. */
  channel?: string;
  /** Of `sse-presence`, `sse-join` and `sse-leave`, for a listener of `subscribe` with `presence`. */
  presence?: SsePresence;
}

/** Who is in a channel, after the event. */
export interface SsePresence {
  /** The number of members. */
  count: number;
  /** Null where there are too many to list them (`--presence-max` of the server). */
  members: SseMember[] | null;
  /**
   * Set where the server follows no more channels (`presence-limit`, its `--presence-channels`): this stream gets no
   * events about the members, `count` is 0 and `members` null.
   */
  refused?: string;
}

/** A user, with however many streams. */
export interface SseMember {
  user: string;
  tenant?: string;
  /** What the authentication or the application shows of the user: the field `presence` of its profile. */
  profile?: Record<string, unknown>;
}

export interface SseCloseInfo {
  whoTriggerClose: 'client' | 'server';
  /** The reason passed to `close()`, or `visibilitychange`, `unload`, `switchURL`, `destroy` or `server-close`. */
  closeReason: string;
}

/**
 * `data` is JSON text: `{"connectionId": "…"}`, from the server also with a `reason`: `replaced` (by other windows of this
 * browser; this one connects again when it is hidden and then shown) or `closed-by-operator`.
 */
export interface SseCloseEvent extends SseEvent, SseCloseInfo {}

/** Dispatched by the client itself, without a server; `data` is an object. */
export interface SseChangeStateEvent extends SseEvent {
  data: { oldState: SseState; newState: SseState };
}

/** Dispatched by the client itself when a try to connect has failed; `data` is an object. */
export interface SseConnectFailedEvent extends SseEvent {
  data: {
    /** Failures since the last success, this one included. */
    attempt: number;
    /** Of the HTTP response; 0 without one, or when it was not a refusal. 204: the server wants this client to stay away. */
    status: number;
    /**
     * `network`; `credentials`: a function in the options has thrown; `unauthenticated`; another code of `WWW-Authenticate`,
     * such as `invalid_token` (RFC 6750); `refused` for all other statuses.
     */
    reason: string;
    /** A sentence for developers, if there is one. */
    description?: string;
    /** Milliseconds until the next try, at least the server's `Retry-After`; null: there is none. */
    nextTry: number | null;
  };
}

/** Dispatched by the client itself when the user becomes active, or is away for `leaveTimeout`; `data` is an object. */
export interface SseChangeActiveEvent extends SseEvent {
  data: {
    oldActive: boolean;
    newActive: boolean;
    /** Seconds. `duration`: the active time that ends now; `sessionDuration`: that of the session before it. */
    duration: { duration: number; sessionDuration: number };
  };
}

/**
 * One listener for each event name; null only dispatches the event on the window (`useWindowEventBus`). Names may be any
 * that a server sends; data is text, and the client reads only that of its own events, of which it ignores what is no JSON.
 *
 * A message sent with `qos` counts as handled, and is acknowledged to the server, when its listener has run, whether or
 * not it threw. The server may send it more than once; listeners are called once. An event without a listener is not
 * received, and so not acknowledged: the server retains the message.
 */
export interface SseEventListeners {
  /**
   * Connected or reconnected; `connectionId` is known from now on. `data` is JSON text; `refused` in it lists the
   * channels that the stream may not join, as `sse-channel-refused` tells them.
   */
  'connect-finish'?: SseListener;
  /** Closed on purpose, by `close()`, `destroy()`, … or by the server; not when a connection breaks. */
  'connect-close'?: SseListener<SseCloseEvent>;
  'sse-change-state'?: SseListener<SseChangeStateEvent>;
  'sse-change-active'?: SseListener<SseChangeActiveEvent>;
  'sse-connect-failed'?: SseListener<SseConnectFailedEvent>;
  /**
   * The server ends the stream, and the client connects again after `retry` milliseconds. `data` is JSON text:
   * `{"reason":"shutdown","retry":250}`; other reasons are `keepalive`, `token-expired` and `unconfirmed`.
   */
  'sse-end'?: SseListener;
  /**
   * The stream is not, or no longer, in a channel that the page asked for. `data` is JSON text:
   * `{"channel":"team.7","reason":"no-rule"}`; other reasons are `application`, `too-many` and `revoked`.
   */
  'sse-channel-refused'?: SseListener;
  /** The server has set this user's active time. `data` is JSON text: `{"duration":"120"}`, in seconds. */
  'sse-set-duration'?: SseListener;
  /**
   * Events may have been missed, and the server does not retain them: reload the page's data. `data` is JSON text. With a
   * `channel`: only there.
   */
  resync?: SseListener;
  // any: a listener may require a narrower event type than SseEvent.
  [name: string]: SseListener<any>;
}

export type SseQuery = Record<string, string | number | boolean | null | undefined> | null | undefined;
export type SseHeaders = Record<string, string> | null | undefined;

export interface SseOptions {
  /** Base path of the service, same origin or another. Default `/my-sse`. */
  url?: string;
  eventListeners?: SseEventListeners | string[];
  /**
   * Sent with every request, such as `access-token`. null and undefined are omitted. A function is called for every try to
   * connect, so that a token is fresh; the requests of that connection use the same value. A `ticket` (`ssectl ticket
   * create`) opens one stream, so it comes from a function; the requests then send the key of the stream in its place.
   */
  query?: SseQuery | (() => SseQuery | Promise<SseQuery>);
  /**
   * Headers of every request, such as `authorization`, or a function, like `query`. The stream is then read with fetch, which
   * sees the status of a refusal at once; from another origin it needs a preflight. Default: none, and an EventSource.
   */
  headers?: Record<string, string> | (() => SseHeaders | Promise<SseHeaders>) | null;
  /** Id of this device. Default: one stored in localStorage. */
  clientId?: string | null;
  /** When the session began, milliseconds since 1970. Default: the time of the first Sse of this browser session. */
  accessTimestamp?: number | null;
  /** Milliseconds before the first reconnect (randomized from half to one and a half). Default: the server's value. */
  reconnectTime?: number | null;
  /** Longest duration of one connection in milliseconds, 0: no limit. The client then reconnects. Default 900000. */
  keepaliveTime?: number;
  /** Send cookies to other origins, too. Default true. */
  withCredentials?: boolean;
  /**
   * Dispatch every event on `window` as well. Default true. Names that belong to the browser (`error`, `message`, `load`,
   * `pagehide`: those with a property `on…` of window or document, and DOMContentLoaded, freeze and resume) are not
   * dispatched: only listeners of this object get them.
   */
  useWindowEventBus?: boolean;
  /**
   * One stream for all windows of this browser that have an equal `share`, `url`, `query`, `clientId` and
   * `withCredentials`; a string is for credentials that are functions, and differs from user to user. The stream listens
   * to what any of the windows listens to; each window gets what it listens to. A message counts as handled when a
   * listener of one window has run. When the window that has the stream closes, crashes or hangs, another opens one, and
   * each window gets what it has not had. Without Web Locks (plain http except on localhost), each window has a stream of
   * its own. Default false.
   */
  share?: boolean | string;
  /** What happens while the tab is hidden: it closes, or stays connected, as far as the browser lets it. Default close. */
  whenHidden?: 'close' | 'stay';
  /** Milliseconds without mouse, touch or key events after which the user counts as away. Default 5000. */
  leaveTimeout?: number;
  /** Interval of that check in milliseconds. Default 500. */
  leaveCheckInterval?: number;
  /** Called with every event before its listener. */
  intercepts?: Array<(this: Sse, event: SseEvent) => void>;
}

export interface SseSubscribeOptions {
  /** The events of the channel that the listener gets. Default `server-push`, the default of a send. */
  events?: string[];
  /**
   * Also tells the listener who is in the channel: `sse-presence` with all members comes first and after every reconnect,
   * `sse-join` and `sse-leave` when some join and leave, at most one of them in a quarter of a second; `event.presence` has
   * the members after each. A user whose last stream ends is a member for some seconds more (`--presence-grace` of the
   * server), and for a minute if its page is hidden.
   */
  presence?: boolean;
  /**
   * The id of an event: those that were sent to the channel after it come first, as far as the server retains them
   * (`--history`), in their order; `0`: all of them. What it no longer retains, it tells by a `resync` whose `channel` is
   * this one. Only for the first listener of a channel. Default: what is sent from now on, and pending messages.
   */
  since?: string;
}

export interface SsePublishOptions {
  /** false: this page does not get the event, unless it shares a stream. */
  echo?: boolean;
}

/** `data` of an event that a page has published, once parsed: who it was, as the server knows it, and what it published. */
export interface SsePublication<T = unknown> {
  from: { user: string; tenant?: string };
  data: T;
}

/** 0 connecting or about to reconnect, 1 connected, 2 closed: does not reconnect while this tab is visible. */
export type SseState = 0 | 1 | 2;

/**
 * A persistent connection to an sse-server: it reconnects after failures, closes while the tab is hidden, and queues
 * requests meanwhile. Connects on construction, as soon as the code that constructs it has run: listeners that it adds are
 * there from the beginning. It also reconnects when the server, which promises a sign of life in regular intervals, is silent
 * for two and a half of them, when the network or the machine comes back, and when a confirmation does not arrive.
 */
export default class Sse {
  static readonly version: string;
  static readonly DEFAULT_OPTIONS: Readonly<SseOptions>;
  static readonly DEFAULT_RECONNECT_TIME: number;
  static readonly IMPORT_MODULE_TIMESTAMP: number;
  static readonly STATE_CONNECTING: 0;
  static readonly STATE_OPEN: 1;
  static readonly STATE_CLOSED: 2;
  static readonly SERVER_TRIGGER_CLOSE: 'server';
  static readonly CLIENT_TRIGGER_CLOSE: 'client';

  constructor(options?: SseOptions);

  /** The options with defaults. Changes of `query` and `headers` take effect with the next request. */
  readonly options: Required<SseOptions>;
  readonly state: SseState;
  /** Id of this device, as in the option. */
  readonly clientId: string;
  /** Id of this object, and when it was created, milliseconds since 1970. */
  readonly instanceId: string;
  readonly createTimestamp: number;
  /** Decimal digits of a 64-bit number: do not convert it to Number. Undefined while not connected. */
  readonly connectionId: string | undefined;
  /** The server's name and version at the last connect. */
  readonly connectionName: string;
  readonly serverVersion: string | undefined;

  /** True while connected, from `connect-finish` on. */
  isActive(): boolean;
  /** Connects again after `close()` or after the server closed; does nothing when connected. */
  connect(): void;
  /** Closes until `connect()`. Returns true when the notification of the server was queued. */
  close(reason?: string): boolean;
  /** Closes, removes all listeners from window and document, and rejects queued requests. */
  destroy(): void;
  /** Switches to another service: closes, and connects to `url`. Does nothing when `url` is the current one. */
  switchURL(url: string): void;

  /** Those of `addListener`, as a copy: use `addListener` and `removeListener` to change them. */
  getEventListeners(): SseEventListeners;
  /**
   * Adds a listener to those of `name`, which are called in the order in which they were added, after the one of
   * `addListener`. Adding a function again changes only `once`: that it is removed before its first call. The server
   * learns of it with the connect or within a moment; if it cannot be reached, the client reconnects. Returns a function
   * that removes the listener. Throws a TypeError when `fn` is not a function.
   */
  on<K extends keyof SseEventListeners & string>(
    name: K,
    fn: NonNullable<SseEventListeners[K]>,
    options?: { once?: boolean },
  ): () => void;
  /** Removes a listener of `on`; does nothing when it is none. */
  off<K extends keyof SseEventListeners & string>(name: K, fn: NonNullable<SseEventListeners[K]>): void;
  /**
   * A name has one listener of this kind: a later one replaces it at once. The promise resolves with the server's response.
   * While not connected, the requests of these four methods are queued, and sent in order after connecting.
   */
  addListener<K extends keyof SseEventListeners & string>(name: K, fn: SseEventListeners[K]): Promise<Response>;
  addListener(listeners: SseEventListeners | string[]): Promise<Response>;
  /** Only the names matter; functions are ignored. Listeners of `on` stay. */
  removeListener(names: string | string[] | SseEventListeners): Promise<Response>;
  /**
   * Follows a channel, on this stream and on all that come after it: the listener gets the events that are sent to it, other
   * listeners get them, too, and `event.channel` names it. What was missed while the client was not connected comes as for
   * everything else. The promise resolves when the stream is in the channel. If it rejects, the listener is not called; an
   * Error of a refusal has a `reason`, as in `sse-channel-refused`. Does not work with `share`.
   */
  subscribe(channel: string, options: SseSubscribeOptions | null | undefined, listener: NonNullable<SseListener>): Promise<void>;
  /** Removes the listener from the channel; without one, all. The stream leaves a channel that has none left. */
  unsubscribe(channel: string, listener?: NonNullable<SseListener>): Promise<void>;
  /**
   * Publishes an event to a channel, if the server allows that: its streams get `data`, any JSON value, with the user that
   * has published it, as the JSON text of an SsePublication. Resolves with the id of the event; the Error of a refusal has a
   * `status` and a `reason`: `no-rule`, `not-subscribed`, `application` or `rate`. Not retried when the network fails.
   */
  publish(channel: string, event: string, data: unknown, options?: SsePublishOptions): Promise<string>;
  /** The response is the application's; not retried when the network fails, because the request may have arrived. */
  send(path: string, body?: unknown, query?: SseQuery, headers?: Record<string, string>): Promise<Response>;
  /** Rejects with a TypeError when `formData` is not a FormData. */
  upload(
    path: string,
    formData: FormData,
    query?: SseQuery,
    headers?: Record<string, string>,
  ): Promise<Response>;
}
