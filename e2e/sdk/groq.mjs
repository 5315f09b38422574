import Groq from 'groq-sdk'
const { data } = await new Groq().models.list()
console.log('got', data[0].id)
