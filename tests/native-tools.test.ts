/** Tools with call types of their own in the Responses API that this process runs. */
import { computerTool as sdkComputer, applyPatchTool as sdkPatch, shellTool as sdkShell } from '@openai/agents'
import { expect, test } from 'vitest'
import {
  Agency,
  applyPatchTool,
  chatCompletions,
  computerTool,
  customTool,
  localShellTool,
  type ShellResult,
  shellTool,
  type ToolLike,
} from '../src/index.ts'
import { openScriptedShop, openStore } from './support/approval-shop.ts'
import { allFrames, final, startServer, useUpstream } from './support/client.ts'
import { agent, type Json, say } from './support/tool-agent.ts'

const PIXEL = 'data:image/png;base64,AAAA'
const click = { type: 'click', x: 1, y: 2, button: 'left' }
const ok = (stdout: string): ShellResult => ({ stdout, stderr: '', outcome: { type: 'exit', exit_code: 0 } })

interface Row {
  tool: ToolLike
  definition: Json
  call: Json
  /** What `execute` is given. */
  given: unknown
  output: Json
}

const seen: unknown[] = []
const note = <Result>(given: unknown, result: Result): Result => {
  seen.push(given)
  return result
}
const grammar = { type: 'grammar', syntax: 'regex', definition: '[0-9]+' } as const
const rows: { [name: string]: Row } = {
  custom: {
    tool: customTool({ name: 'sql', description: 'Runs SQL.', format: grammar, execute: (sql) => note(sql, '3 rows') }),
    definition: { type: 'custom', name: 'sql', description: 'Runs SQL.', format: grammar },
    call: { id: 'ctc_1', type: 'custom_tool_call', call_id: 'c1', name: 'sql', input: 'select 1' },
    given: 'select 1',
    output: { type: 'custom_tool_call_output', call_id: 'c1', output: '3 rows' },
  },
  computer: {
    tool: computerTool({ execute: (call) => note(call, PIXEL) }),
    definition: { type: 'computer' },
    call: {
      id: 'cu_1',
      type: 'computer_call',
      call_id: 'c1',
      actions: [click],
      pending_safety_checks: [],
      status: 'completed',
    },
    given: { actions: [click], pending_safety_checks: [] },
    output: { type: 'computer_call_output', call_id: 'c1', output: { type: 'computer_screenshot', image_url: PIXEL } },
  },
  'computer of the preview': {
    tool: computerTool({
      display: { width: 800, height: 600, environment: 'browser' },
      needsApproval: false,
      execute: (call) => note(call, Buffer.from([0, 0, 0])),
    }),
    definition: { type: 'computer_use_preview', display_width: 800, display_height: 600, environment: 'browser' },
    call: { id: 'cu_1', type: 'computer_call', call_id: 'c1', action: click, pending_safety_checks: [{ id: 's1' }] },
    given: { actions: [click], pending_safety_checks: [{ id: 's1' }] },
    output: {
      type: 'computer_call_output',
      call_id: 'c1',
      output: { type: 'computer_screenshot', image_url: PIXEL },
      acknowledged_safety_checks: [{ id: 's1' }],
    },
  },
  shell: {
    tool: shellTool({ execute: (call) => note(call, [ok('hi')]) }),
    definition: { type: 'shell', environment: { type: 'local' } },
    call: {
      id: 'sh_1',
      type: 'shell_call',
      call_id: 'c1',
      action: { commands: ['echo hi'], timeout_ms: null, max_output_length: 99 },
    },
    given: { commands: ['echo hi'], timeout_ms: null, max_output_length: 99 },
    output: { type: 'shell_call_output', call_id: 'c1', output: [ok('hi')], max_output_length: 99 },
  },
  'local shell': {
    tool: localShellTool({ execute: (call) => note(call, 'hi') }),
    definition: { type: 'local_shell' },
    call: {
      id: 'ls_1',
      type: 'local_shell_call',
      call_id: 'c1',
      action: { type: 'exec', command: ['echo', 'hi'], env: {} },
      status: 'completed',
    },
    given: { command: ['echo', 'hi'], env: {} },
    output: { type: 'local_shell_call_output', id: 'c1', output: 'hi' },
  },
  patch: {
    tool: applyPatchTool({ execute: (operation) => note(operation, 'Created a.txt') }),
    definition: { type: 'apply_patch' },
    call: {
      id: 'ap_1',
      type: 'apply_patch_call',
      call_id: 'c1',
      operation: { type: 'create_file', path: 'a.txt', diff: '+x' },
      status: 'completed',
    },
    given: { type: 'create_file', path: 'a.txt', diff: '+x' },
    output: { type: 'apply_patch_call_output', call_id: 'c1', status: 'completed', output: 'Created a.txt' },
  },
}

/** A model that makes one call, and then answers. */
const callThen = (call: Json) => (body: Json) =>
  (body.input as Json[]).some(({ type }) => String(type).endsWith('_output')) ? { text: 'done' } : { output: [call] }

test.each(Object.entries(rows))('%s calls run here, plain and streamed', async (_name, row) => {
  const upstream = await useUpstream(callThen(row.call))
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ tools: [row.tool] })) } })
  for (const streamed of [true, false]) {
    seen.length = 0
    const from = upstream.seen.length
    const messages = streamed
      ? final(await allFrames(`${url}/solo/get_response_stream`, { message: 'Go' })).new_messages
      : (await agent({ tools: [row.tool] }).getResponse('Go')).newMessages
    expect(seen).toEqual([row.given])
    expect(messages).toMatchObject([{ role: 'user' }, row.call, row.output, { role: 'assistant' }])
    const [first, second] = upstream.seen.slice(from).map(({ body }) => body) as [Json, Json]
    expect(first.tools).toEqual([row.definition])
    expect((second.input as Json[]).slice(-2)).toEqual([expect.objectContaining(row.call), row.output])
  }
})

