'use strict'
// Loaded by every Node behind the proxy. NODE_USE_ENV_PROXY is obeyed by Node's
// own agents only: a client that makes one of its own (Stripe's, Algolia's and
// AWS's do) would go round the proxy, with a placeholder. Agents take the option
// proxyEnv from Node 22.21 and 24.5 on; older ones ignore it.
const { syncBuiltinESMExports } = require('node:module')

for (const module of [require('node:http'), require('node:https')]) {
  const Agent = module.Agent

  function EnvironmentAgent(options) {
    const target = new.target ?? EnvironmentAgent
    // Agents that connect by themselves, to a proxy of their own, are left alone.
    const connects = typeof (new.target ? target.prototype : this)?.connect === 'function'
    const own = connects ? options : { proxyEnv: process.env, ...options }
    if (new.target === undefined && this instanceof Agent) return Agent.call(this, own)
    return Reflect.construct(Agent, [own], target)
  }

  EnvironmentAgent.prototype = Agent.prototype
  EnvironmentAgent.prototype.constructor = EnvironmentAgent // Node makes agents by it, for "agent: false"
  Object.setPrototypeOf(EnvironmentAgent, Agent)
  module.Agent = EnvironmentAgent
}
syncBuiltinESMExports()
