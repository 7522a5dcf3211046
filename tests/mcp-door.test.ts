import { expect, test } from 'vitest'
import { memory } from '../src/index.ts'
import { connect, ERAS, startDoor } from './support/mcp-door.ts'

const answers = () => ({ text: 'On its way' })
const ask = (args: Record<string, unknown>) => ({ name: 'ask_help_desk', arguments: args })

for (const era of ERAS) {
  test(`${era}: lists tools and agencies with their schemas`, async () => {
    const { mcp } = await startDoor(answers)
    const { client } = await connect(mcp, era)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['look_up', 'ask_help_desk'])
    const [lookUp, agency] = tools
    expect(lookUp).toMatchObject({
      description: 'Looks an order up.',
      inputSchema: { type: 'object', properties: { order: { type: 'integer' } }, required: ['order'] },
      outputSchema: { type: 'object', properties: { state: { type: 'string' } } },
      annotations: { idempotentHint: true },
    })
    expect(agency).toMatchObject({
      title: 'help desk',
      inputSchema: { properties: { recipient_agent: { enum: ['Support'] } }, required: ['message'] },
    })
    expect(agency?.description).toContain('Support (Answers)')
  })

  test(`${era}: a tool answers with text and structured content`, async () => {
    const { mcp } = await startDoor(answers)
    const { client } = await connect(mcp, era)
    expect(await client.callTool({ name: 'look_up', arguments: { order: 7 } })).toMatchObject({
      content: [{ type: 'text', text: '{"state":"order 7 is on its way"}' }],
      structuredContent: { state: 'order 7 is on its way' },
    })
  })

  test(`${era}: wrong arguments are an error that the model can mend`, async () => {
    const { mcp, upstream } = await startDoor(answers)
    const { client } = await connect(mcp, era)
    const wrong = await client.callTool({ name: 'look_up', arguments: { order: 'many' } })
    expect(wrong).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('order') }] })
    for (const [args, field] of [
      [{}, 'message'],
      [{ message: 'Hi', recipient_agent: 'Nobody' }, 'recipient_agent'],
      [{ message: 'Hi', thread_id: 5 }, 'thread_id'],
      [{ message: 'Hi', thread_id: 'unknown' }, 'thread'],
      [{ message: 'Hi', file_urls: {} }, 'file_urls'],
    ] as const)
      expect(await client.callTool(ask(args))).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining(field) }],
      })
    expect(upstream.seen).toEqual([])
  })

  test(`${era}: an unknown tool is a protocol error`, async () => {
    const { mcp } = await startDoor(answers)
    const { client } = await connect(mcp, era)
    await expect(client.callTool({ name: 'nothing', arguments: {} })).rejects.toMatchObject({ code: -32602 })
  })

  test(`${era}: a tool that throws is an error with secrets masked`, async () => {
    const { mcp } = await startDoor(answers)
    const { client } = await connect(mcp, era)
    const result = await client.callTool({ name: 'look_up', arguments: { order: 13 } })
    expect(result.isError).toBe(true)
    expect(JSON.stringify(result)).toContain('was refused')
    expect(JSON.stringify(result)).not.toContain('sk-server-key')
  })

  test(`${era}: an agency answers, and goes on by its thread_id`, async () => {
    const { mcp, upstream } = await startDoor(answers)
    const { client } = await connect(mcp, era)
    const first = await client.callTool(ask({ message: 'Where is order 7?' }))
    expect(first).toMatchObject({
      content: [{ type: 'text', text: 'On its way' }],
      structuredContent: { response: 'On its way', run_id: expect.any(String), thread_id: expect.any(String) },
      _meta: { usage: { total_tokens: 15 } },
    })
    const { thread_id } = first.structuredContent as { thread_id: string }
    const second = await client.callTool(ask({ message: 'And now?', thread_id }))
    expect(second.structuredContent).toMatchObject({ thread_id })
    expect(JSON.stringify(upstream.seen[1]?.body.input)).toContain('Where is order 7?')
  })

  test(`${era}: a failed run is an error without the provider's text`, async () => {
    const { mcp } = await startDoor(() => ({ status: 400, message: 'internal-detail' }))
    const { client } = await connect(mcp, era)
    const result = await client.callTool(ask({ message: 'Hi' }))
    expect(result.isError).toBe(true)
    expect(JSON.stringify(result)).not.toContain('internal-detail')
  })

  test(`${era}: progress tells what the agents do, in rising order`, async () => {
    const { mcp } = await startDoor((index) =>
      index === 0 ? { calls: [{ name: 'look_up', arguments: { order: 7 } }] } : answers(),
    )
    const { client } = await connect(mcp, era)
    const seen: { progress: number; message?: string | undefined }[] = []
    await client.callTool(ask({ message: 'Hi' }), { onprogress: (progress) => seen.push(progress) })
    expect(seen.map(({ progress }) => progress)).toEqual(seen.map((_, index) => index + 1))
    expect(seen.map(({ message }) => message).join('\n')).toMatch(/Support/)
    const ofTool: string[] = []
    const onprogress = ({ message = '' }) => void ofTool.push(message)
    await client.callTool({ name: 'look_up', arguments: { order: 7 } }, { onprogress })
    expect(ofTool).toEqual(['search: {"shelf":7}'])
  })

  test(`${era}: a cancelled call stops the run and the model's call`, async () => {
    const store = memory()
    const { mcp, upstream } = await startDoor(() => ({ hang: true }), { runs: { store } })
    const { client } = await connect(mcp, era)
    const abort = new AbortController()
    const call = client.callTool(ask({ message: 'Hi' }), { signal: abort.signal })
    await expect.poll(() => upstream.seen.length).toBe(1)
    abort.abort()
    await expect(call).rejects.toThrow()
    await upstream.seen[0]?.aborted
    const statuses = async () => {
      const { data } = await store.read({ kind: 'runs', agency: 'help_desk', owner: 'everybody', limit: 10 })
      return data.map(({ status }) => status)
    }
    await expect.poll(statuses).toEqual(['cancelled'])
  })

  test(`${era}: two hosts at once get their own answers`, async () => {
    const { mcp } = await startDoor(answers)
    const [one, two] = await Promise.all([connect(mcp, era), connect(mcp, era)])
    const results = await Promise.all(
      [one, two].map(({ client }, order) => client.callTool({ name: 'look_up', arguments: { order } })),
    )
    expect(results.map(({ structuredContent }) => structuredContent)).toEqual([
      { state: 'order 0 is on its way' },
      { state: 'order 1 is on its way' },
    ])
  })
}
