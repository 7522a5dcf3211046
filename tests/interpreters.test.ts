import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  Agency,
  Agent,
  type FunctionTool,
  javascriptInterpreter,
  persistentShell,
  pythonInterpreter,
} from '../src/index.ts'
import { endRun } from '../src/tools/run-end.ts'
import type { ToolContext } from '../src/tools/tool.ts'
import { postAndRead, readFrames, startServer, useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'

/** A run as tools see it, over when the test is. */
function useRun(currentAgentName: string | null = 'Desk') {
  const abort = new AbortController()
  onTestFinished(() => endRun(abort.signal))
  return { abort, context: { currentAgentName, toolCallId: 'c', signal: abort.signal } as unknown as ToolContext }
}

/** Calls a tool with pieces of code, one after the other, in one run. */
function caller(tool: FunctionTool, agent: string | null = 'Desk') {
  const { abort, context } = useRun(agent)
  const argument = Object.keys(tool.parameters.properties as object)[0] as string
  const call = async (code: string) => String(await tool.run({ [argument]: code }, context))
  return { abort, call, context }
}

const lives = (pid: number) => {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
const gone = (pid: number) => expect.poll(() => lives(pid), { timeout: 5000 }).toBe(false)

const KINDS = [
  {
    name: 'shell',
    make: persistentShell,
    say: 'echo hi',
    pid: 'echo pid $$',
    set: 'X=41',
    get: 'echo "value $((X + 1))"',
    endless: 'while :; do :; done',
    flood: 'yes',
    hog: `python3 -c 'a = []\nwhile True: a.append(bytearray(5_000_000))'`,
    exit: 'exit 7',
    child: 'sleep 1000 & echo child $!',
    secret: 'echo "key $OPENAI_API_KEY."',
  },
  {
    name: 'python',
    make: pythonInterpreter,
    say: 'print("hi")',
    pid: 'import os; print("pid", os.getpid())',
    set: 'X = 41',
    get: 'print("value", X + 1)',
    endless: 'while True: pass',
    flood: 'while True: print("y" * 1000)',
    hog: 'a = []\nwhile True: a.append(bytearray(5_000_000))',
    exit: 'import sys; sys.exit(7)',
    child: 'import subprocess; print("child", subprocess.Popen(["sleep", "1000"]).pid)',
    secret: 'import os; print("key", os.environ.get("OPENAI_API_KEY", "") + ".")',
  },
  {
    name: 'javascript',
    make: javascriptInterpreter,
    say: 'console.log("hi")',
    pid: 'console.log("pid", process.pid)',
    set: 'const X = 41',
    get: 'console.log("value", X + 1)',
    endless: 'for (;;);',
    flood: 'for (;;) console.log("y".repeat(1000))',
    hog: 'const a = []; for (;;) a.push(Buffer.alloc(5_000_000, 1))',
    exit: 'process.exit(7)',
    child: 'console.log("child", require("child_process").spawn("sleep", ["1000"]).pid)',
    secret: 'console.log("key", (process.env.OPENAI_API_KEY ?? "") + ".")',
  },
] as const
const number = (text: string) => Number(/(?:pid|child) (\d+)/.exec(text)?.[1])

test.for(KINDS)('what code of the $name sets is there at the next call', async ({ make, say, set, get }) => {
  const { call } = caller(make())
  expect(await call(say)).toMatch(/(^|\n)hi(\n|$)/)
  await call(set)
  expect(await call(get)).toContain('value 42')
})

test.for(KINDS)('each agent and each run has a $name of its own', async ({ make, pid }) => {
  const tool = make()
  const [first, other] = [caller(tool), caller(tool)]
  const context = { ...first.context, currentAgentName: 'Other' } as ToolContext
  const argument = Object.keys(tool.parameters.properties as object)[0] as string
  const pids = [
    await first.call(pid),
    await first.call(pid),
    await other.call(pid),
    String(await tool.run({ [argument]: pid }, context)),
  ].map(number)
  expect(pids[0]).toBe(pids[1])
  expect(new Set(pids).size).toBe(3)
})

test.for(KINDS)('a $name that never ends is stopped, and the next call works', async ({ make, endless, say }) => {
  const { call } = caller(make({ timeoutMs: 1500 }))
  expect(await call(endless)).toMatch(
    /^Error: the code was stopped: it ran longer than 1\.5 seconds\. The session has ended/,
  )
  expect(await call(say)).toContain('hi')
})

test.for(KINDS)('a $name that prints without end is stopped', { timeout: 60_000 }, async ({ make, flood, say }) => {
  const { call } = caller(make({ outputBytes: 1000 }))
  const text = await call(flood)
  expect(text).toMatch(/^Error: the code was stopped: it printed more than 67108864 bytes/)
  expect(text).toMatch(/\[\.\.\. \d+ bytes left out \.\.\.\]/)
  expect(text.length).toBeLessThan(1500)
  expect(await call(say)).toContain('hi')
})

test.for(KINDS)('a $name that eats memory is stopped', { timeout: 60_000 }, async ({ make, hog, say }) => {
  const { call } = caller(make({ memoryBytes: 150_000_000 }))
  expect(await call(hog)).toMatch(/^Error: the code was stopped: it used more than 150000000 bytes of memory/)
  expect(await call(say)).toContain('hi')
})

test.for(KINDS)('a $name that exits says so, and the next call works', async ({ make, exit, say }) => {
  const { call } = caller(make())
  expect(await call(exit)).toMatch(/its process ended \(code 7\)/)
  expect(await call(say)).toContain('hi')
})

test.for(KINDS)('the end of a run ends its $name and what it started', async ({ make, pid, child }) => {
  const { call, context } = caller(make())
  const pids = [number(await call(pid)), number(await call(child))]
  expect(pids.map(lives)).toEqual([true, true])
  endRun(context.signal)
  for (const each of pids) await gone(each)
})

test.for(KINDS)('an abort ends a $name at work', async ({ make, pid, endless }) => {
  const { call, abort } = caller(make())
  const own = number(await call(pid))
  const work = call(endless)
  abort.abort()
  expect(await work).toMatch(/the run is over/)
  await gone(own)
})

test.for(KINDS)('a call of the $name without an agent keeps no process', async ({ make, pid }) => {
  const { call } = caller(make(), null)
  await gone(number(await call(pid)))
})

test.for(KINDS)('the $name gets no keys of the server, but what env has', async ({ make, secret }) => {
  process.env.OPENAI_API_KEY = 'sk-secret'
  onTestFinished(() => void delete process.env.OPENAI_API_KEY)
  expect(await caller(make()).call(secret)).toContain('key .')
  expect(await caller(make({ env: { OPENAI_API_KEY: 'mine' } })).call(secret)).toContain('key mine.')
})

test.for(KINDS)('calls of the $name at the same time run one after the other', async ({ make, set, get }) => {
  const { call } = caller(make())
  const [, answer] = await Promise.all([call(set), call(get)])
  expect(answer).toContain('value 42')
})

test.for(KINDS)('a $name starts in its folder', async ({ make, name }) => {
  const folder = useFolder()
  const where = { shell: 'pwd', python: 'import os; print(os.getcwd())', javascript: 'console.log(process.cwd())' }[
    name
  ]
  expect(await caller(make({ folder })).call(where)).toContain(folder)
})

test('the shell tells errors, the exit code and the folder', async () => {
  const folder = useFolder()
  const { call } = caller(persistentShell({ folder }))
  expect(await call('echo out; echo bad >&2; false')).toBe(
    `out\n\nErrors:\nbad\n\nExit code: 1\n\nWorking folder: ${folder}`,
  )
  expect(await call("mkdir 'it''s' && cd 'it''s'")).toBe(`Working folder: ${folder}/its`)
  expect(await call('pwd; cat')).toBe(`${folder}/its\n\nWorking folder: ${folder}/its`)
  expect(await call('if')).toMatch(/syntax error/)
  expect(await call('exec >/dev/null; echo hidden; echo seen >&2')).toMatch(/^Errors:\nseen/)
})

test('a process in the background does not hold up the answer', async () => {
  const { call } = caller(persistentShell())
  expect(await call('(sleep 0.2; echo late) & echo now')).toMatch(/^now\n/)
})

test('Python tells the value of the last expression, and where an error is', async () => {
  const { call } = caller(pythonInterpreter())
  expect(await call('1 + 1')).toBe('Result: 2')
  expect(await call('x = 1')).toBe('Done, without any output.')
  expect(await call('import asyncio\nawait asyncio.sleep(0, "done")')).toBe("Result: 'done'")
  expect(await call('y = 1\n1 / 0')).toBe(
    'Error:\nTraceback (most recent call last):\n  File "<code>", line 2, in <module>\nZeroDivisionError: division by zero',
  )
  expect(await call('def f(:')).toMatch(/^Error:\n.*SyntaxError/s)
  expect(await call('input()')).toMatch(/EOFError/)
  expect(await call('"x" * 200_000')).toMatch(/^Result: 'x{60000}/)
})

test('JavaScript tells the value of the last expression, and errors', async () => {
  const { call } = caller(javascriptInterpreter())
  expect(await call('1 + 1')).toBe('Result: 2')
  expect(await call('await Promise.resolve({ a: [1] })')).toBe('Result: { a: [ 1 ] }')
  expect(await call('const { join } = await import("node:path"); join("a", "b")')).toBe("Result: 'a/b'")
  expect(await call('null.x')).toMatch(/^Error:\nTypeError: Cannot read properties of null/)
  expect(await call('const = 1')).toMatch(/^Error:\ncode:1\n.*SyntaxError/s)
  expect(await call('throw "text"')).toBe("Error:\n'text'")
  expect(
    await call('setTimeout(() => { throw new Error("later") }, 1); await new Promise((r) => setTimeout(r, 50))'),
  ).toMatch(/later/)
})

test('an interpreter that is not installed is named with the way out', async () => {
  const { call } = caller(pythonInterpreter({ command: 'no-python' }))
  expect(await call('1')).toMatch(/no-python cannot be started\. Install Python 3, or name the interpreter/)
})

test('more sessions than allowed are refused until one has ended', async () => {
  const tool = persistentShell({ maxSessions: 1 })
  const [first, second] = [caller(tool), caller(tool)]
  await first.call('true')
  expect(await second.call('true')).toMatch(/^Error: 1 sessions of this tool are running/)
  endRun(first.context.signal)
  expect(await second.call('echo hi')).toContain('hi')
})

test('wrong options are refused', () => {
  expect(() => persistentShell({ timeoutMs: 0 })).toThrow(/timeoutMs of persistentShell/)
  expect(() => pythonInterpreter({ folder: '/no/such' })).toThrow(/folder of pythonInterpreter/)
  expect(() => javascriptInterpreter({ cwd: '.' } as never)).toThrow(/"cwd"/)
})

const calls = (name: string, args: object) => ({ calls: [{ name, arguments: args as { [key: string]: unknown } }] })

test('a run over HTTP keeps one shell for its calls and ends it', async () => {
  const upstream = await useUpstream((_, index) =>
    index === 0
      ? calls('PersistentShellTool', { command: 'X=5; echo pid $$' })
      : index === 1
        ? calls('PersistentShellTool', { command: 'echo $X; echo pid $$' })
        : { text: 'Done.' },
  )
  const desk = new Agent({ name: 'Desk', model: 'gpt-5.4', tools: [persistentShell()] })
  const { url } = await startServer({ agencies: { desk: new Agency(desk) } })
  const { body } = await postAndRead(`${url}/desk/get_response`, { message: 'Hi' })
  expect(body.response).toBe('Done.')
  // biome-ignore lint/suspicious/noExplicitAny: foreign JSON
  const outputs = ((upstream.seen[2]?.body.input ?? []) as any[]).filter((item) => item.type === 'function_call_output')
  expect(outputs[1].output).toContain('5\n')
  const [first, second] = outputs.map(({ output }) => number(output))
  expect(first).toBe(second)
  await gone(first as number)
})

test('a client that leaves ends the command of its run', async () => {
  const folder = useFolder()
  await useUpstream(() => calls('PersistentShellTool', { command: 'echo $$ > pid; sleep 1000' }))
  const desk = new Agent({ name: 'Desk', model: 'gpt-5.4', tools: [persistentShell({ folder })] })
  const { url } = await startServer({ agencies: { desk: new Agency(desk) } })
  const leave = new AbortController()
  const reading = (async () => {
    for await (const _ of readFrames(`${url}/desk/get_response_stream`, { message: 'Hi' }, leave.signal));
  })().catch(() => {})
  await expect.poll(() => existsSync(join(folder, 'pid')) && readFileSync(join(folder, 'pid'), 'utf8')).toMatch(/\d/)
  leave.abort()
  await reading
  await gone(Number(readFileSync(join(folder, 'pid'), 'utf8')))
})

test('the exit of the process ends its sessions', async () => {
  const folder = useFolder()
  const index = join(import.meta.dirname, '../src/index.ts')
  writeFileSync(
    join(folder, 'main.ts'),
    `import { persistentShell } from ${JSON.stringify(index)}
const context: any = { currentAgentName: 'A', signal: new AbortController().signal }
console.log(await persistentShell().run({ command: 'sleep 1000 & echo child $!' }, context))
process.exit(0)`,
  )
  const { stdout } = spawnSync(process.execPath, [join(folder, 'main.ts')], { encoding: 'utf8' })
  await gone(number(stdout))
})
