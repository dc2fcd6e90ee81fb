// SPDX-License-Identifier: ISC
// npm's v86 over Wisp, with a guest that is this file:
//
//     node v86_guest.mjs CONFIG
//
// The emulator is the real one, but nothing boots in it: what a guest's network card would
// send and receive goes over its bus from here. So the guest's frames meet v86's own DHCP,
// ARP, DNS and TCP, and its Wisp client meets the server. CONFIG is JSON; the members are
// named where they are used. Prints one JSON object of what the guest saw.
import { createHash, webcrypto } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const config = JSON.parse(process.argv[2]);
const MAC = Buffer.from("00224f000001", "hex");
const BROADCAST = Buffer.alloc(6, 255);
const MSS = 1460;
const FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16;
const saw = {};

const late = setTimeout(() => {
	console.log(JSON.stringify({ late: saw }));
	process.exit(1);
}, 60000);

globalThis.crypto ??= webcrypto;
globalThis.WebSocket = createRequire(import.meta.url)(config.ws).WebSocket;
const { V86 } = await import(pathToFileURL(`${config.v86}/build/libv86.mjs`));

// --- the bus --------------------------------------------------------------------------

const emulator = new V86({
	wasm_path: `${config.v86}/build/v86.wasm`,
	autostart: false,
	disable_speaker: true,
	memory_size: 16 << 20,
	vga_memory_size: 1 << 20,
	net_device: { type: "none", relay_url: config.relay, doh_server: config.doh },
});
await new Promise((resolve) => { emulator.add_listener("emulator-loaded", resolve); });
const adapter = emulator.network_adapter;
const bus = emulator.emulator_bus;

// Frames for whoever waits for them; a function that takes one says so.
const takers = new Set();
bus.register("net0-receive", (data) => {
	const frame = Buffer.from(data);

	// Later, as with a card: v86 is in the middle of its own work now.
	queueMicrotask(() => {
		for (const taker of [...takers])
			if (taker(frame))
				return;
	});
}, null);

function next(take) {
	return new Promise((resolve) => {
		const taker = (frame) => {
			const value = take(frame);

			if (value === undefined)
				return false;
			takers.delete(taker);
			resolve(value);
			return true;
		};
		takers.add(taker);
	});
}

async function until(true_yet) {
	while (!true_yet())
		await new Promise((resolve) => { setTimeout(resolve, 5); });
}

// --- frames ---------------------------------------------------------------------------

function sum16(...parts) {
	const data = Buffer.concat(parts);
	let sum = 0;

	for (let i = 0; i < data.length; i += 2)
		sum += (data[i] << 8) | (data[i + 1] ?? 0);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >>> 16);
	return ~sum & 0xffff;
}

function send(to, type, payload) {
	bus.send("net0-send", new Uint8Array(Buffer.concat(
		[to, MAC, Buffer.from([type >> 8, type & 255]), payload])));
}

function address(text) {
	return Buffer.from(text.split(".").map(Number));
}

function send_ip(mac, from, to, protocol, payload) {
	const head = Buffer.alloc(20);

	head[0] = 0x45;
	head.writeUInt16BE(20 + payload.length, 2);
	head[6] = 0x40;
	head[8] = 64;
	head[9] = protocol;
	from.copy(head, 12);
	to.copy(head, 16);
	head.writeUInt16BE(sum16(head), 10);
	send(mac, 0x0800, Buffer.concat([head, payload]));
}

function send_udp(mac, from, to, source, destination, data) {
	const head = Buffer.alloc(8);

	head.writeUInt16BE(source, 0);
	head.writeUInt16BE(destination, 2);
	head.writeUInt16BE(8 + data.length, 4);
	send_ip(mac, from, to, 17, Buffer.concat([head, data]));
}

