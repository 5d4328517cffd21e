// A message centre by SMPP 3.4: npm `smpp` in server mode, which by itself is a codec and a socket.
//
//   node smsc.js PORT SYSTEM_ID PASSWORD
//
// Says what happens in lines: `READY`, `BOUND`, `UNBOUND`, `SUBMIT {json}`, `ANSWERED {json}` (to what it said on its own).
// What it does with a short message stands in the message's destination and text:
//
//   to ...0058        throttled the first time
//   to ...0011        invalid destination
//   to ...0005        the receipt says UNDELIV
//   text `echo: X`    X comes back as a message from the destination
//   text `drop`       the connection is dropped without an answer
'use strict';

// Installed beside, under the target folder.
const smpp = require(require.resolve('smpp', { paths: [process.env.COUNTERPARTS] }));

const [port, systemId, password] = process.argv.slice(2);
const say = (word, what) => console.log(what === undefined ? word : `${word} ${JSON.stringify(what)}`);
const throttled = new Set();
let number = 0;

function textOf(pdu) {
  const field = pdu.short_message ?? {};
  const payload = pdu.message_payload;
  const message = payload === undefined ? field.message : payload.message ?? payload;
  return { text: Buffer.isBuffer(message) ? message.toString('hex') : message, udh: (field.udh ?? []).map((part) => part.toString('hex')) };
}

function receipt(session, pdu, id) {
  const state = pdu.destination_addr.endsWith('0005') ? 'UNDELIV' : 'DELIVRD';
  session.deliver_sm({
    source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr,
    dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: pdu.source_addr,
    esm_class: 4,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2611220000 done date:2611220001 stat:${state} err:${state === 'DELIVRD' ? '000' : '034'} text:`,
    receipted_message_id: id,
    message_state: state === 'DELIVRD' ? 2 : 5,
  }, (answer) => say('ANSWERED', { receipt: id, status: answer.command_status }));
}

function inbound(session, pdu, text) {
  session.deliver_sm({
    source_addr_ton: 1, source_addr_npi: 1, source_addr: pdu.destination_addr,
    dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: pdu.source_addr,
    data_coding: 8,
    short_message: text,
  }, (answer) => say('ANSWERED', { inbound: text, status: answer.command_status }));
}

function submitted(session, pdu) {
  const { text, udh } = textOf(pdu);
  say('SUBMIT', {
    from: pdu.source_addr, to: pdu.destination_addr, ton: pdu.dest_addr_ton, npi: pdu.dest_addr_npi, text, udh,
    coding: pdu.data_coding, esm: pdu.esm_class, receipts: pdu.registered_delivery, validity: pdu.validity_period,
    sar: pdu.sar_total_segments === undefined ? null : [pdu.sar_segment_seqnum, pdu.sar_total_segments],
  });
  const to = pdu.destination_addr;
  if (text === 'drop') return session.destroy();
  if (to.endsWith('0011')) return session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
  if (to.endsWith('0058') && !throttled.has(to)) {
    throttled.add(to);
    return session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
  }
  number += 1;
  const id = `SMSC-${process.pid}-${number}`;
  session.send(pdu.response({ message_id: id }));
  if (pdu.registered_delivery & 1) receipt(session, pdu, id);
  if (typeof text === 'string' && text.startsWith('echo: ')) inbound(session, pdu, text.slice(6));
}

const server = smpp.createServer((session) => {
  let bound = false;
  session.on('error', (error) => say('ERROR', { error: String(error) }));
  session.on('close', () => bound && say('UNBOUND'));
  session.on('bind_transceiver', (pdu) => {
    bound = pdu.system_id === systemId && pdu.password === password;
    session.send(pdu.response({ command_status: bound ? 0 : smpp.ESME_RINVPASWD, system_id: 'smsc' }));
    say(bound ? 'BOUND' : 'REFUSED');
  });
  session.on('enquire_link', (pdu) => {
    say('ENQUIRED');
    session.send(pdu.response());
  });
  session.on('submit_sm', (pdu) => {
    if (bound) submitted(session, pdu);
    else session.send(pdu.response({ command_status: smpp.ESME_RINVBNDSTS }));
  });
  session.on('unbind', (pdu) => {
    say('UNBIND');
    session.send(pdu.response(), () => session.close());
  });
});
server.listen(Number(port), '127.0.0.1', () => say('READY'));
// The harness holds standard input: when it goes, so does this.
process.stdin.on('end', () => process.exit()).resume();
