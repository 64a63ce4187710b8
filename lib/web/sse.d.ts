/** What a listener is called with: the event, and for `connect-close` also who closed and why. `this` is the Sse. */
export type SseListener<E = SseEvent> = ((this: Sse, event: E, info?: SseCloseInfo) => void) | null | undefined;

export interface SseEvent extends MessageEvent {
  /** The service the event came from, as in the option `url`. */
  url: string;
}

export interface SseCloseInfo {
  whoTriggerClose: 'client' | 'server';
  /** What was given to `close()`; else `visibilitychange`, `unload`, `switchURL`, `destroy` or `server-close`. */
  closeReason: string;
}

/** `data` is JSON text: `{"connectionId": "…"}`. */
export interface SseCloseEvent extends SseEvent, SseCloseInfo {}

/** Sent on the spot, without a server; `data` is an object. */
export interface SseChangeStateEvent extends SseEvent {
  data: { oldState: SseState; newState: SseState };
}

/** Sent on the spot when the user comes or has been away for `leaveTimeout`; `data` is an object, in seconds. */
export interface SseChangeActiveEvent extends SseEvent {
  data: {
    oldActive: boolean;
    newActive: boolean;
    /** `duration`: the active time that ends now; `sessionDuration`: all active time of this browser session before it. */
    duration: { duration: number; sessionDuration: number };
  };
}

/**
 * One listener for each event name; null listens only for the window's sake (`useWindowEventBus`).
 *
 * A message sent with `qos` counts as handled, and is confirmed to the server, when its listener has run, whether or not
 * it threw. It may be sent more than once; listeners see it once. An event nobody here listens to is not seen at all,
 * and so not confirmed: the server keeps the message.
 */
export interface SseEventListeners {
  /** Connected, also again; `connectionId` is known from here on. `data` is JSON text. */
  'connect-finish'?: SseListener;
  /** Closed on purpose, by `close()` and its like or by the server; not when a connection breaks. */
  'connect-close'?: SseListener<SseCloseEvent>;
  'sse-change-state'?: SseListener<SseChangeStateEvent>;
  'sse-change-active'?: SseListener<SseChangeActiveEvent>;
  /** The server has set this user's active time. `data` is JSON text: `{"duration":"120"}`, in seconds. */
  'sse-set-duration'?: SseListener;
  /** Events were missed while away, or may have been, and the server does not have them: load afresh. `data` is JSON text. */
  resync?: SseListener;
  // any: a listener may ask for a narrower event than SseEvent.
  [name: string]: SseListener<any>;
}

export interface SseOptions {
  /** Base path of the service, same origin or another. Default `/my-sse`. */
  url?: string;
  eventListeners?: SseEventListeners | string[];
  /** Sent with every request, such as `access-token`. null and undefined are left out. */
  query?: Record<string, string | number | boolean | null | undefined>;
  /** Id of this device. Default: one kept in localStorage. */
  clientId?: string | null;
  /** When the user came, milliseconds since 1970. Default: the first Sse of this browser session. */
  accessTimestamp?: number | null;
  /** Milliseconds before the first try to reconnect (half to one and a half of it); the server's wish is the default. */
  reconnectTime?: number | null;
  /** Longest life of one connection in milliseconds, 0 for no limit. A new one follows by itself. Default 900000. */
  keepaliveTime?: number;
  /** Send cookies to other origins too. Default true. */
  withCredentials?: boolean;
  /** Dispatch every event on `window` as well. Default true. */
  useWindowEventBus?: boolean;
  /** Milliseconds without mouse, touch or key after which the user counts as away. Default 5000. */
  leaveTimeout?: number;
  /** How often that is looked at, milliseconds. Default 500. */
  leaveCheckInterval?: number;
  /** Called with every event before its listener. */
  intercepts?: Array<(this: Sse, event: SseEvent) => void>;
}

/** 0 connecting or about to reconnect, 1 connected, 2 closed: it will not connect by itself while this tab is visible. */
export type SseState = 0 | 1 | 2;

/**
 * A connection to an sse-server that lasts: it reconnects, is closed while the tab is hidden, and keeps what is sent
 * meanwhile. Connects on construction.
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

  /** The options with defaults. `query` may be changed and holds from the next request on. */
  readonly options: Required<SseOptions>;
  readonly state: SseState;
  /** Id of this device, as in the option. */
  readonly clientId: string;
  /** Id of this object, and when it was made, milliseconds since 1970. */
  readonly instanceId: string;
  readonly createTimestamp: number;
  /** Decimal digits of a 64-bit number: never make a Number of it. Undefined while not connected. */
  readonly connectionId: string | undefined;
  /** Name and version the server gave at the last connect. */
  readonly connectionName: string;
  readonly serverVersion: string | undefined;

  /** True while there is a connection, from `connect-finish` on. */
  isActive(): boolean;
  /** Connects again after `close()` or after the server closed; nothing when connected. */
  connect(): void;
  /** Closes for good, until `connect()`. Returns whether the server could be told. */
  close(reason?: string): boolean;
  /** Closes, lets go of window and document, and rejects what is still queued. */
  destroy(): void;
  /** Moves to another service: closes, and connects there. Nothing when it is there already. */
  switchURL(url: string): void;

  /** A copy: to change them, use `addListener` and `removeListener`. */
  getEventListeners(): SseEventListeners;
  /**
   * A name has one listener: a later one takes its place at once. The promise is for the server's answer.
   * While not connected the requests of these four are queued, and sent in order once there is a connection.
   */
  addListener<K extends keyof SseEventListeners & string>(name: K, fn: SseEventListeners[K]): Promise<Response>;
  addListener(listeners: SseEventListeners | string[]): Promise<Response>;
  /** Names alone count; functions are not looked at. */
  removeListener(names: string | string[] | SseEventListeners): Promise<Response>;
  /** The answer is the application's; not retried when the network fails, since it may have arrived. */
  send(path: string, body?: unknown, query?: SseOptions['query'], headers?: Record<string, string>): Promise<Response>;
  /** Rejects with a TypeError when `formData` is none. */
  upload(
    path: string,
    formData: FormData,
    query?: SseOptions['query'],
    headers?: Record<string, string>,
  ): Promise<Response>;
}
