/** `javascriptInterpreter()`: JavaScript in a process of Node that keeps its variables. */
import type { FunctionTool } from '../tool.ts'
import { type InterpreterOptions, interpreterTool } from './interpreter-tool.ts'
import { jsonDriver, tellResult } from './json-driver.ts'

/**
 * Creates a tool that runs JavaScript in a process of Node, with the rights of this process. Variables stay from call to call;
 * each agent has a process of its own in each run, which ends with the run.
 * @throws INVALID_OPTION
 */
export const javascriptInterpreter = (options: InterpreterOptions = {}): FunctionTool =>
  interpreterTool(
    {
      maker: 'javascriptInterpreter',
      name: 'JavaScriptInterpreter',
      description:
        'Runs JavaScript in Node.js on the server and returns what it prints and the value of its last expression. Variables stay from call to call. Top-level await and require() work; use await import() instead of import statements.',
      argument: 'code',
      explanation: 'JavaScript code, of one or more lines.',
      create: ({ outputBytes, memoryBytes }) => ({
        command: process.execPath,
        args: [`--max-old-space-size=${Math.max(16, Math.floor(memoryBytes / 1024 / 1024))}`, '-e', DRIVER],
        ...jsonDriver(outputBytes),
        missing: 'The program that runs this server is gone.',
      }),
      tell: tellResult,
    },
    options,
  )

/**
 * The evaluator of Node's own REPL, with requests from pipe 3 and answers on pipe 4. Errors reach its domain, not its callback;
 * one that nobody waits for is printed. Outputs block, so that printed text comes before its mark.
 */
const DRIVER = `
const fs = require('node:fs'), { PassThrough, Writable } = require('node:stream'), util = require('node:util')
for (const stream of [process.stdout, process.stderr]) stream._handle?.setBlocking?.(true)
let settle
const output = new Writable({ write(chunk, _, done) { if (settle === undefined) write(2, chunk); done() } })
const write = (fd, text) => { try { fs.writeSync(fd, text) } catch {} }
const repl = require('node:repl').start({ input: new PassThrough(), output, prompt: '', terminal: false, useGlobal: true, ignoreUndefined: true })
repl._domain.on('error', (error) => settle?.({ error }))
const run = (code) => new Promise((resolve) => {
  settle = resolve
  repl.eval(code, repl.context, 'code', (error, value) => resolve(error ? { error: error.err ?? error } : { value }))
})
const ownFrame = (line) => !/^ +at /.test(line) || /\\bcode:\\d/.test(line)
const show = (error) => util.types.isNativeError(error) ? String(error.stack).split('\\n').filter(ownFrame).join('\\n') : util.inspect(error)
require('node:readline').createInterface({ input: fs.createReadStream(null, { fd: 3 }) }).on('line', async (line) => {
  const { code, mark, limit } = JSON.parse(line)
  const result = await run(code)
  settle = undefined
  const reply = 'error' in result
    ? { error: show(result.error).slice(0, limit) }
    : result.value === undefined ? {} : { value: util.inspect(result.value, { depth: 4, maxStringLength: limit }).slice(0, limit) }
  for (const fd of [1, 2]) write(fd, mark)
  write(4, JSON.stringify(reply) + '\\n')
})
`
