// Sends one request with each kind of agent, created and imported in different ways.
const https = require('node:https')
const util = require('node:util')
const { HttpsProxyAgent } = require('https-proxy-agent')

class Derived extends https.Agent {}
function Inherited(options) { https.Agent.call(this, options) }
util.inherits(Inherited, https.Agent)

const agents = {
  default: undefined, none: false, global: https.globalAgent, made: new https.Agent({ keepAlive: true }), called: https.Agent(),
  derived: new Derived(), inherited: new Inherited({}), proxying: new HttpsProxyAgent(process.env.HTTPS_PROXY),
}
async function main() {
  const { Agent } = await import('node:https')
  agents.imported = new Agent()
  if (!(agents.made instanceof https.Agent) || !(agents.global instanceof https.Agent)) throw new Error('instanceof')
  for (const [name, agent] of Object.entries(agents)) {
    await new Promise((resolve, reject) => https.get('https://' + process.env.E2E_HOST + '/' + name, { agent }, r => r.resume().on('end', () => r.statusCode === 200 ? resolve() : reject(new Error(name + ': ' + r.statusCode)))).on('error', e => reject(new Error(name + ': ' + e))))
  }
  console.log(Object.keys(agents).length)
  process.exit(0)
}
main().catch(e => { console.error(e); process.exit(1) })
