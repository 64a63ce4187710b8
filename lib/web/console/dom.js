// Elements, text for people, notices and questions. Whatever the API answers becomes text nodes and attributes of fixed
// names; nothing is parsed as HTML.

/** An element. Attributes that are functions are listeners, `true` is an empty attribute, `false` and null are none. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(key, value === true ? '' : value);
  }
  element.append(
    ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
  );
  return element;
}

/** A link to a view: `link('users', id, {service})` leads to `#/users/ID?service=…`. */
export function link(label, view, id = undefined, query = {}) {
  return el('a', { href: route(view, id, query) }, String(label));
}

export function route(view, id = undefined, query = {}) {
  const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== undefined && value !== ''));
  const path = id === undefined ? view : `${view}/${encodeURIComponent(id)}`;
  return `#/${path}${given.size ? `?${given}` : ''}`;
}

const NONE = '–';

export const count = (value) => (value === undefined || value === null ? NONE : Number(value).toLocaleString('en'));

export function bytes(value) {
  if (value === undefined || value === null) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = Number(value);
  let unit = 0;
  for (; size >= 1024 && unit < units.length - 1; unit += 1) size /= 1024;
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

export function duration(millis) {
  if (millis === undefined || millis === null) return NONE;
  const seconds = Math.max(0, millis) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function dateTime(millis) {
  if (!millis) return NONE;
  const date = new Date(millis);
  const pad = (value, width = 2) => String(value).padStart(width, '0');
  return (
    `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ` +
    `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
  );
}

/** How long ago, with the moment itself as a tooltip. */
export function age(millis) {
  if (!millis) return NONE;
  return el(
    'time',
    { datetime: new Date(millis).toISOString(), title: dateTime(millis) },
    duration(Date.now() - millis),
  );
}

export const names = (list) => (list?.length ? list.join(', ') : NONE);
export const orNone = (value) => (value === undefined || value === null || value === '' ? NONE : String(value));

/** A list of names and values. Rows with an undefined value are left out. */
export function facts(rows) {
  const shown = rows.filter(([, value]) => value !== undefined);
  return el(
    'dl',
    { class: 'facts' },
    shown.map(([name, value]) =>
      el('div', {}, el('dt', {}, name), el('dd', {}, value === '' || value === null ? NONE : value)),
    ),
  );
}

/** Text in lines, such as data and documents. */
export function block(label, text) {
  return el('pre', { tabindex: '0', role: 'region', 'aria-label': label }, text);
}

/** A table that scrolls sideways in narrow windows. `columns`: [{label, cell, number}]. */
export function table(label, columns, rows) {
  const head = columns.map((column) => el('th', { scope: 'col', class: column.number && 'number' }, column.label));
  const body = rows.map((row) =>
    el(
      'tr',
      {},
      columns.map((column) => el('td', { class: column.number && 'number' }, column.cell(row))),
    ),
  );
  return el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': label },
    el('table', {}, el('thead', {}, el('tr', {}, head)), el('tbody', {}, body)),
  );
}

export function section(title, ...content) {
  return el('section', {}, el('h2', {}, title), content);
}

export function button(label, act, kind = undefined) {
  return el('button', { type: 'button', class: kind, click: () => run(act) }, label);
}

/** Runs what a user has asked for, and shows the sentence of an error. */
export async function run(act) {
  try {
    return await act();
  } catch (error) {
    if (error.name !== 'AbortError') notice(error.message, 'bad');
    return undefined;
  }
}

const MAX_NOTICES = 4;

/** Shows a sentence until it is dismissed; good news goes by itself. */
export function notice(sentence, kind = 'good') {
  const area = document.getElementById('notices');
  const box = el('div', { class: `notice ${kind}` }, el('p', {}, sentence));
  box.append(el('button', { type: 'button', 'aria-label': 'Dismiss', click: () => box.remove() }, '×'));
  area.append(box);
  while (area.childElementCount > MAX_NOTICES) area.firstElementChild.remove();
  if (kind === 'good') setTimeout(() => box.remove(), 6000);
}

/**
 * Asks before an act that cannot be undone. Resolves to false, or to true or the values of `fields` (elements with a
 * name).
 */
export function ask(question, action, fields = []) {
  return new Promise((resolve) => {
    const title = el('h2', { id: 'question' }, question);
    const cancel = el('button', { type: 'button', autofocus: true, click: () => dialog.close() }, 'Cancel');
    const form = el(
      'form',
      { method: 'dialog', submit: () => (dialog.returnValue = 'yes') },
      title,
      fields,
      el('div', { class: 'buttons' }, cancel, el('button', { type: 'submit', class: 'danger', value: 'yes' }, action)),
    );
    const dialog = el('dialog', { 'aria-labelledby': 'question' }, form);
    dialog.addEventListener('close', () => {
      const values = Object.fromEntries(new FormData(form));
      dialog.remove();
      resolve(dialog.returnValue === 'yes' && (fields.length ? values : true));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A labelled input. */
export function field(label, name, attributes = {}) {
  const { options, lines, ...rest } = attributes;
  const common = { id: `field-${name}`, name, autocomplete: 'off', ...rest };
  let input;
  if (options) {
    input = el(
      'select',
      common,
      options.map(([value, text]) => el('option', { value, selected: value === rest.value }, text)),
    );
  } else if (lines) {
    input = el('textarea', { ...common, rows: lines, spellcheck: 'false', value: undefined }, rest.value ?? '');
  } else {
    input = el('input', { autocapitalize: 'none', spellcheck: 'false', maxlength: '1000', ...common });
  }
  return el('div', { class: 'field' }, el('label', { for: `field-${name}` }, label), input);
}

export function check(label, name, checked = false) {
  return el('label', { class: 'check' }, el('input', { type: 'checkbox', name, checked }), ` ${label}`);
}

/** What tells an element from others of a place that is drawn again. */
const signature = (one) =>
  [
    one.tagName,
    one.getAttribute('href'),
    one.getAttribute('aria-label'),
    one.closest('tr')?.firstElementChild.textContent,
  ]
    .concat(one.tagName === 'BUTTON' ? one.textContent : [])
    .join('|');

/**
 * Replaces what is in a place; the focus and the scrolled regions stay where they are. Does nothing, and returns false,
 * while text in it is selected: the user is about to copy it.
 */
export function redraw(place, children) {
  const selection = getSelection();
  if (!selection.isCollapsed && place.contains(selection.anchorNode)) return false;
  const focused = place.contains(document.activeElement) ? signature(document.activeElement) : undefined;
  const regions = () => [...place.querySelectorAll('[role=region]')];
  const scrolled = new Map(regions().map((one) => [one.getAttribute('aria-label'), [one.scrollLeft, one.scrollTop]]));
  place.replaceChildren(...children.filter(Boolean));
  for (const one of regions()) one.scrollTo(...(scrolled.get(one.getAttribute('aria-label')) ?? [0, 0]));
  if (focused !== undefined)
    [...place.querySelectorAll('a, button, [tabindex]')]
      .find((one) => signature(one) === focused)
      ?.focus({ preventScroll: true });
  return true;
}

/** Brings the texts of age() up to date. */
export function refreshAges(place) {
  for (const one of place.querySelectorAll('time[datetime]')) {
    const text = duration(Date.now() - Date.parse(one.dateTime));
    if (one.textContent !== text) one.textContent = text;
  }
}

/**
 * Reads an object every `period` milliseconds, and draws it where it has changed. `read()` returns it, `describe(it)`
 * elements, `settle(it, error)` hears of both. Returns [the place, a function that reads now].
 */
export function livePlace(signal, period, read, describe, settle = () => {}) {
  const place = el('div', { class: 'stack' }, el('p', { role: 'status' }, 'Reading…'));
  let drawn = '';
  async function refresh() {
    try {
      const row = await read();
      settle(row);
      const now = JSON.stringify(row);
      if (now !== drawn && redraw(place, describe(row))) drawn = now;
    } catch (error) {
      if (signal.aborted) return;
      settle(undefined, error);
      drawn = '';
      redraw(place, [el('p', { class: 'warning', role: 'status' }, error.message)]);
    }
  }
  repeat(period, signal, refresh);
  return [place, refresh];
}

/**
 * Calls `act` now and then every `period` milliseconds, while the page is visible, until `signal` aborts; less often if
 * the answers take long.
 */
export async function repeat(period, signal, act) {
  while (!signal.aborted) {
    const begin = Date.now();
    if (!document.hidden) await act();
    const wait = Math.max(period, 3 * (Date.now() - begin));
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
