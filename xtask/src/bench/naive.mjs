// What dispatcher replaces: answers at once, then posts to the provider. No signature, nothing stored, no retry, no
// routes; a message that fails, or is under way at a crash, is gone.
import http from 'node:http';

const [port, provider, how] = process.argv.slice(2);
const account = 'AC00000000000000000000000000000000';
const url = `${provider}/2010-04-01/Accounts/${account}/Messages.json`;
const headers = {
  authorization: `Basic ${Buffer.from(`${account}:a-token-of-no-worth`).toString('base64')}`,
  'content-type': 'application/x-www-form-urlencoded',
};
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

function read(stream, done) {
  const parts = [];
  stream.on('data', (part) => parts.push(part));
  stream.on('end', () => done(JSON.parse(Buffer.concat(parts))));
}

// As it is mostly written.
async function fetched(body) {
  const response = await fetch(url, { method: 'POST', headers, body });
  return response.json();
}

// As it is written by somebody who counts.
function posted(body) {
  return new Promise((resolve, reject) => {
    const length = { 'content-length': Buffer.byteLength(body) };
    const request = http.request(url, { method: 'POST', agent, headers: { ...headers, ...length } });
    request.on('response', (response) => read(response, resolve));
    request.on('error', reject);
    request.end(body);
  });
}

const send = how === 'fetch' ? fetched : posted;

http
  .createServer((request, response) => {
    read(request, async (message) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"status":"accepted"}');
      const fields = { To: message.phone, From: '+15005550006', Body: message.message };
      try {
        const answer = await send(new URLSearchParams(fields).toString());
        if (!answer.sid) throw new Error(JSON.stringify(answer));
      } catch (error) {
        console.error(`not sent: ${message.messageId}: ${error.message}`);
      }
    });
  })
  .listen(Number(port), '127.0.0.1');
