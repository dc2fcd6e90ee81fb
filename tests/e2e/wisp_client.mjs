// SPDX-License-Identifier: ISC
// npm's wisp-js against a Wisp server:
//
//     node wisp_client.mjs MODULE URL VERSION TCP_PORT UDP_PORT REFUSED_PORT
//
// MODULE is the path of wisp-js's client. TCP_PORT and UDP_PORT of 127.0.0.1 send back
// what they get. Prints one JSON object of what it saw.
import { createRequire } from "node:module";

const [, , path, url, version, tcp, udp, refused] = process.argv;
const { client } = createRequire(import.meta.url)(path);
const saw = {};

const late = setTimeout(() => {
	console.log(JSON.stringify({ late: saw }));
	process.exit(1);
}, 30000);

function opened(connection) {
	return new Promise((resolve, reject) => {
		connection.onopen = resolve;
		connection.onerror = reject;
	});
}

// Sends pieces and takes as many bytes; the digest is the caller's to compare.
function echo(stream, pieces) {
	const want = pieces.reduce((sum, piece) => sum + piece.length, 0);
	const got = [];
	let have = 0;

	return new Promise((resolve, reject) => {
		stream.onmessage = (data) => {
			got.push(Buffer.from(data));
			have += data.length;
			if (have >= want)
				resolve(Buffer.concat(got));
		};
		stream.onclose = (reason) => reject(new Error(`closed with ${reason}`));
		pieces.forEach((piece) => stream.send(piece));
	});
}

function closed(stream) {
	return new Promise((resolve) => { stream.onclose = resolve; });
}

const connection = new client.ClientConnection(url, { wisp_version: Number(version) });
await opened(connection);
saw.version = connection.wisp_version;
saw.credit = connection.max_buffer_size;
saw.motd = connection.server_motd;
saw.udp = connection.udp_enabled;

// Four times the credit at once: the rest waits in wisp-js for CONTINUE.
const pieces = Array.from({ length: 512 }, (_, i) => new Uint8Array(1000).fill(i % 251));
const stream = connection.create_stream("127.0.0.1", Number(tcp), "tcp");
const back = await echo(stream, pieces);
saw.tcp = back.equals(Buffer.concat(pieces));

const datagrams = connection.create_stream("127.0.0.1", Number(udp), "udp");
saw.datagram = (await echo(datagrams, [new TextEncoder().encode("question")])).toString();
datagrams.close(2);

saw.refused = await closed(connection.create_stream("127.0.0.1", Number(refused), "tcp"));
saw.unknown = await closed(connection.create_stream("nothing.invalid", 80, "tcp"));
stream.close(2);
const ended = new Promise((resolve) => { connection.onclose = resolve; });
connection.close();
await ended;
clearTimeout(late);
console.log(JSON.stringify(saw));
process.exit(0);
