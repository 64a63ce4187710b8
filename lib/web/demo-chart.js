// The small chart of the demo page: the last round trips, and where a new connection was made.

import { text } from './demo-text.js';

const MAX_SAMPLES = 60;
const WIDTH = 240;
const HEIGHT = 40;
const SVG = 'http://www.w3.org/2000/svg';

const samples = []; // milliseconds, or null for a reconnect
let reconnects = 0;

function add(sample) {
  samples.push(sample);
  if (samples.length > MAX_SAMPLES) samples.shift();
  drawChart();
}

/** A request was answered, or a published event arrived, after so many milliseconds. */
export function addRoundTrip(milliseconds) {
  add(milliseconds);
}

export function addReconnect() {
  reconnects += 1;
  add(null);
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Draws again, in the language of the page. */
export function drawChart() {
  const times = samples.filter((sample) => sample !== null);
  const top = Math.max(...times, 1);
  const x = (i) => ((i + 0.5) * WIDTH) / MAX_SAMPLES;
  const parts = samples.map((sample, i) => {
    if (sample === null) return shape('line', { class: 'reconnect', x1: x(i), x2: x(i), y1: 0, y2: HEIGHT });
    const height = Math.max(1, (sample / top) * (HEIGHT - 4));
    return shape('rect', { class: 'sample', x: x(i) - 1.5, y: HEIGHT - height, width: 3, height });
  });
  const chart = document.getElementById('chart');
  chart.replaceChildren(...parts);
  const sorted = [...times].sort((a, b) => a - b);
  const round = (value) => (value < 10 ? value.toFixed(1) : Math.round(value));
  const caption = times.length
    ? text('chart', round(times.at(-1)), round(sorted[Math.floor(sorted.length / 2)]), reconnects)
    : text('chartEmpty', reconnects);
  chart.setAttribute('aria-label', caption);
  document.getElementById('chart-text').textContent = caption;
}