// The IP packet in a frame: of one protocol, for one port of the guest.
function packet(frame, protocol, port) {
	if (frame.readUInt16BE(12) !== 0x0800 || frame[23] !== protocol)
		return undefined;
	const ip = frame.subarray(14, 14 + frame.readUInt16BE(16));
	const body = ip.subarray((ip[0] & 15) * 4);
	return body.readUInt16BE(2) === port ? body : undefined;
}

// --- DHCP, ARP and DNS ----------------------------------------------------------------

function dhcp(kind) {
	const head = Buffer.alloc(240);

	head.set([1, 1, 6]);
	head.writeUInt32BE(0x20261121, 4);
	MAC.copy(head, 28);
	head.writeUInt32BE(0x63825363, 236);
	const answer = next((frame) => packet(frame, 17, 68));
	send_udp(BROADCAST, address("0.0.0.0"), address("255.255.255.255"), 68, 67,
		 Buffer.concat([head, Buffer.from([53, 1, kind, 255])]));
	return answer.then((udp) => {
		const options = {};

		for (let at = 8 + 240; at < udp.length && udp[at] !== 255; at += 2 + udp[at + 1])
			options[udp[at]] = [...udp.subarray(at + 2, at + 2 + udp[at + 1])];
		return { kind: options[53][0], address: [...udp.subarray(8 + 16, 8 + 20)].join("."),
			 router: options[3].join("."), dns: options[6].join(".") };
	});
}

function arp(own, wanted) {
	const answer = next((frame) => (frame.readUInt16BE(12) === 0x0806 && frame[21] === 2 &&
					frame.subarray(28, 32).equals(wanted)) ?
				       Buffer.from(frame.subarray(22, 28)) : undefined);

	send(BROADCAST, 0x0806, Buffer.concat([Buffer.from("0001080006040001", "hex"), MAC, own,
					       Buffer.alloc(6), wanted]));
	return answer;
}

// The last four bytes of the answer: our server's has one record, an A, at its end.
function resolve(guest, name) {
	const question = Buffer.concat([
		Buffer.from("864201000001000000000000", "hex"),
		...name.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
		Buffer.from([0, 0, 1, 0, 1])]);
	const answer = next((frame) => packet(frame, 17, 5353));

	send_udp(guest.mac, guest.own, guest.router, 5353, 53, question);
	return answer.then((udp) => [...udp.subarray(-4)].join("."));
}

function digest(data) {
	return createHash("sha256").update(data).digest("hex");
}

// --- TCP ------------------------------------------------------------------------------

// One connection. The bus loses nothing and keeps the order: there is nothing to send again.
class Tcp {
	constructor(guest, port, host, destination) {
		Object.assign(this, { guest, port, host: address(host), destination });
		this.sequence = 1000;
		this.acknowledge = 0;
		this.got = [];
		this.ended = false;
		this.reset = false;
		this.frame = (frame) => this.take(frame);
		takers.add(this.frame);
		this.segment(SYN);
		this.sequence++;
	}

	segment(flags, data = Buffer.alloc(0)) {
		const head = Buffer.alloc(20), pseudo = Buffer.alloc(4);

		head.writeUInt16BE(this.port, 0);
		head.writeUInt16BE(this.destination, 2);
		head.writeUInt32BE(this.sequence, 4);
		head.writeUInt32BE(this.acknowledge, 8);
		head[12] = 0x50;
		head[13] = flags;
		head.writeUInt16BE(64240, 14);
		pseudo[1] = 6;
		pseudo.writeUInt16BE(20 + data.length, 2);
		head.writeUInt16BE(sum16(this.guest.own, this.host, pseudo, head, data), 16);
		send_ip(this.guest.mac, this.guest.own, this.host, 6, Buffer.concat([head, data]));
	}

