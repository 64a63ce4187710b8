// The log of the demo page: lines, of which one is chosen, whose details are shown below.

import { text } from './demo-text.js';

const MAX_LINES = 1000;
const MAX_SHOWN = 4000;

const element = (id) => document.getElementById(id);
const log = element('log');
const list = log.firstElementChild;
const details = new WeakMap(); // line → {frame, curl, ssectl}
const unconfirmed = new Map(); // event id → line

let lines = 0;
let chosen;

const followsNewest = () => log.scrollHeight - log.scrollTop - log.clientHeight < 40;

function showNewest() {
  log.scrollTop = log.scrollHeight;
  element('newest').hidden = true;
}

function span(className, content) {
  const part = document.createElement('span');
  part.className = className;
  part.textContent = content;
  return part;
}

function shorten(content) {
  return content.length > MAX_SHOWN ? `${content.slice(0, MAX_SHOWN)}… (${content.length} characters)` : content;
}

/** The text with an optional line break after every comma: to the browser, JSON is one long word. */
function breakable(content) {
  return content.split(/(?<=,)/).flatMap((piece, i) => (i ? [document.createElement('wbr'), piece] : [piece]));
}

/**
 * Adds a line `ID:… name text`; it contains only text nodes, so that the server cannot insert markup. Time and marks are
 * drawn beside them, as is the `channel` of an event. Returns the line. `detail`: {frame, curl, ssectl}, as far as there are.
 */
export function addLine(kind, id, name, content, detail = {}, channel = undefined) {
  const follow = followsNewest();
  const line = document.createElement('li');
  line.dataset.kind = kind;
  line.dataset.time = new Date().toLocaleTimeString([], { hour12: false });
  const label = span('name', name);
  if (channel) label.dataset.channel = channel;
  line.append(span('id', `ID:${id ?? '–'}`), ' ', label, ' ', ...breakable(shorten(content)));
  details.set(line, detail);
  list.append(line);
  while (list.childElementCount > MAX_LINES) list.firstElementChild.remove();
  lines += 1;
  element('count').textContent = lines;
  element('empty').hidden = true;
  if (follow) showNewest();
  else element('newest').hidden = false;
  return line;
}

/** Adds to the details of a line, which may be the one that is shown. */
export function addDetail(line, detail) {
  Object.assign(details.get(line), detail);
  if (line === chosen) showDetail(details.get(line));
}

/** The message of this line is confirmed when setConfirmed() is called with its id. */
export function awaitConfirmation(line, id) {
  line.dataset.mark = text('unconfirmed');
  line.dataset.qos = 'unconfirmed';
  unconfirmed.set(id, line);
  if (unconfirmed.size > MAX_LINES) unconfirmed.delete(unconfirmed.keys().next().value);
}

export function setConfirmed(ids) {
  for (const id of ids) {
    const line = unconfirmed.get(id);
    if (!line) continue;
    unconfirmed.delete(id);
    line.dataset.mark = text('confirmed');
    line.dataset.qos = 'confirmed';
  }
}

export function showDetail({ frame, curl, ssectl }) {
  const follow = followsNewest();
  for (const [row, output, value] of [
    ['frame-row', 'frame', frame],
    ['curl-row', 'curl', curl],
    ['ssectl-row', 'shell-example', ssectl],
  ]) {
    element(row).hidden = !value;
    element(output).textContent = value ?? '';
  }
  if (follow) showNewest(); // the log has another height
}

function choose(line) {
  chosen?.removeAttribute('aria-current');
  chosen = line;
  line.setAttribute('aria-current', 'true');
  line.scrollIntoView({ block: 'nearest' });
  showDetail(details.get(line));
}

function clear() {
  list.replaceChildren();
  unconfirmed.clear();
  chosen = undefined;
  lines = 0;
  element('count').textContent = lines;
  element('empty').hidden = false;
  element('newest').hidden = true;
}

const STEPS = { ArrowUp: -1, ArrowDown: 1, Home: -MAX_LINES, End: MAX_LINES };

function chooseByKey(event) {
  const step = STEPS[event.key];
  if (!step || !list.childElementCount) return;
  event.preventDefault();
  const all = [...list.children];
  const from = chosen?.isConnected ? all.indexOf(chosen) : all.length;
  const line = all[Math.max(0, Math.min(all.length - 1, from + step))];
  choose(line);
  element('chosen').textContent = line.textContent;
}

async function copy(button) {
  const source = element(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = text('copied');
  } catch {
    // Without permission, or on plain http: it is selected, and the user copies it.
    getSelection().selectAllChildren(source);
  }
}

export function labelCopyButtons() {
  for (const button of document.querySelectorAll('[data-copy]')) button.textContent = text('copy');
}

element('clean').addEventListener('click', clear);
element('newest').addEventListener('click', showNewest);
log.addEventListener('scroll', () => {
  if (followsNewest()) element('newest').hidden = true;
});
log.addEventListener('keydown', chooseByKey);
list.addEventListener('click', (event) => {
  const line = event.target.closest('li');
  if (line && getSelection().isCollapsed) choose(line);
});
for (const button of document.querySelectorAll('[data-copy]')) button.addEventListener('click', () => copy(button));
