import { Octokit } from '@octokit/rest'
const { data } = await new Octokit({ auth: process.env.GITHUB_TOKEN }).rest.users.getAuthenticated()
console.log('got', data.login)
