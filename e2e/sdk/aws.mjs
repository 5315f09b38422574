import { S3Client, ListBucketsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { STSClient, GetCallerIdentityCommand } from '@aws-sdk/client-sts'
const s3 = new S3Client({ region: 'eu-west-1' })
const { Buckets } = await s3.send(new ListBucketsCommand({}))
await s3.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'a b/c', Body: 'content' }))
const identity = await new STSClient({ region: 'eu-west-1' }).send(new GetCallerIdentityCommand({}))
console.log('got', Buckets[0].Name, identity.Account)