test('models over other APIs get a function with the same arguments', async () => {
  for (const { tool, given } of Object.values(rows)) {
    seen.length = 0
    const args = typeof given === 'string' ? { input: given } : given
    const upstream = await useUpstream((body) => {
      const asked = (body.messages as Json[]).some(({ role }) => role === 'tool')
      const { name } = (body.tools as { function: { name: string } }[])[0]?.function ?? { name: '' }
      const message = asked
        ? { content: 'done' }
        : { tool_calls: [{ id: 'c1', function: { name, arguments: JSON.stringify(args) } }] }
      return { json: { choices: [{ index: 0, message, finish_reason: 'stop' }], usage: {} } }
    })
    const { finalOutput } = await agent({ model: chatCompletions('gpt-4.1'), tools: [tool] }).getResponse('Go')
    expect(finalOutput).toBe('done')
    expect(seen).toEqual([given])
    expect(upstream.seen).toHaveLength(2)
  }
})

test('a call that fails is reported in the form of its output', async () => {
  const fail = () => {
    throw new Error('disk full')
  }
  const failed = expect.stringContaining('disk full')
  const cases = [
    [shellTool({ execute: fail }), rows.shell, { output: [{ stderr: failed, outcome: { exit_code: 1 } }] }],
    [applyPatchTool({ execute: fail }), rows.patch, { status: 'failed', output: failed }],
    [computerTool({ execute: fail }), rows.computer, { output: { type: 'computer_screenshot' } }],
  ] as const
  for (const [tool, row, output] of cases) {
    const upstream = await useUpstream(callThen((row as Row).call))
    await agent({ tools: [tool] }).getResponse('Go')
    const input = upstream.seen[1]?.body.input as Json[]
    expect(input.find(({ type }) => String(type).endsWith('_output'))).toMatchObject(output)
    if (row === rows.computer) expect(input.at(-1)).toMatchObject({ role: 'system', content: failed })
  }
})

test('a computer call with warnings waits for a person', async () => {
  const call = { ...rows.computer?.call, pending_safety_checks: [{ id: 's1', message: 'A bank' }] }
  const agency = new Agency(agent({ name: 'Clerk', tools: [computerTool({ execute: () => PIXEL })] }))
  const shop = await openScriptedShop(callThen(call), { store: openStore('sqlite'), agency })
  const { run_id } = await shop.start()
  expect(await shop.wait(run_id)).toMatchObject({ status: 'requires_action' })
  const [approval] = await shop.inbox()
  expect(approval).toMatchObject({ tool: 'computer', arguments: { pending_safety_checks: [{ message: 'A bank' }] } })
  await shop.decide(approval, { decision: 'approve' })
  const { new_messages: messages } = await shop.until(run_id, 'completed')
  expect(messages[2]).toMatchObject({ acknowledged_safety_checks: [{ id: 's1', message: 'A bank' }] })
})

test("a hosted shell's calls stay with the provider", async () => {
  const output = { type: 'shell_call_output', call_id: 'c1', output: [ok('hi')] }
  const upstream = await useUpstream(() => ({ output: [rows.shell?.call as Json, output, say('hi')] }))
  const { finalOutput } = await agent({}).getResponse('Go')
  expect(finalOutput).toBe('hi')
  expect(upstream.seen).toHaveLength(1)
})

test('a tool choice names a native tool by its type', async () => {
  const upstream = await useUpstream(() => ({ text: 'ok' }))
  for (const [name, choice] of [
    ['sql', { type: 'custom', name: 'sql' }],
    ['shell', { type: 'shell' }],
  ] as const) {
    const tools = Object.values(rows).flatMap(({ tool, definition }) => (definition.display_width ? [] : [tool]))
    await agent({ tools, modelSettings: { toolChoice: name } }).getResponse('Go')
    expect(upstream.seen.at(-1)?.body.tool_choice).toEqual(choice)
  }
})

test('computer, shell and patch tools of the Agents SDK run', async () => {
  const done: unknown[] = []
  const method =
    (name: string) =>
    (...given: unknown[]) =>
      void done.push([name, ...given.slice(0, -1)])
  const computer = {
    ...Object.fromEntries(
      ['click', 'doubleClick', 'scroll', 'type', 'wait', 'move', 'keypress', 'drag'].map((name) => [
        name,
        method(name),
      ]),
    ),
    screenshot: () => 'AAAA',
  } as never
  const shell = {
    run: async ({ commands }: { commands: string[] }) => ({
      output: [{ ...ok(commands.join()), outcome: { type: 'exit', exitCode: 2 } }],
    }),
  }
  const editor = {
    createFile: async () => ({ output: 'made' }),
    updateFile: async () => {},
    deleteFile: async () => {},
  } as never
  const cases = [
    [sdkComputer({ computer }), rows.computer, { output: { image_url: PIXEL } }],
    [
      sdkShell({ shell: shell as never }),
      rows.shell,
      { output: [{ stdout: 'echo hi', outcome: { type: 'exit', exit_code: 2 } }] },
    ],
    [sdkPatch({ editor }), rows.patch, { status: 'completed', output: 'made' }],
  ] as const
  for (const [tool, row, output] of cases) {
    const upstream = await useUpstream(callThen((row as Row).call))
    await agent({ tools: [tool as never] }).getResponse('Go')
    const input = upstream.seen[1]?.body.input as Json[]
    expect(input.at(-1)).toMatchObject(output)
  }
  expect(done).toEqual([['click', 1, 2, 'left']])
  const perRun = sdkComputer({ computer: () => computer })
  expect(() => agent({ tools: [perRun as never] })).toThrow(/computerTool\(\{ execute \}\)/)
})
