import mailchimp from '@mailchimp/mailchimp_marketing'
mailchimp.setConfig({ apiKey: process.env.MAILCHIMP_API_KEY, server: process.env.MAILCHIMP_SERVER_PREFIX })
const answer = await mailchimp.ping.get()
console.log('got', answer.health_status)
