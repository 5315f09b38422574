import { CohereClient } from 'cohere-ai'
const { models } = await new CohereClient().models.list()
console.log('got', models[0].name)
