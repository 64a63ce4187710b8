// The client module as those who bundle it get it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { transform } from 'esbuild';

const WEB = new URL('../../lib/web/', import.meta.url);

/** Bytes of a file of lib/web, minified and gzipped. */
async function sizeOf(name) {
  const { code } = await transform(await readFile(new URL(name, WEB), 'utf8'), { minify: true, format: 'esm' });
  return gzipSync(code, { level: 9 }).length;
}

test('the client is at most 6 kB, minified and gzipped', async (t) => {
  const size = await sizeOf('sse.js');
  t.diagnostic(`sse.js: ${size} bytes`);
  assert.ok(size <= 6000, `sse.js is ${size} bytes`);
});
