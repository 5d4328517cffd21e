// Makes dist/nube-sms.wasm of plugin.js. Everything that would import WASI is turned off: a plugin has no clock, no
// randomness, no files and no network.
import { mkdir, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'plugin.js',
  witPath: 'wit',
  worldName: 'plugin',
  disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'],
});
await mkdir('dist', { recursive: true });
await writeFile('dist/nube-sms.wasm', component);
