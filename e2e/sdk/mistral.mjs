import { Mistral } from '@mistralai/mistralai'
const { data } = await new Mistral({ apiKey: process.env.MISTRAL_API_KEY }).models.list()
console.log('got', data[0].id)
