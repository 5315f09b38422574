import { Telegraf } from 'telegraf'
const me = await new Telegraf(process.env.TELEGRAM_BOT_TOKEN).telegram.getMe()
console.log('got', me.username)
