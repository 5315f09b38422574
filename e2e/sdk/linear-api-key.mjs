import { LinearClient } from '@linear/sdk'
const me = await new LinearClient({ apiKey: process.env.LINEAR_API_KEY }).viewer
console.log('got', me.name)
