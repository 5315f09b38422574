import Anthropic from '@anthropic-ai/sdk'
const m = await new Anthropic().messages.create({ model: 'm', max_tokens: 1, messages: [{ role: 'user', content: 'hi' }] })
console.log('got', m.id)
