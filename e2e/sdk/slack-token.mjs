import { WebClient } from '@slack/web-api'
const answer = await new WebClient(process.env.SLACK_BOT_TOKEN).auth.test()
console.log('got', answer.team)
