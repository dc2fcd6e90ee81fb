// SPDX-License-Identifier: ISC
// Clients of the udp-relay dialect:
//
//     node udp_client.mjs channel|network CONFIG
//
// "channel" is a relay of one channel for one peer, as a kernel in a page has it: whatever
// channel carries messages will do, here it is a WebSocket. "network" is the network
// interface of docs/dialects/udp-relay.md, from the file that CONFIG names. CONFIG is JSON.
// Prints one JSON object of what it saw.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const config = JSON.parse(process.argv[3]);
const SIZES = [0, 1, 100, 1017, 9000, 65507];
const saw = {};

globalThis.WebSocket = createRequire(import.meta.url)(config.ws).WebSocket;

const late = setTimeout(() => {
	console.log(JSON.stringify({ late: saw }));
	process.exit(1);
}, 30000);

function payload(size) {
	return new Uint8Array(size).map((_, i) => (i * 7 + (i >> 8)) & 255);
}

function digest(data) {
	return createHash("sha256").update(data).digest("hex");
}

async function until(true_yet) {
	while (!true_yet())
		await new Promise((resolve) => { setTimeout(resolve, 5); });
}

// --- one channel ------------------------------------------------------------------------

// The kernel is asked for outgoing datagrams and is given those that come; the wire has no
// addresses, as there is one peer. It wants a process before it takes any.
class Relay {
	constructor({ kernel, channel, peer }) {
		Object.assign(this, { kernel, channel, peer, pid: null });
		this.take = (event) => this.receive(new Uint8Array(event.data));
		channel.addEventListener("message", this.take);
		this.stop = kernel.on_send((datagram) => this.send(datagram));
	}

	send({ source, address, destination, data }) {
		if (address.join(".") !== this.peer.join("."))
			return;
		const message = Buffer.alloc(7 + data.length);
		message[0] = 1;
		message.writeUInt16BE(source, 1);
		message.writeUInt16BE(destination, 5);
		message.set(data, 7);
		this.channel.send(message);
	}

	receive(message) {
		if (this.pid === null || message.length < 7 || message[0] !== 1)
			return;
		const head = new DataView(message.buffer, message.byteOffset);
		this.kernel.inject(this.pid, head.getUint16(5), this.peer, head.getUint16(1),
				   message.subarray(7));
	}

	close() {
		this.channel.removeEventListener("message", this.take);
		this.stop();
	}
}

class Kernel {
	constructor() {
		this.injected = [];
		this.handlers = new Set();
	}

	on_send(handler) {
		this.handlers.add(handler);
		return () => this.handlers.delete(handler);
	}

	send(source, address, destination, data) {
		for (const handler of this.handlers)
			handler({ source, address, destination, data });
	}

	inject(pid, destination, address, source, data) {
		this.injected.push([pid, destination, address.join("."), source, data.length, digest(data)]);
	}
}

// What the envelope is, byte by byte: written down before there was any server for it.
function envelope() {
	const kernel = new Kernel(), sent = [], peer = [10, 99, 0, 2];
	const relay = new Relay({ kernel, peer, channel: {
		addEventListener() {}, removeEventListener() {}, send: (m) => sent.push(m.toString("hex")) } });

	relay.pid = 7;
	kernel.send(5029, peer, 6000, Buffer.from("ping"));
	relay.receive(Buffer.from("011770000013a5706f6e67", "hex"));
	return { sent, injected: kernel.injected };
}

async function channel() {
	const ws = new WebSocket(`${config.base}/udp-relay/127.0.0.1${config.query}`);
	const kernel = new Kernel(), peer = [127, 0, 0, 1];
	let raw = 0;

	ws.binaryType = "arraybuffer";
	ws.addEventListener("message", () => { raw++; });
	await new Promise((resolve) => { ws.onopen = resolve; });
	const relay = new Relay({ kernel, channel: ws, peer });
	kernel.send(5029, peer, config.echo, payload(3));
	await until(() => raw === 1);
	saw.before = kernel.injected.length;
	relay.pid = 7;
	for (const size of SIZES) {
		const have = kernel.injected.length;
		kernel.send(5029, [127, 0, 0, 2], config.echo, payload(5));
		kernel.send(5029, peer, config.echo, payload(size));
		await until(() => kernel.injected.length > have);
	}
	saw.injected = kernel.injected;
	saw.raw = raw;
	relay.close();
	await new Promise((resolve) => {
		ws.onclose = (event) => { saw.code = event.code; resolve(); };
		ws.close(1000);
	});
	saw.envelope = envelope();
}

// --- the network interface ------------------------------------------------------------------

async function network() {
	const { udpNetwork } = await import(pathToFileURL(config.module));
	const local = Uint8Array.of(10, 88, 0, 2), any = new Uint8Array(4);
	const net = udpNetwork(config.base, config.query, local);
	const got = { first: [], second: [] };
	const target = (name) => ({ receive(datagram) { got[name].push(datagram); return 0; } });
	const send = (srcPort, address, dstPort, data) => net.sendDatagram(
		{ srcAddr: local, srcPort, dstAddr: Uint8Array.from(address), dstPort, data });

	saw.bound = [net.bindUdp("first", any, 5029, target("first")),
		     net.bindUdp("second", any, 5029, target("second")),
		     net.bindUdp("second", any, 6000, target("second"))];
	saw.sent = [];
	for (const size of SIZES) {
		const have = got.first.length;
		saw.sent.push(send(5029, [127, 0, 0, 1], config.echo, payload(size)));
		await until(() => got.first.length > have);
	}
	// Another peer, and more than one datagram while its WebSocket opens.
	for (let i = 0; i < 5; i++)
		saw.sent.push(send(6000, [127, 0, 0, 3], config.other, payload(i)));
	await until(() => got.second.length === 5);
	saw.too_long = send(5029, [127, 0, 0, 1], config.echo, payload(65508));
	saw.denied = [send(5029, [10, 0, 0, 1], 5000, payload(1))];
	await until(() => {
		saw.denied[1] = send(5029, [10, 0, 0, 1], 5000, payload(1));
		return saw.denied[1] !== 0;
	});
	net.unbindUdp("first");
	send(5029, [127, 0, 0, 3], config.other, payload(9));
	send(6000, [127, 0, 0, 3], config.other, payload(9));
	await until(() => got.second.length === 6);
	for (const name of ["first", "second"])
		saw[name] = got[name].map((d) => [[...d.srcAddr].join("."), d.srcPort,
						  [...d.dstAddr].join("."), d.dstPort, d.data.length,
						  digest(d.data)]);
}

await (process.argv[2] === "channel" ? channel() : network());
clearTimeout(late);
console.log(JSON.stringify(saw));
process.exit(0);
