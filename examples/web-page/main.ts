import { readFile } from 'node:fs/promises'
import { Agency, Agent, buildApp } from '../../src/index.ts'
import { address, check, checking } from '../check.ts'
import { steps } from './steps.ts'

const model = process.env.AGENCY_MODEL ?? 'demo'
const guide = new Agent({ name: 'Guide', instructions: 'I am the Guide. Ask the Poet for poems.', model })
const poet = new Agent({ name: 'Poet', description: 'Writes poems', instructions: 'I am the Poet.', model })

const app = await buildApp({ agencies: { guide: new Agency(guide, { communicationFlows: [[guide, poet]] }) } })
const page = await readFile(new URL('index.html', import.meta.url), 'utf8')
app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(page))

const url = await app.listen(address)
if (checking) await check({ url, close: () => app.close() }, steps)
else console.log(`Open ${url}`)
