import { Client } from '@notionhq/client'
const me = await new Client({ auth: process.env.NOTION_TOKEN }).users.me({})
console.log('got', me.id)
