// A list of the API, page by page: filters, sorting and the page are parameters of the request and of the address, so
// that 19,000 rows cost a page's worth, and a list can be linked to.

import { get } from './api.js';
import { count, el, field, redraw, refreshAges, repeat, route } from './dom.js';

const PAGE_SIZE = 50;
const REFRESH = 3000;

/**
 * Shows a list. `options`:
 *   label, view, path   its name, its view and its path below /api/v1/
 *   columns             [{label, cell(row), number, sort}]; `sort` is the name of the order in the API
 *   filters             [[label, name, {options…}]]; `name` is a parameter of the API
 *   sort, order         the order at first
 *   empty               a sentence for an empty list
 *   service             for that service only
 *   actions(refresh)    elements beside the filters
 */
export function listView(context, options) {
  const state = new URLSearchParams(context.query);
  const body = el('tbody');
  const summary = el('p', { class: 'summary', role: 'status' });
  const missing = el('p', { class: 'warning', hidden: true });
  const previous = el('button', { type: 'button', click: () => turn(-1) }, 'Previous');
  const next = el('button', { type: 'button', click: () => turn(1) }, 'Next');
  const live = el('input', { type: 'checkbox', checked: true });
  const heads = options.columns.map(head);
  let total = 0;
  let latest = 0;
  let drawn = new Map();

  const page = () => Math.max(1, Number.parseInt(state.get('page'), 10) || 1);
  const sort = () => state.get('sort') ?? options.sort;
  const order = () => state.get('order') ?? options.order ?? 'asc';

  function head(column) {
    const attributes = { scope: 'col', class: column.number && 'number' };
    if (!column.sort) return el('th', attributes, column.label);
    return el('th', attributes, el('button', { type: 'button', click: () => sortBy(column) }, column.label));
  }

  const line = (row) =>
    el(
      'tr',
      {},
      options.columns.map((column) => el('td', { class: column.number && 'number' }, column.cell(row))),
    );

  function sortBy(column) {
    const first = column.number ? 'desc' : 'asc';
    const other = { asc: 'desc', desc: 'asc' }[order()];
    change({ order: sort() === column.sort ? other : first, sort: column.sort, page: undefined });
  }

  function turn(by) {
    change({ page: page() + by });
  }

  function change(values) {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined || value === '' || value === 1) state.delete(name);
      else state.set(name, value);
    }
    history.replaceState(null, '', route(options.view, undefined, Object.fromEntries(state)));
    return refresh();
  }

  async function refresh() {
    const number = ++latest;
    const query = { service: options.service, pageNum: page(), pageSize: PAGE_SIZE };
    for (const [, name] of options.filters) query[name] = state.get(name) ?? undefined;
    if (sort()) Object.assign(query, { sort: sort(), order: order() });
    try {
      const answer = await get(options.path, query, context.signal);
      if (number === latest) show(answer);
    } catch (error) {
      if (context.signal.aborted || number !== latest) return;
      summary.textContent = error.message;
      summary.classList.add('bad');
    }
  }

  function show(answer) {
    total = answer.total;
    const last = Math.max(1, Math.ceil(total / PAGE_SIZE));
    if (page() > last) {
      change({ page: last });
      return;
    }
    // A row that has not changed stays as it is: its button may just be pressed.
    const keys = answer.list.map((row, i) => `${i} ${JSON.stringify(row)}`);
    const rows = answer.list.map((row, i) => drawn.get(keys[i]) ?? line(row));
    drawn = new Map(keys.map((key, i) => [key, rows[i]]));
    if (rows.length !== body.childElementCount || rows.some((row, i) => row !== body.children[i])) redraw(body, rows);
    refreshAges(body);
    const from = (page() - 1) * PAGE_SIZE;
    summary.classList.remove('bad');
    summary.textContent =
      total === 0 ? options.empty : `${count(from + 1)}–${count(from + rows.length)} of ${count(total)}`;
    missing.hidden = !answer.missing?.length;
    missing.textContent = `Incomplete: these nodes did not answer: ${answer.missing?.join(', ')}`;
    previous.disabled = page() === 1;
    next.disabled = page() === last;
    frame.hidden = total === 0;
    pages.hidden = last === 1;
    heads.forEach((cell, i) => {
      const sorted = options.columns[i].sort && options.columns[i].sort === sort();
      if (sorted) cell.setAttribute('aria-sort', order() === 'desc' ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    });
  }

  const filters = el(
    'form',
    { class: 'filters', role: 'search', 'aria-label': `Filter: ${options.label}`, submit: (event) => search(event) },
    options.filters.map(([label, name, more]) => field(label, name, { ...more, value: state.get(name) ?? '' })),
    options.filters.length > 0 && el('button', { type: 'submit' }, 'Search'),
    el('label', { class: 'check' }, live, ' Live'),
    options.actions?.(
      () => change({ page: undefined }),
      () => filterValues(),
    ),
  );

  function filterValues() {
    return Object.fromEntries(options.filters.map(([, name]) => [name, filters.elements[name].value.trim()]));
  }

  function search(event) {
    event.preventDefault();
    change({ ...filterValues(), page: undefined });
  }

  const frame = el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': options.label },
    el('table', {}, el('thead', {}, el('tr', {}, heads)), body),
  );
  const pages = el('div', { class: 'pages' }, previous, next);
  frame.hidden = true;
  pages.hidden = true;
  summary.textContent = 'Reading…';
  let first = true;
  repeat(REFRESH, context.signal, async () => {
    if (first || live.checked) await refresh();
    first = false;
  });
  return [filters, missing, el('div', { class: 'bar' }, summary, pages), frame];
}
