// The channels of the demo page: those that it has joined, which are in its URL, and who is in them.

import { text } from './demo-text.js';
import { shellLine } from './demo-wire.js';

const PARAMETER = 'join';
const MAX_SHOWN = 5; // members; the others are in the tooltip
const element = (id) => document.getElementById(id);

let page; // the URL
let call; // shows a call of the client
let user;
let client;
const joined = new Set();

const members = new Map(); // of those: what the client knows of their members
const shownMembers = new Map(); // the elements that show them

/** Learns who is in the channels; their other events go to the page's listeners. */
function listener({ channel, presence }) {
  if (!presence || !joined.has(channel)) return;
  members.set(channel, presence);
  showMembers(channel);
}

function showMembers(name) {
  const known = members.get(name);
  const names = known?.members?.map(({ tenant, user }) => (tenant ? `${user}@${tenant}` : user)) ?? [];
  const more = names.length > MAX_SHOWN ? ` +${names.length - MAX_SHOWN}` : '';
  const listed = names.slice(0, MAX_SHOWN).join(', ') + more;
  const shown = shownMembers.get(name);
  shown.textContent = known && !known.members && !known.refused ? text('members', known.count) : listed;
  shown.title = names.join('\n');
}

/** The place in a chip for the members of that channel. */
function memberList(name) {
  const shown = document.createElement('small');
  shownMembers.set(name, shown);
  showMembers(name);
  return shown;
}

/**
 * Shows names in a list, each with a button that removes it. `nothing` and `label` are keys of text(); `more(name)`
 * makes an element to be shown beside the name.
 */
export function showChips(list, names, { nothing, label, remove, more }) {
  const chips = [...names].map((name) => {
    const chip = document.createElement('li');
    const shown = document.createElement('span');
    shown.textContent = name;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = '×';
    button.setAttribute('aria-label', text(label, name));
    button.addEventListener('click', () => remove(name));
    chip.append(shown, ...(more ? [more(name)] : []), button);
    return chip;
  });
  element(list).dataset.nothing = text(nothing);
  element(list).replaceChildren(...chips);
}

function showChannels() {
  shownMembers.clear();
  showChips('channels', joined, { nothing: 'noChannel', label: 'leave', remove: leaveChannel, more: memberList });
}

function keepChannels() {
  page.searchParams.delete(PARAMETER);
  for (const name of joined) page.searchParams.append(PARAMETER, name);
  history.replaceState(null, '', page);
  showChannels();
}

function forget(name) {
  joined.delete(name);
  members.delete(name);
  keepChannels();
}

async function subscribe(name) {
  const mine = client;
  const why = shellLine('ssectl', 'explain', '--user', user(), '--channel', name);
  const { ok } = await call('subscribe', name, () => mine.subscribe(name, { events: [], presence: true }, listener), why);
  if (!ok && mine === client) forget(name);
}

function joinChannel(name) {
  if (!client || joined.has(name)) return;
  joined.add(name);
  keepChannels();
  subscribe(name);
}

function leaveChannel(name) {
  forget(name);
  element('join-channel').focus();
  const who = shellLine('ssectl', 'connections', 'list', '--channel', name);
  if (client) call('unsubscribe', name, () => client.unsubscribe(name), who);
}

/**
 * `url`: of the page. `showCall(action, shown, call, ssectl)` shows a call of the client and resolves with `{ ok, result }`.
 * `userOf()` returns the user.
 */
export function startChannels(url, showCall, userOf) {
  page = url;
  call = showCall;
  user = userOf;
  for (const name of page.searchParams.getAll(PARAMETER)) if (name) joined.add(name);
  showChannels();
  element('join').addEventListener('submit', (event) => {
    event.preventDefault();
    const name = element('join-channel').value.trim();
    element('join-channel').value = '';
    if (name) joinChannel(name);
  });
}

/** A new client joins all channels. */
export function joinAll(sse) {
  client = sse;
  members.clear();
  showChannels();
  for (const name of joined) subscribe(name);
}

/** The server has taken the stream out of a channel, or has not let it in. */
export function leaveRefused(name) {
  if (!joined.has(name)) return;
  forget(name);
  client.unsubscribe(name).catch(() => {}); // it is not in it
}

export function labelChannels() {
  showChannels();
  element('join-channel').placeholder = text('anotherChannel');
}