	take(frame) {
		const tcp = packet(frame, 6, this.port);

		if (!tcp || tcp.readUInt16BE(0) !== this.destination)
			return false;
		const flags = tcp[13], data = tcp.subarray((tcp[12] >> 4) * 4);
		const sequence = tcp.readUInt32BE(4);
		if (flags & RST)
			this.reset = true;
		if (flags & SYN) {
			this.acknowledge = sequence + 1;
			this.segment(ACK);
			this.open = true;
			return true;
		}
		if (sequence !== this.acknowledge)
			return true;
		this.got.push(Buffer.from(data));
		this.acknowledge += data.length;
		if (flags & FIN) {
			this.acknowledge++;
			this.ended = true;
		}
		if (data.length || flags & FIN)
			this.segment(ACK);
		return true;
	}

	// All at once, whatever v86's credit is: keeping to it is v86's part.
	write(data) {
		for (let at = 0; at < data.length; at += MSS) {
			const piece = data.subarray(at, at + MSS);

			this.segment(ACK | PSH, piece);
			this.sequence += piece.length;
		}
	}

	end() {
		this.segment(ACK | FIN);
		this.sequence++;
	}

	count() {
		return this.got.reduce((sum, piece) => sum + piece.length, 0);
	}

	told() {
		const data = Buffer.concat(this.got);

		return { size: data.length, sha256: digest(data), ended: this.ended,
			 reset: this.reset };
	}
}

async function connect(guest, port, host, destination) {
	const tcp = new Tcp(guest, port, host, destination);

	await until(() => tcp.open);
	return tcp;
}

// The service answers and ends.
async function fetch_page(guest, port, host) {
	const tcp = await connect(guest, port, host, config.page);

	tcp.write(Buffer.from(`GET /page HTTP/1.1\r\nHost: ${config.name}\r\n\r\n`));
	await until(() => tcp.ended || tcp.reset);
	tcp.end();
	const answer = Buffer.concat(tcp.got), at = answer.indexOf("\r\n\r\n");
	return { head: answer.toString("latin1", 0, at), body: digest(answer.subarray(at + 4)),
		 ...tcp.told() };
}

// The guest ends, when all of it came back.
async function echo(guest, port, seed) {
	const tcp = await connect(guest, port, "127.0.0.1", config.echo);
	const data = Buffer.alloc(config.size);

	for (let i = 0; i < data.length; i++)
		data[i] = (i * 7 + (i >> 8) + seed) & 255;
	tcp.write(data);
	await until(() => tcp.count() >= data.length || tcp.ended || tcp.reset);
	tcp.end();
	await until(() => tcp.ended || tcp.reset);
	return tcp.told();
}

// Nothing is sent: the end comes by itself.
async function refused(guest, port, host, destination) {
	const tcp = await connect(guest, port, host, destination);

	await until(() => tcp.ended || tcp.reset);
	tcp.end();
	return tcp.told();
}

// --- the guest's life -----------------------------------------------------------------

saw.offer = await dhcp(1);
saw.lease = await dhcp(3);
const guest = { own: address(saw.lease.address), router: address(saw.lease.router) };
guest.mac = await arp(guest.own, guest.router);
saw.router = guest.mac.toString("hex");
saw.resolved = await resolve(guest, config.name);

// v86 speaks before it is connected only if its guest is as fast as this one.
await until(() => adapter.connections[0].congestion > 0);
saw.credit = adapter.connections[0].congestion;
saw.page = await fetch_page(guest, 40001, saw.resolved);
saw.echo = await Promise.all([0, 1, 2].map((i) => echo(guest, 40010 + i, i)));
saw.denied = await refused(guest, 40020, "10.0.0.1", 80);
saw.nobody = await refused(guest, 40021, "127.0.0.1", config.closed);

// v86 keeps a stream until the server has closed it, too.
await until(() => Object.keys(adapter.connections).length === 1);
await until(() => Object.keys(adapter.tcp_conn).length === 0);
saw.streams = adapter.last_stream - 1;
saw.left = Object.keys(adapter.connections);
clearTimeout(late);
console.log(JSON.stringify(saw));
process.exit(0);
