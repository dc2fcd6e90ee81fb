// SPDX-License-Identifier: ISC
// A client of the netproxy dialect for Node, written from the observable
// behaviour of WASMTerminal's browser client (which is not part of this
// project): it connects lazily, sends its token as ?token=, counts its own ids up
// from 1, keeps data that comes before somebody listens, takes an error for a
// refused open or for an open stream, and forgets an id when it closes it.
//
//   node netproxy_client.mjs URL [TOKEN] < script > events
//
// A script is one JSON array of steps; every step's outcome is a JSON line.

import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const { WebSocket } = createRequire(import.meta.url)(
  (process.env.NODE_PATH || "") + "/ws");

class Client {
  constructor(url, token) {
    this.url = token ? url + (url.includes("?") ? "&" : "?") + "token=" +
      encodeURIComponent(token) : url;
    this.streams = new Map();
    this.opening = new Map();
    this.next = 1;
    this.left = null;
  }

  ready() {
    if (this.socket) return this.connecting;
    this.connecting = new Promise((resolve, reject) => {
      this.socket = new WebSocket(this.url);
      this.socket.onopen = () => resolve();
      this.socket.onerror = () => reject(new Error("WebSocket connection failed"));
      this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
      this.socket.onclose = (event) => {
        this.left = { code: event.code, reason: event.reason };
        for (const stream of this.streams.values()) stream.end("lost");
        for (const waits of this.opening.values()) waits.reject(new Error("WebSocket closed"));
        this.opening.clear();
        if (this.onleft) this.onleft();
      };
    });
    return this.connecting;
  }

  take(message) {
    const waits = this.opening.get(message.id);
    const stream = this.streams.get(message.id);
    if (message.t === "opened" && waits) {
      this.opening.delete(message.id);
      this.streams.set(message.id, new Stream());
      waits.resolve(message.id);
    } else if (message.t === "data" && stream) {
      stream.push(Uint8Array.from(atob(message.b64), (c) => c.charCodeAt(0)));
    } else if (message.t === "closed" && stream) {
      stream.end("closed");
    } else if (message.t === "error" && waits) {
      this.opening.delete(message.id);
      waits.reject(new Error(message.msg));
    } else if (message.t === "error" && stream) {
      stream.end("error: " + message.msg);
    }
  }

  async open(host, port) {
    await this.ready();
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.opening.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ t: "open", id, host, port }));
    });
  }

  write(id, bytes) {
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    this.socket.send(JSON.stringify({ t: "write", id, b64: btoa(text) }));
  }

  close(id) {
    if (!this.streams.delete(id)) return;
    this.socket.send(JSON.stringify({ t: "close", id }));
  }
}

class Stream {
  constructor() {
    this.chunks = [];
    this.total = 0;
    this.over = null;
    this.changed = () => {};
  }

  push(bytes) {
    this.chunks.push(bytes);
    this.total += bytes.length;
    this.changed();
  }

  end(how) {
    this.over = this.over || how;
    this.changed();
  }

  async until(enough) {
    while (!enough() && !this.over) {
      await new Promise((resolve) => { this.changed = resolve; });
    }
  }
}

const say = (outcome) => console.log(JSON.stringify(outcome));
const bytesOf = (step) => step.text !== undefined
  ? new TextEncoder().encode(step.text) : new Uint8Array(step.size).fill(step.fill || 0);
const client = new Client(process.argv[2], process.argv[3]);
const ids = {};

async function run(step) {
  const stream = client.streams.get(ids[step.as]);
  switch (step.do) {
    case "open":
      ids[step.as] = await client.open(step.host, step.port);
      return { opened: step.as };
    case "write": {
      const bytes = bytesOf(step);
      for (let at = 0; at < bytes.length; at += 30000) {
        client.write(ids[step.as], bytes.subarray(at, at + 30000));
      }
      return { wrote: bytes.length };
    }
    case "read": {
      await stream.until(() => stream.total >= step.size);
      const data = Buffer.concat(stream.chunks);
      stream.chunks = [];
      stream.total = 0;
      return { read: data.length, sha256: createHash("sha256").update(data).digest("hex"),
        head: data.subarray(0, 200).toString("latin1"), over: stream.over };
    }
    case "end":
      await stream.until(() => false);
      return { over: stream.over };
    case "close":
      client.close(ids[step.as]);
      return { closed: step.as };
    case "left":
      if (!client.left) await new Promise((resolve) => { client.onleft = resolve; });
      return client.left;
    default:
      throw new Error("no such step");
  }
}

for (const step of JSON.parse(readFileSync(0, "utf8"))) {
  try {
    say(await run(step));
  } catch (error) {
    say({ error: error.message });
  }
}
if (client.socket) client.socket.close();
