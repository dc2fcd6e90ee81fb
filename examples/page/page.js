// SPDX-License-Identifier: ISC
// One TCP stream through sockward's raw dialect: a path that names the destination,
// binary messages for the bytes, and an empty message for the end of a direction.
'use strict';

const $ = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search);

$('server').value = asked.get('server') || `ws://${location.hostname || '127.0.0.1'}:8086`;
$('host').value = asked.get('host') || '127.0.0.1';
$('port').value = asked.get('port') || location.port || '8087';
$('request').value = 'GET /hello.txt HTTP/1.0\nHost: 127.0.0.1\n\n';

function step(text, kind) {
  const item = document.createElement('li');
  item.textContent = text;
  item.className = kind || '';
  $('steps').append(item);
}

// For tests: the outcome in one word.
function done(word) {
  $('state').textContent = word;
  $('go').disabled = false;
}

function connect() {
  const host = $('host').value.replace(/^\[(.*)\]$/, '$1');
  const url = `${$('server').value.replace(/\/+$/, '')}/raw/` +
    `${encodeURIComponent(host)}/${encodeURIComponent($('port').value)}?eof=message`;
  const decoder = new TextDecoder();
  let received = 0;
  let ended = false;
  let opened = false;
  let socket;

  $('steps').textContent = $('answer').textContent = $('state').textContent = '';
  $('go').disabled = true;
  step(`connecting to ${url}`);
  try {
    socket = new WebSocket(url, 'binary');
  } catch (error) {
    step(error.message, 'bad');
    done('failed');
    return;
  }
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    opened = true;
    step('the WebSocket is open; sending the bytes');
    socket.send(new TextEncoder().encode($('request').value.replace(/\r?\n/g, '\r\n')));
  };
  socket.onmessage = (event) => {
    if (event.data.byteLength === 0) {
      ended = true;
      step('the destination has sent everything', 'good');
      socket.close(1000);
      return;
    }
    received += event.data.byteLength;
    $('answer').textContent += decoder.decode(event.data, { stream: true });
  };
  socket.onclose = (event) => {
    if (received)
      step(`${received} bytes came back`, 'good');
    if (!opened)
      step('no WebSocket could be opened: is sockward running there?', 'bad');
    else
      step(`closed with ${event.code}${event.reason ? `: ${event.reason}` : ''}`,
           ended ? 'good' : 'bad');
    done(ended && received ? 'answered' : 'refused');
  };
}

$('form').onsubmit = (event) => {
  event.preventDefault();
  connect();
};
if (asked.has('go'))
  connect();
