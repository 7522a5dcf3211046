import assert from 'node:assert/strict'

export async function steps(url: string): Promise<void> {
  const send = (path: string, body: object, headers: { [name: string]: string } = {}) =>
    fetch(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
  const logIn = async (user: string, password: string) => {
    const answer = await send('/login', { user, password })
    return { status: answer.status, cookie: answer.headers.get('set-cookie')?.split(';')[0] ?? '' }
  }
  const say = async (cookie: string, message: string, chat = 'default') =>
    (await (await send('/assistant/get_response', { message }, { cookie, 'x-chat-id': chat })).json()) as {
      response: string
    }
  const history = async (cookie: string, chat = 'default') =>
    (await (await fetch(`${url}/history`, { headers: { cookie, 'x-chat-id': chat } })).json()) as object[]

  assert.equal((await send('/assistant/get_response', { message: 'Hello' })).status, 401)
  for (const [user, password] of [
    ['ann', 'wrong'],
    ['nobody', 'correct horse'],
  ] as const)
    assert.equal((await logIn(user, password)).status, 401)

  const ann = (await logIn('ann', 'correct horse')).cookie
  const bob = (await logIn('bob', 'battery staple')).cookie
  const [forAnn, forBob] = await Promise.all([say(ann, 'List my orders'), say(bob, 'List my orders')])
  assert.match(forAnn.response, /Orders of ann: a lamp/)
  assert.match(forBob.response, /Orders of bob: a bicycle/, 'the session says whose orders, not the model')

  await say(ann, 'Thank you')
  assert.equal((await history(ann)).length, 6, 'the server keeps the conversation')
  assert.equal((await history(bob)).length, 4)
  assert.equal((await history(ann, 'another')).length, 0)
  assert.equal(
    (await send('/assistant/get_response', { message: 'x' }, { cookie: ann, 'x-chat-id': '../bob' })).status,
    422,
  )

  await send('/logout', {}, { cookie: ann })
  assert.equal((await fetch(`${url}/history`, { headers: { cookie: ann } })).status, 401)
}
