import { createClient } from '@supabase/supabase-js'
const { data, error } = await createClient(process.env.SUPABASE_URL, process.env.SUPABASE_KEY).from('things').select()
if (error) throw new Error(error.message)
console.log('got', data[0].name)
