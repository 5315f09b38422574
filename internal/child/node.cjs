'use strict'
// Every Node process of the child loads this script. NODE_USE_ENV_PROXY applies
// only to Node's default agents: clients that create another Agent (those of Stripe,
// Algolia and AWS do) would bypass the proxy and send a placeholder. Agent supports
// the option proxyEnv from Node 22.21 and 24.5 on; older versions ignore it.
const { syncBuiltinESMExports } = require('node:module')

for (const module of [require('node:http'), require('node:https')]) {
  const Agent = module.Agent

  function EnvironmentAgent(options) {
    const target = new.target ?? EnvironmentAgent
    // Leave agents alone that override connect, usually to use another proxy.
    const connects = typeof (new.target ? target.prototype : this)?.connect === 'function'
    const adjusted = connects ? options : { proxyEnv: process.env, ...options }
    if (new.target === undefined && this instanceof Agent) return Agent.call(this, adjusted)
    return Reflect.construct(Agent, [adjusted], target)
  }

  EnvironmentAgent.prototype = Agent.prototype
  EnvironmentAgent.prototype.constructor = EnvironmentAgent // Node creates agents with it, for "agent: false"
  Object.setPrototypeOf(EnvironmentAgent, Agent)
  module.Agent = EnvironmentAgent
}
syncBuiltinESMExports()
