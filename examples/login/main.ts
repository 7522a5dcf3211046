import { buildApp } from 'agency-swarm-js'
import { checking, development, start } from '../run.ts'
import { agency, asking } from './agency.ts'
import { addUser, logIn, logOut, userOf } from './sessions.ts'
import { steps } from './steps.ts'
import { readThread } from './store.ts'

await addUser('ann', 'correct horse')
await addUser('bob', 'battery staple')

const { host, port, exposeErrors = false } = development
const app = await buildApp({ agencies: { assistant: agency }, exposeErrors, corsOrigins: [] })

const sessionOf = (cookie: string | undefined) => /(?:^|; )session=([\w-]+)/.exec(cookie ?? '')?.[1]
// Behind TLS add "; Secure".
const cookie = (id: string, seconds: number) => `session=${id}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${seconds}`

app.post('/login', async (request, reply) => {
  const { user, password } = request.body as { user?: unknown; password?: unknown }
  const id = await logIn(String(user), String(password).slice(0, 200))
  if (id === undefined) return reply.code(401).send({ detail: 'Wrong name or password.' })
  return reply.header('set-cookie', cookie(id, 8 * 60 * 60)).send({ user })
})
app.post('/logout', async (request, reply) => {
  logOut(sessionOf(request.headers.cookie) ?? '')
  return reply.header('set-cookie', cookie('', 0)).send({})
})
app.get('/history', async () => readThread(asking.getStore() ?? { user: '', chat: '' }))

/** Conversations with a turn on its way: a second one would save over what the first adds. */
const busy = new Set<string>()

// Every request but the log-in belongs to a session; what follows runs as its user, in the chat that a header names.
app.addHook('preHandler', (request, reply, done) => {
  if (request.url === '/login') return done()
  const user = userOf(sessionOf(request.headers.cookie))
  if (user === undefined) return void reply.code(401).send({ detail: 'Log in first.' })
  const chat = String(request.headers['x-chat-id'] ?? 'default')
  if (!/^[a-z0-9-]{1,64}$/.test(chat)) return void reply.code(422).send({ detail: 'x-chat-id is not a valid name.' })
  if (/\/get_response(_stream)?$/.test(request.url)) {
    const place = `${user}/${chat}`
    if (busy.has(place)) return void reply.code(409).send({ detail: 'Wait for the answer to your last message.' })
    busy.add(place)
    reply.raw.once('close', () => busy.delete(place))
  }
  asking.run({ user, chat }, done)
})

await start(
  app.listen({ host, port }).then((url) => {
    if (!checking) console.log(`Log in at ${url}/login`)
    return { url, close: () => app.close() }
  }),
  steps,
)
