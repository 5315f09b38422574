// Sends one request with each client of Node that opens TLS in a way of its choice, and
// prints the number of requests that it sent to the intercepted host.
import assert from 'node:assert'
import { execFileSync } from 'node:child_process'
import http2 from 'node:http2'
import https from 'node:https'
import tls, { connect } from 'node:tls'
import { Worker } from 'node:worker_threads'
import axios from 'axios'
import { fetch as undiciFetch, Agent, Client, Pool, ProxyAgent, request } from 'undici'
import WebSocket from 'ws'

const host = process.env.E2E_HOST
const origin = `https://${host}`
const hello = `hello from ${host}`

const text = stream => new Promise((resolve, reject) => {
  let all = ''
  stream.setEncoding('utf8').on('data', d => { all += d }).on('end', () => resolve(all)).on('error', reject)
})
const get = options => new Promise((resolve, reject) => https.get({ host, path: '/x', ...options }, r => text(r).then(resolve, reject)).on('error', reject))
const raw = socket => new Promise((resolve, reject) => {
  socket.on('error', reject).on('secureConnect', () => socket.write(`GET /x HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`))
  text(socket).then(all => resolve(all.split('\r\n\r\n')[1]), reject)
})
const dispatched = async dispatcher => {
  const response = await request(origin + '/x', { dispatcher })
  const all = await response.body.text()
  await dispatcher.close()
  return all
}
const h2 = `const c = require('http2').connect('${origin}'); let all = ''
  c.request({ ':path': '/x' }).on('data', d => all += d).on('end', () => { c.close(); done(all) })`

const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
const once = new https.Agent()
const clients = {
  fetch: async () => (await fetch(origin + '/x')).text(),
  https: () => get({}),
  'https without agent': () => get({ agent: false }),
  'https agent': () => get({ agent }),
  'https agent, again': () => {
    assert.equal(Object.values(agent.freeSockets).flat().length, 1, 'no socket to reuse')
    return get({ agent })
  },
  'first session': () => get({ agent: once }),
  'resumed session': () => new Promise((resolve, reject) => https.get({ host, path: '/x', agent: once }, r => {
    assert(r.socket.isSessionReused())
    text(r).then(resolve, reject)
  }).on('error', reject)),
  'tls.connect(options)': () => raw(tls.connect({ host, port: 443, servername: host })),
  'tls.connect(port, host, options)': () => raw(tls.connect(443, host, { servername: host })),
  'tls.connect(port, options)': () => raw(tls.connect('443', { host, servername: host }, () => {})),
  'imported connect(port, host)': () => raw(connect(443, host)),
  'http2.connect': () => new Promise(resolve => Function('require', 'done', h2)(() => http2, resolve)),
  'undici fetch': async () => (await undiciFetch(origin + '/x')).text(),
  'undici Agent': () => dispatched(new Agent()),
  'undici Pool': () => dispatched(new Pool(origin)),
  'undici Client': () => dispatched(new Client(origin)),
  'undici ProxyAgent': () => dispatched(new ProxyAgent(process.env.HTTPS_PROXY)),
  'axios without its proxy': async () => (await axios.get(origin + '/x', { proxy: false })).data,
  ws: () => new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${host}/socket`)
    socket.on('error', reject).on('open', () => socket.send(hello)).on('message', m => socket.close() ?? resolve(String(m)))
  }),
  worker: () => new Promise((resolve, reject) => new Worker(`const done = m => require('worker_threads').parentPort.postMessage(m); ${h2}`, { eval: true }).on('message', resolve).on('error', reject)),
  child: () => execFileSync(process.execPath, ['-e', `const done = console.log; ${h2}`], { encoding: 'utf8' }).trim(),
}

for (const [name, client] of Object.entries(clients)) {
  assert.equal(await client(), hello, name)
}

// Large bodies, in both directions, to a host that is passed through.
const size = 32 << 20
const down = await fetch(`https://${process.env.E2E_OTHER}/down?n=${size}`, { headers: { 'accept-encoding': 'identity' } })
assert.equal((await down.arrayBuffer()).byteLength, size)
const up = await fetch(`https://${process.env.E2E_OTHER}/up`, { method: 'POST', body: Buffer.alloc(size) })
assert.equal(await up.text(), String(size))

// What a program can see of its socket.
const socket = tls.connect({ host, port: 443, servername: host, ALPNProtocols: ['http/1.1'] })
assert.equal(socket.connecting, true)
await new Promise((resolve, reject) => socket.on('secureConnect', resolve).on('error', reject))
assert.deepEqual([socket.alpnProtocol, socket.remotePort, socket.authorized], ['http/1.1', 443, true])
assert(socket.remoteAddress && socket.localPort)

console.log(Object.keys(clients).length)
agent.destroy()
socket.unref() // nothing else may keep this process
