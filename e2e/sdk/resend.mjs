import { Resend } from 'resend'
const { data, error } = await new Resend().emails.send({ to: 'a@example.com', from: 'b@example.com', subject: 's', text: 't' })
if (error) throw new Error(error.message)
console.log('got', data.id)
