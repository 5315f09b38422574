import twilio from 'twilio'
const account = await twilio().api.v2010.accounts(process.env.TWILIO_ACCOUNT_SID).fetch()
console.log('got', account.friendlyName)
