import { REST } from '@discordjs/rest'
const me = await new REST().setToken(process.env.DISCORD_TOKEN).get('/users/@me')
console.log('got', me.username)
