import Replicate from 'replicate'
const account = await new Replicate().accounts.current()
console.log('got', account.username)
