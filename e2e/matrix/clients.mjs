// One request by each client for Node, Bun and Deno. The name of the client is the
// argument.
import fs from 'node:fs'
import https from 'node:https'
import http2 from 'node:http2'
import tls from 'node:tls'

const host = 'api.upstream.test'
const url = `https://${host}/x`
const text = stream => new Promise((resolve, reject) => {
  let all = ''
  stream.setEncoding('utf8')
  stream.on('data', part => { all += part }).on('end', () => resolve(all)).on('error', reject)
})
const get = options => new Promise((resolve, reject) => https.get(url, options, r => resolve(text(r))).on('error', reject))
const first = socket => new Promise((resolve, reject) => {
  socket.onmessage = event => resolve(String(event.data))
  socket.onerror = event => reject(event.error ?? new Error(event.message ?? 'the WebSocket failed'))
})
const echo = async socket => {
  socket.onopen = () => socket.send('hello from the socket')
  return first(socket)
}
const said = message => message.content[0].text
const aws = { region: 'eu-west-1', maxAttempts: 1 }
const bedrock = { modelId: 'm', messages: [{ role: 'user', content: [{ text: 'hi' }] }] }
const mcp = async transport => {
  const { Client } = await import('@modelcontextprotocol/sdk/client/index.js')
  const client = new Client({ name: 'e2e', version: '1' })
  await client.connect(transport)
  const result = process.env.MCP_TOOL ? await client.callTool({ name: process.env.MCP_TOOL, arguments: JSON.parse(process.env.MCP_ARGUMENTS) }) : await client.listTools()
  await client.close()
  return JSON.stringify(result)
}

const clients = {
  'fetch': async () => (await fetch(url)).text(),
  'https': () => get({}),
  'https-agent': () => get({ agent: new https.Agent({ keepAlive: true }) }),
  'http2': () => new Promise((resolve, reject) => {
    const session = http2.connect(`https://${host}`).on('error', reject)
    const request = session.request({ ':path': '/x' })
    request.end()
    text(request).then(all => { session.close(); resolve(all) }, reject)
  }),
  'tls': async () => {
    const socket = tls.connect({ host, port: 443, servername: host })
    socket.write(`GET /x HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    return text(socket)
  },
  'WebSocket': () => echo(new WebSocket(`wss://${host}/socket`)),
  'undici': async () => (await (await import('undici')).request(url)).body.text(),
  'undici-6': async () => (await (await import('undici-6')).request(url)).body.text(),
  'undici-6-agent': async () => {
    const undici = await import('undici-6')
    return (await undici.fetch(url, { dispatcher: new undici.Agent() })).text()
  },
  'ws': async () => echo(new (await import('ws')).WebSocket(`wss://${host}/socket`)),
  'axios': async () => (await (await import('axios')).default.get(url)).data,
  'axios-1.6': async () => (await (await import('axios-1.6')).default.get(url)).data,
  'needle': async () => String((await (await import('needle')).default('get', url)).body),
  'got': async () => (await import('got')).default(url, { retry: { limit: 0 } }).text(),
  'got-11': async () => (await import('got-11')).default(url, { retry: 0 }).text(),
  'node-fetch': async () => (await (await import('node-fetch')).default(url)).text(),
  'superagent': async () => (await (await import('superagent')).default.get(url).buffer(true).parse((r, done) => text(r).then(all => done(null, all), done))).body,
  'https-proxy-agent': async () => get({ agent: new (await import('https-proxy-agent')).HttpsProxyAgent(process.env.HTTPS_PROXY) }),
  'openai': async () => (await new (await import('openai')).default({ maxRetries: 0 }).responses.create({ model: 'm', input: 'hi' })).output_text,
  'openai-4': async () => (await new (await import('openai-4')).default({ maxRetries: 0 }).chat.completions.create({ model: 'm', messages: [{ role: 'user', content: 'hi' }] })).choices[0].message.content,
  'openai-stream': async () => {
    let all = ''
    for await (const event of await new (await import('openai')).default({ maxRetries: 0 }).responses.create({ model: 'm', input: 'hi', stream: true })) all += event.delta ?? ''
    return all
  },
  'openai-realtime': async () => {
    const { OpenAIRealtimeWS } = await import('openai/realtime/ws')
    const realtime = new OpenAIRealtimeWS({ model: 'm' })
    const event = await new Promise((resolve, reject) => realtime.on('session.created', resolve).on('error', reject))
    realtime.close()
    return event.session.id
  },
  'anthropic': async () => said(await new (await import('@anthropic-ai/sdk')).default({ maxRetries: 0 }).messages.create({ model: 'm', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] })),
  'anthropic-stream': async () => said(await new (await import('@anthropic-ai/sdk')).default({ maxRetries: 0 }).messages.stream({ model: 'm', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] }).finalMessage()),
  'octokit': async () => (await new (await import('@octokit/rest')).Octokit({ auth: process.env.GITHUB_TOKEN }).users.getAuthenticated()).data.login,
  's3': async () => {
    const { S3Client, ListBucketsCommand } = await import('@aws-sdk/client-s3')
    return JSON.stringify(await new S3Client(aws).send(new ListBucketsCommand({}))).replaceAll('-', ' ')
  },
  'bedrock': async () => {
    const { BedrockRuntimeClient, ConverseCommand } = await import('@aws-sdk/client-bedrock-runtime')
    return said((await new BedrockRuntimeClient(aws).send(new ConverseCommand(bedrock))).output.message)
  },
  'mcp-http': async () => {
    const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/sdk/client/streamableHttp.js')
    return mcp(new StreamableHTTPClientTransport(new URL(`https://${host}/mcp`)))
  },
  // The client of an MCP server that is a process.
  'mcp-stdio': async () => {
    const { StdioClientTransport } = await import('@modelcontextprotocol/sdk/client/stdio.js')
    return mcp(new StdioClientTransport({ command: process.execPath, args: process.argv.slice(3), env: process.env }))
  },
  'grpc': async () => {
    const grpc = await import('@grpc/grpc-js')
    const Echo = grpc.makeGenericClientConstructor({ Unary: { path: '/e2e.Echo/Unary', requestStream: false, responseStream: false, requestSerialize: b => b, responseDeserialize: b => b } }, 'Echo')
    const client = new Echo(`${host}:443`, grpc.credentials.createSsl())
    const message = Buffer.from('hello from gRPC')
    return new Promise((resolve, reject) => client.Unary(Buffer.concat([Buffer.from([10, message.length]), message]), { deadline: Date.now() + 10000 }, (error, b) => error ? reject(error) : resolve(String(b))))
  },
  'chromium-playwright': async () => {
    const { chromium } = await import('playwright-core')
    const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
    try {
      const page = await browser.newPage()
      await page.goto(url, { timeout: 15000 })
      return await page.content()
    } finally { await browser.close() }
  },
  'playwright-request': async () => {
    const { request } = await import('playwright-core')
    return (await (await request.newContext()).get(url)).text()
  },
  'chromium-puppeteer': async () => {
    const browser = await (await import('puppeteer-core')).launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
    try {
      const page = await browser.newPage()
      await page.goto(url)
      return await page.content()
    } finally { await browser.close() }
  },
}

setTimeout(() => { fs.writeSync(2, 'no answer\n'); process.exit(1) }, 25000)
try {
  fs.writeSync(1, await clients[process.argv[2]]() + '\n')
  process.exit(0)
} catch (error) {
  fs.writeSync(2, (error.stack ?? error) + '\n' + (error.cause ?? '') + '\n')
  process.exit(1)
}
