import Airtable from 'airtable'
const records = await new Airtable().base('app00000000000000')('Things').select().firstPage()
console.log('got', records[0].get('Name'))
