import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { delivery } from './plugin.js';
import { answer, callback, context, secrets, shown, sms } from './testing.js';

const given = context({ from: '+525598765432' }, { callbackUrl: 'https://hooks.example.com/callbacks/x' });
const asked = delivery.deliver(given, sms('+525512345678', 'Hola')).val;
const outcome = (reply) => delivery.onReply(given, asked.state, reply).val;
const error = (code) => ({ error: { code, detail: 'as Nube says it' } });

test('a message becomes a request', () => {
  const { url, body, credential } = asked.action.val;
  assert.equal(shown(url), 'https://api.nube.example/v1/sms');
  assert.equal(credential.val, 'api_key');
  assert.equal(JSON.parse(shown(body)).reference, given.idempotencyKey);
});

test('answers become outcomes', () => {
  const taken = outcome(answer(202, { id: 'n1', status: 'queued', parts: 2 }));
  assert.deepEqual([taken.val.references[0], taken.val.state, taken.val.parts], ['n1', 'queued', 2]);
  assert.equal(outcome(answer(422, error('invalid_number'))).tag, 'rejected-recipient');
  assert.equal(outcome(answer(402, error('no_credit'))).tag, 'rejected-account');
  assert.equal(outcome(answer(422, error('constructor'))).tag, 'rejected-content');
  assert.equal(outcome(answer(202, '<html>')).tag, 'unknown');
});

test('callbacks are believed when they are signed', () => {
  secrets.signing_key = 'the key of the webhook';
  const body = JSON.stringify({
    events: [
      { type: 'status', id: 'n1', status: 'delivered' },
      { type: 'reply', id: 'n9', from: '+525512345678', to: '+525598765432', text: 'gracias' },
      { type: 'billing', id: 'n2' },
    ],
  });
  const sign = (key) => createHmac('sha256', key).update(body).digest('hex');
  const said = delivery.receive(given, callback(body, { 'x-nube-signature': sign(secrets.signing_key) }));
  assert.deepEqual(said.val.events.map(({ tag }) => tag), ['receipt', 'inbound']);
  assert.equal(said.val.events[0].val.state, 'delivered');
  assert.equal(delivery.receive(given, callback(body, { 'x-nube-signature': sign('guessed') })).tag, 'refused');
  assert.equal(delivery.receive(given, callback(body)).tag, 'refused');
  // Nube speaks no SMPP.
  assert.equal(delivery.receive(given, { tag: 'smpp', val: {} }).tag, 'refused');
});

test('a lost answer is asked for', () => {
  const { action, state } = delivery.lookup(given, { message: sms('+525512345678', 'Hola'), attemptedAtMs: 0n }).val;
  assert.equal(shown(action.val.url), 'https://api.nube.example/v1/sms?reference=01hzy3k9q8w7e-1');
  const said = (reply) => delivery.onLookupReply(given, state, reply);
  assert.equal(said(answer(200, { id: 'n1', status: 'delivered' })).val.val.references[0], 'n1');
  assert.equal(said(answer(404)).tag, 'absent');
  assert.equal(said(answer(500)).tag, 'cannot-tell');
});
