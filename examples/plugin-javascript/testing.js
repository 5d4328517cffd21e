// For tests: `node --import ./testing.js --test`, which is `npm test`. Messages and answers to start from, and a
// stand-in for what the host gives a plugin (its log and its work with secrets).
import { createHmac } from 'node:crypto';
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const bytes = (value) => new TextEncoder().encode(value);

/** A context with these settings. */
export const context = (settings, more = {}) => ({
  settings: JSON.stringify(settings),
  nowMs: 1_795_305_600_000n,
  deadlineMs: 1_795_305_630_000n,
  number: 1,
  idempotencyKey: '01hzy3k9q8w7e-1',
  callbackUrl: undefined,
  ...more,
});

const message = (channel, more) => ({
  id: '01hzy3k9q8w7e',
  channel,
  location: 'exampleLocation00001',
  contact: 'exampleContact000001',
  to: [],
  cc: [],
  bcc: [],
  attachments: [],
  extra: [],
  ...more,
});

/** An SMS. */
export const sms = (to, text, more) => message('sms', { to: [to], text, ...more });
/** A mail. */
export const email = (sender, to, subject, html, more) => message('email', { sender, to: [to], subject, html, ...more });

/** A provider's answer, for `onReply` and its like. */
export const answer = (status, body = '', headers = {}) => ({
  tag: 'http',
  val: {
    status,
    headers: Object.entries(headers).map(([name, value]) => ({ name, value })),
    body: bytes(typeof body === 'string' ? body : JSON.stringify(body)),
    truncated: false,
  },
});
/** No answer. */
export const noAnswer = (kind, mayHaveLeft) => ({ tag: 'failed', val: { kind, detail: 'a test', mayHaveLeft } });

/** A callback, as the provider posts it. */
export const callback = (body, headers = {}) => ({
  tag: 'http',
  val: {
    method: 'POST',
    url: 'https://hooks.example.com/callbacks/x',
    headers: Object.entries(headers).map(([name, value]) => ({ name, value })),
    body: bytes(body),
  },
});

/** Pieces as text: secrets as {secret NAME}, attachments as {attachment INDEX}. */
export const shown = (pieces) =>
  pieces
    .map(({ tag, val }) => (tag === 'bytes' ? new TextDecoder().decode(val) : `{${tag} ${val.name ?? val.index}}`))
    .join('');

// The host's side. A test sets `secrets`; `dispatcher:plugin/…` is this very file.

/** Secrets by name. */
export const secrets = {};
/** What the plugin wrote to the log. */
export const lines = [];

export const write = (level, line) => lines.push({ level, line });
export const hmac = ({ secret, encoding }, algorithm, data) => {
  const text = known(secret);
  const bytesOf = { text: () => text, hex: () => Buffer.from(text, 'hex'), base64: () => Buffer.from(text.slice(encoding.val.length), 'base64') };
  return new Uint8Array(createHmac(algorithm.replace('hmac-', ''), bytesOf[encoding.tag]()).update(data).digest());
};
export const verify = (key, algorithm, data, signature) => Buffer.compare(hmac(key, algorithm, data), signature) === 0;
export const matches = (name, given) => Buffer.compare(bytes(known(name)), given) === 0;
export const reveal = known;

function known(name) {
  if (!(name in secrets)) throw { payload: { tag: 'unknown' } };
  return secrets[name];
}

export const resolve = (specifier, about, next) =>
  specifier.startsWith('dispatcher:plugin/') ? { url: import.meta.url, shortCircuit: true } : next(specifier, about);

if (isMainThread) register(import.meta.url);
