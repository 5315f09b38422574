import OpenAI from 'openai'
const page = await new OpenAI().models.list()
console.log('got', page.data[0].id)
