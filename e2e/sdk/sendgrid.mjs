import mail from '@sendgrid/mail'
mail.setApiKey(process.env.SENDGRID_API_KEY)
const [answer] = await mail.send({ to: 'a@example.com', from: 'b@example.com', subject: 's', text: 't' })
console.log('got', answer.statusCode)
