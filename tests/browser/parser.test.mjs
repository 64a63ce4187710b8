// The stream parser of the client, for streams that are read with fetch, against the
// specification, cut anywhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventParser } from '../../lib/web/sse-fetch.js';

function parsed(pieces, limit) {
  const events = [];
  const push = eventParser((type, data, id) => events.push({ type, data, id }), limit);
  for (const piece of pieces) push(piece);
  return events;
}

/** The same by the words of the specification (WHATWG HTML 9.2.6), for a text that is there as a whole. */
function expected(text) {
  const events = [];
  let [data, type, id] = ['', '', ''];
  const lines = text.split(/\r\n|\r|\n/);
  lines.pop(); // the end of the stream completes no line
  for (const line of lines) {
    const [, name, value] = /^([^:]*)(?::\x20?(.*))?$/s.exec(line);
    if (line === '') {
      if (data !== '') events.push({ type: type || 'message', data: data.slice(0, -1), id });
      [data, type] = ['', ''];
    } else if (name === 'data') data += `${value ?? ''}\n`;
    else if (name === 'event') type = value ?? '';
    else if (name === 'id' && !value?.includes('\0')) id = value ?? '';
  }
  return events;
}

/** A generator of numbers below `n` that a seed repeats (mulberry32). */
function randomFrom(seed) {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % n;
  };
}

function cut(text, random) {
  const pieces = [];
  for (let at = 0; at < text.length; ) {
    const end = at + random(1 + random(12));
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
}

test('reads what the specification gives as examples', () => {
  assert.deepEqual(parsed(['data: YHOO\ndata: +2\ndata: 10\n\n']), [{ type: 'message', data: 'YHOO\n+2\n10', id: '' }]);
  assert.deepEqual(
    parsed([': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n']),
    [
      { type: 'message', data: 'first event', id: '1' },
      { type: 'message', data: 'second event', id: '' },
      { type: 'message', data: ' third event', id: '' },
    ],
  );
  assert.deepEqual(
    parsed(['data\n\ndata\ndata\n\ndata:']),
    ['', '\n'].map((data) => ({ type: 'message', data, id: '' })),
  );
});

test('keeps the last id, also of a block without data, and ignores one with NUL', () => {
  assert.deepEqual(parsed(['id:7\n\nevent:a\ndata:x\n\nid:8\0\ndata:y\n\n']), [
    { type: 'a', data: 'x', id: '7' },
    { type: 'message', data: 'y', id: '7' },
  ]);
});

test('takes an event that is not complete for none', () => {
  assert.deepEqual(parsed(['data:x\n']), []);
  assert.deepEqual(parsed(['event:a\ndata:x\r', '']), []);
  assert.deepEqual(parsed(['data:x\r', '\n', '\r', '\n']), [{ type: 'message', data: 'x', id: '' }]);
});

test('reads what the specification says, wherever the text is cut', () => {
  const words = ['data:', 'data: ', 'event:', 'id:', 'retry:', ':', 'x', ' ', 'é服', '0', '\n', '\n', '\n\n', 'datax:', 'id'];
  for (let seed = 1; seed <= 3000; ++seed) {
    const random = randomFrom(seed);
    let text = '';
    for (let length = random(60); length > 0; --length) text += words[random(words.length)];
    text += '\n\n';
    const events = expected(text);
    assert.deepEqual(parsed([text]), events, `seed ${seed}`);
    // Other line breaks mean the same.
    const other = text.replaceAll('\n', () => ['\n', '\r', '\r\n'][random(3)]);
    assert.deepEqual(parsed(cut(other, random)), expected(other), `seed ${seed}, cut`);
    assert.deepEqual(parsed([text.replaceAll('\n', '\r\n')]), events, `seed ${seed}, CRLF`);
    assert.deepEqual(parsed(cut(text.replaceAll('\n', '\r'), random)), events, `seed ${seed}, CR`);
  }
});

test('survives any text at all', () => {
  for (let seed = 1; seed <= 1000; ++seed) {
    const random = randomFrom(seed);
    let text = '';
    for (let length = random(200); length > 0; --length) text += String.fromCharCode(random(4) ? random(128) : random(65536));
    assert.deepEqual(parsed(cut(text, random)), expected(text), `seed ${seed}`);
  }
});

test('holds no more of an event than its limit, in one line or in many', () => {
  assert.equal(parsed([`data:${'x'.repeat(90)}\n\n`], 100).length, 1);
  assert.throws(() => parsed([`data:${'x'.repeat(100)}`], 100), /larger than 100/);
  assert.throws(() => parsed(Array(200).fill('x'), 100), /larger than 100/);
  assert.throws(() => parsed(Array(30).fill('data:x\n'), 100), /larger than 100/);
  assert.equal(parsed(Array(30).fill('data:x\n\n'), 100).length, 30, 'the limit is that of one event');
});
