// The admin API. The token is in this module's memory and nowhere else: a reload of the page forgets it.

let token = '';

/** An error of the API, or that it could not be reached. `message` is a sentence for people. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status; // 0: no response
  }
}

export function setToken(value) {
  token = value;
}

// Relative to the page, for proxies that put a path before it.
function address(path, query = {}) {
  const url = new URL(`../${path}`, location.href);
  url.hash = '';
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) if (one !== undefined && one !== '') url.searchParams.append(name, one);
  }
  return url;
}

async function failure(response) {
  let sentence = `The server answered ${response.status}.`;
  try {
    const problem = await response.json();
    sentence = problem.detail ?? problem.title ?? sentence;
  } catch {
    // no problem document: something between this page and the server has answered
  }
  return new ApiError(response.status, String(sentence));
}

async function call(method, path, { query, body, signal, bearer = token } = {}) {
  const headers = {};
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response;
  try {
    response = await fetch(address(path, query), {
      method,
      headers,
      signal,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, 'The server cannot be reached from this page. Is it running, and ssectl console with it?');
  }
  if (response.ok) return response;
  throw await failure(response);
}

/** The document that answers a request to `/api/v1/PATH`. `options`: {query, body, signal}. */
export async function request(method, path, options) {
  const response = await call(method, `api/v1/${path}`, options);
  try {
    return await response.json();
  } catch (error) {
    if (options?.signal?.aborted) throw error;
    throw new ApiError(0, 'The response of the server is not complete.');
  }
}

export const get = (path, query, signal) => request('GET', path, { query, signal });

/** A one-time token becomes the key of a session: only `ssectl console` has such tokens. */
export async function redeem(once) {
  const response = await call('POST', 'console/session', { bearer: once });
  token = (await response.json()).token;
}

/** The activity events from now on, and the `last` ones before; ends when the server ends it. */
export async function* follow(query, signal) {
  const response = await call('GET', 'api/v1/events', { query: { ...query, follow: 'true' }, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) if (line.trim()) yield JSON.parse(line);
  }
}
