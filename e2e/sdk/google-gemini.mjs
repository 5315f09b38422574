import { GoogleGenAI } from '@google/genai'
const answer = await new GoogleGenAI({ apiKey: process.env.GEMINI_API_KEY }).models.generateContent({ model: 'm', contents: 'hi' })
console.log('got', answer.text)
