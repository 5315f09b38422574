import { algoliasearch } from 'algoliasearch'
const { items } = await algoliasearch(process.env.ALGOLIA_APP_ID, process.env.ALGOLIA_API_KEY).listIndices()
console.log('got', items[0].name)
