'use strict'
// Every Node process of the child loads this script. Node itself knows no proxy
// variables, and what it has (NODE_USE_ENV_PROXY) serves its default agents only, in
// new versions, with a warning. But every client of TLS calls tls.connect in the end:
// fetch, https, http2, undici, ws. Here it connects through the proxy.

let proxy
try {
  proxy = new URL(process.env.https_proxy || process.env.HTTPS_PROXY)
} catch {} // not set, or not a URL

// Processes that got this script without the variables of a run are left alone.
if (process.env.AUTHSOME_PROXY_MODE && proxy?.protocol === 'http:') install()

function install () {
  const http = require('node:http')
  const net = require('node:net')
  const tls = require('node:tls')
  const { syncBuiltinESMExports } = require('node:module')
  const { domainToASCII } = require('node:url')

  const connect = tls.connect
  const authorization = proxy.username && 'Proxy-Authorization: Basic ' +
    Buffer.from(decodeURIComponent(proxy.username) + ':' + decodeURIComponent(proxy.password)).toString('base64') + '\r\n'

  const names = ['localhost', '::1']
  const addresses = new net.BlockList()
  addresses.addSubnet('127.0.0.0', 8)
  for (const entry of (process.env.no_proxy || process.env.NO_PROXY || '').toLowerCase().split(/[,\s]+/)) {
    const [address, bits] = entry.split('/')
    try {
      if (bits) addresses.addSubnet(address, Number(bits), net.isIPv6(address) ? 'ipv6' : 'ipv4')
      else if (entry) names.push(entry.replace(/^\*?\.|[[\]]/g, ''))
    } catch {} // not a network
  }

  // Tunnel is a socket that is connected when the proxy has connected it to its
  // target. Before that, it takes no data, and keeps the proxy's answer to itself.
  class Tunnel extends net.Socket {
    #target
    #answer = ''
    #open = false

    constructor (target, allowHalfOpen) {
      super({ allowHalfOpen })
      this.#target = target
    }

    emit (event, ...args) {
      if (this.#open || (event !== 'connect' && event !== 'ready')) return super.emit(event, ...args)
      if (event === 'connect') {
        this.write(`CONNECT ${this.#target} HTTP/1.1\r\nHost: ${this.#target}\r\n${authorization}\r\n`)
        this._read() // all readers wait for the event
      }
      return true
    }

    push (chunk, encoding) {
      if (this.#open) return super.push(chunk, encoding)
      if (chunk === null) {
        this.destroy(this.#failure('the proxy closed the connection'))
        return super.push(null)
      }
      this.#answer += chunk.toString('latin1')
      const [, head, status, fields, body] = /^(HTTP\/1\.\d (\d{3}).*)\r\n([^]*?\r\n)?\r\n([^]*)$/.exec(this.#answer) ?? []
      if (status?.startsWith('2')) {
        this.#open = true
        this.emit('connect')
        this.emit('ready')
        if (body) super.push(Buffer.from(body, 'latin1'))
      } else if (status && body.length >= (/^content-length: *(\d+)/im.exec(fields)?.[1] ?? 0)) {
        const text = Buffer.from(body, 'latin1').toString().trim()
        this.destroy(this.#failure(`the proxy answered ${head.slice(9)}${text && ': ' + text}`, Number(status)))
      } else if (this.#answer.length > 65536) {
        this.destroy(this.#failure('the proxy answered with something else than HTTP'))
      }
      return true
    }

    #failure (reason, statusCode) {
      return Object.assign(new Error(`CONNECT ${this.#target}: ${reason}`), { code: 'ERR_PROXY_TUNNEL', statusCode })
    }
  }

  tls.connect = function (...args) {
    const options = optionsOf(args)
    const { socket, path, port } = options
    const host = options.host || 'localhost'
    // With a socket, the caller has connected it: STARTTLS, or a client with a proxy of its choice.
    if (socket || path || !port || isDirect(host, port)) return connect.apply(this, args)

    const target = `${net.isIPv6(host) ? `[${host}]` : domainToASCII(host)}:${port}`
    const tunnel = new Tunnel(target, options.allowHalfOpen)
    const secure = connect.call(this, { ...options, socket: tunnel }, args.find(a => typeof a === 'function'))
    // What Node does only for sockets that it creates itself.
    tunnel.once('error', () => secure.destroy()) // which has emitted the error
    if (options.timeout) secure.setTimeout(options.timeout)
    // In Bun, both sockets have one handle, and each calls the other.
    for (const method of process.versions.bun ? [] : ['ref', 'unref', 'setKeepAlive', 'setNoDelay']) {
      secure[method] = (...args) => {
        tunnel[method](...args)
        return secure
      }
    }
    for (const property of ['localAddress', 'localFamily', 'localPort', 'remoteAddress', 'remoteFamily']) {
      Object.defineProperty(secure, property, { configurable: true, get: () => tunnel[property] })
    }
    Object.defineProperty(secure, 'remotePort', { configurable: true, value: Number(port) }) // http2 compares origins with it
    tunnel.connect(proxy.port || 80, proxy.hostname.replace(/^\[|\]$/g, ''))
    return secure
  }

  // optionsOf reads the arguments as Node does: (options), (path, options) or
  // (port, host, options), and a callback.
  function optionsOf ([first, ...rest]) {
    const address = typeof first === 'object' ? first : isNaN(first) ? { path: first } : { port: first }
    const host = address.port && typeof rest[0] === 'string' ? { host: rest[0] } : {}
    return { ...address, ...host, ...rest.find(a => typeof a === 'object') }
  }

  // isDirect reports whether NO_PROXY excludes a host. A name in it includes the names
  // below it. Loopback is always excluded.
  function isDirect (host, port) {
    host = host.toLowerCase()
    if (net.isIP(host) && addresses.check(host, net.isIPv6(host) ? 'ipv6' : 'ipv4')) return true
    return names.some(name => name === '*' || `.${host}`.endsWith(`.${name}`) || `.${host}:${port}`.endsWith(`.${name}`))
  }

  // Bun's WebSocket connects in native code, and has an option for a proxy.
  if (process.versions.bun) {
    const { WebSocket } = globalThis
    globalThis.WebSocket = class extends WebSocket {
      constructor (url, options) {
        const { hostname, port, protocol } = new URL(url)
        if (protocol === 'wss:' && !isDirect(hostname, port || 443)) {
          options = { proxy: proxy.href, ...(Array.isArray(options) || typeof options === 'string' ? { protocols: options } : options) }
        }
        super(url, options)
      }
    }
  }

  // Plain http to an intercepted host is an error that the proxy can explain. Old
  // versions of Node ignore the option.
  http.globalAgent = new http.Agent({ ...http.globalAgent.options, proxyEnv: process.env })

  syncBuiltinESMExports()
}
