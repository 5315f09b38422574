import Stripe from 'stripe'
const balance = await new Stripe(process.env.STRIPE_API_KEY).balance.retrieve()
console.log('got', balance.object)
