// The overview: totals, and rates over the last minutes. The status is polled once for the whole page, also for its head.

import { get } from './api.js';
import { bytes, count, dateTime, duration, el, facts, orNone, redraw, section, table } from './dom.js';

const PERIOD = 2000;
const MAX_SAMPLES = 90;
const WIDTH = 300;
const HEIGHT = 80;
const SVG = 'http://www.w3.org/2000/svg';

const samples = [];
const listeners = new Set();
let previous;

/** The sum of the counters of a name, over all labels. */
function total(status, name) {
  return Object.entries(status.counters ?? {})
    .filter(([key]) => key === name || key.startsWith(`${name}{`))
    .reduce((sum, [, value]) => sum + value, 0);
}

const COUNTERS = {
  delivered: 'sse_deliveries_total',
  bytes: 'sse_delivered_bytes_total',
  sends: 'sse_sends_total',
  opened: 'sse_streams_opened_total',
  closed: 'sse_streams_closed_total',
};

function add(status) {
  const now = { uptime: status.uptimeMillis, cpu: status.cpuMicros, started: status.startTime };
  for (const [key, name] of Object.entries(COUNTERS)) now[key] = total(status, name);
  // A server that has started again begins at 0.
  if (previous && previous.started === now.started && now.uptime > previous.uptime) {
    const seconds = (now.uptime - previous.uptime) / 1000;
    const sample = {
      streams: status.connections,
      memory: status.memoryBytes,
      cpu: (now.cpu - previous.cpu) / seconds / 10_000,
    };
    for (const key of Object.keys(COUNTERS)) sample[key] = Math.max(0, now[key] - previous[key]) / seconds;
    samples.push(sample);
    if (samples.length > MAX_SAMPLES) samples.shift();
  } else if (previous && previous.started !== now.started) {
    samples.length = 0;
  }
  previous = now;
}

/** Polls until `signal` aborts; `report` gets the status, or null and the error. */
export async function watchStatus(signal, report) {
  while (!signal.aborted) {
    try {
      const status = await get('status', {}, signal);
      add(status);
      report(status);
      for (const listener of listeners) listener(status);
    } catch (error) {
      if (signal.aborted) return;
      report(null, error);
    }
    await new Promise((resolve) => setTimeout(resolve, PERIOD));
  }
}

const rate = (value) =>
  value >= 100 ? count(Math.round(value)) : value.toLocaleString('en', { maximumFractionDigits: 1 });

const CHARTS = [
  { title: 'Events delivered', unit: 'a second', lines: [['delivered', rate]] },
  { title: 'Sends', unit: 'a second', lines: [['sends', rate]] },
  { title: 'Bytes delivered', unit: 'a second', lines: [['bytes', bytes]] },
  { title: 'Streams', unit: 'open', lines: [['streams', count]] },
  {
    title: 'Streams opened, closed',
    unit: 'a second',
    lines: [
      ['opened', rate],
      ['closed', rate],
    ],
  },
  { title: 'CPU', unit: '% of a core', lines: [['cpu', rate]] },
];

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function chart({ title, unit, lines }) {
  const figure = shape('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
  const value = el('span', { class: 'value' }, '–');
  const top = el('span', { class: 'top' });
  const box = el(
    'section',
    { class: 'chart' },
    el('h2', {}, title),
    el('p', {}, value, ' ', el('span', { class: 'unit' }, unit), top),
    figure,
  );
  const draw = () => {
    const most = Math.max(...samples.flatMap((sample) => lines.map(([key]) => sample[key])), 0);
    const scale = most > 0 ? (HEIGHT - 6) / most : 0;
    const x = (i) => ((MAX_SAMPLES - samples.length + i) * WIDTH) / (MAX_SAMPLES - 1);
    const y = (number) => HEIGHT - 2 - number * scale;
    const parts = lines.flatMap(([key], nth) => {
      const points = samples.map((sample, i) => `${x(i).toFixed(1)},${y(sample[key]).toFixed(1)}`).join(' ');
      if (!points) return [];
      const line = shape('polyline', { class: `line line-${nth}`, points });
      if (nth > 0) return [line];
      return [
        shape('polygon', { class: 'area', points: `${x(0).toFixed(1)},${HEIGHT} ${points} ${WIDTH},${HEIGHT}` }),
        line,
      ];
    });
    figure.replaceChildren(...parts);
    const latest = samples.at(-1);
    const text = latest ? lines.map(([key, format]) => format(latest[key])).join(' · ') : '–';
    value.textContent = text;
    top.textContent = latest ? `max ${lines[0][1](most)}` : '';
    figure.setAttribute(
      'aria-label',
      `${title} ${unit}: ${text} now, at most ${lines[0][1](most)} in the last 3 minutes`,
    );
  };
  return { box, draw };
}

const TILES = [
  ['Streams', (status) => count(status.connections), '#/streams'],
  ['Users online', (status) => count(status.users), '#/users'],
  ['Pending messages', (status) => count(status.pending), '#/pending'],
  ['Memory', (status) => bytes(status.memoryBytes)],
  ['Up for', (status) => duration(status.uptimeMillis)],
];

export function overview(context) {
  const values = TILES.map(() => el('span', { class: 'value' }, '–'));
  const tiles = TILES.map(([label, , href], i) =>
    el(href ? 'a' : 'div', { class: 'tile', href }, el('span', { class: 'label' }, label), values[i]),
  );
  const details = el('div', { class: 'stack' });
  const charts = CHARTS.map(chart);
  const show = (status) => {
    TILES.forEach(([, read], i) => (values[i].textContent = read(status)));
    for (const one of charts) one.draw();
    redraw(details, describeServer(status));
  };
  listeners.add(show);
  context.signal.addEventListener('abort', () => listeners.delete(show));
  if (context.status) show(context.status);
  return [
    el('h1', { tabindex: '-1' }, 'Overview'),
    el('div', { class: 'tiles' }, tiles),
    el(
      'div',
      { class: 'charts' },
      charts.map((one) => one.box),
    ),
    details,
  ];
}

function describeServer(status) {
  const cluster = status.cluster;
  return [
    cluster?.degraded && el('p', { class: 'warning' }, `Degraded: ${cluster.degraded}`),
    el(
      'div',
      { class: 'columns' },
      section(
        'Server',
        facts([
          ['Id', status.serverId],
          ['Version', status.version],
          ['State', status.state],
          ['Listens on', orNone(status.listen)],
          ['Database', orNone(status.database)],
          ['Started', dateTime(status.startTime)],
          ['Cluster', cluster ? undefined : 'none'],
          ['Process', status.pid],
          ['Threads', `${status.threads}, of which ${status.loops} stream loops`],
        ]),
      ),
      cluster &&
        section(
          'Cluster',
          facts([
            ['Address', cluster.address],
            ['Nodes', count(cluster.nodes)],
            ['Number of this node', cluster.number],
            ['Subscriptions', count(cluster.topics)],
            ['Hidden', cluster.unlisted],
          ]),
        ),
      section(
        'Services',
        table(
          'Services',
          [
            { label: 'Service', cell: (one) => one.name },
            { label: 'Path', cell: (one) => one.path },
            { label: 'Streams', number: true, cell: (one) => count(one.connections) },
            { label: 'Users', number: true, cell: (one) => count(one.users) },
          ],
          status.services ?? [],
        ),
      ),
    ),
  ].filter(Boolean);
}
