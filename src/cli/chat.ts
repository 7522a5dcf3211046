import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { AgencyMetadata, ClientError, Conversation, RunStream } from '../client/index.ts'
import { demoHint } from '../server/banner.ts'
import { createTurnView, summaryLine, type Writing } from './chat-view.ts'
import { defineCommand } from './command.ts'
import { CommandError, cannotWrite, sentenceOf } from './errors.ts'
import { loadEnv } from './project.ts'
import { agencyOf, asking, openTarget, type Target } from './target.ts'
import { harmless, oneLine, type Terminal, toJson } from './terminal.ts'

const HELP = `  /agent [name]   talk to another agent; without a name: who there is
  /stop [turn]    stop the answer; "turn": when the current turn is done
  /new            begin again
  /save [file]    keep the conversation as JSON (default conversation.json)
  /load <file>    go on with a kept one
  /quit           leave, as Ctrl-D; Ctrl-C stops the answer, twice leaves`

export const command = defineCommand({
  takes: '[url | file]',
  most: 1,
  about: `Talks to a running server (http://...), or to the agency of a file, which it
serves for itself. Answers go to stdout, all else to stderr, as pipes need it:
  echo "What is new?" | agency-swarm-js chat http://localhost:8000
In the chat:
${HELP}`,
  options: {
    agency: { type: 'string', value: 'name', about: 'Which agency, where there are several' },
    agent: { type: 'string', value: 'name', about: 'Whom to talk to; default its entry agent' },
    load: { type: 'string', value: 'file', about: 'Go on with a kept conversation' },
    json: { type: 'boolean', about: 'Each answer as a line of JSON, with its messages' },
  },
  async run({ values, positionals: [named] }, terminal) {
    loadEnv()
    const target = await openTarget(named, { describe: false }, terminal)
    try {
      const agency = await terminal.during('Asking the server', agencyOf(target, values.agency))
      const graph = await asking(target, target.client.agency(agency).metadata())
      const chat = new Chat(target, agency, graph, terminal, values.json ?? false)
      if (values.load !== undefined) await chat.load(values.load)
      if (values.agent !== undefined) chat.address(values.agent)
      return await chat.talk()
    } finally {
      await target.close()
    }
  },
})

/** One conversation at a terminal or in a pipe. */
class Chat {
  readonly #target: Target
  readonly #agency: string
  readonly #graph: AgencyMetadata
  readonly #terminal: Terminal
  readonly #json: boolean
  readonly #leaving = new AbortController()
  #conversation: Conversation
  #running: { stream: RunStream; stopped: boolean } | undefined
  /** Ctrl-C was pressed once with nothing to stop. */
  #warned = false
  #failed = false

  constructor(target: Target, agency: string, graph: AgencyMetadata, terminal: Terminal, json: boolean) {
    this.#target = target
    this.#agency = agency
    this.#graph = graph
    this.#terminal = terminal
    this.#json = json
    this.#conversation = target.client.agency(agency).conversation()
  }

  /** Until the input ends or the person leaves. @returns the exit code */
  async talk(): Promise<number> {
    const { interactive, paint } = this.#terminal
    const { stdin: input, stdout: output } = process
    const lines = createInterface({
      input,
      ...(interactive ? { output } : {}),
      terminal: interactive,
      prompt: paint('bold', 'you › '),
    })
    const ended = new Promise<void>((resolve) => lines.once('close', resolve))
    if (interactive) this.#greet()
    let open = true
    lines.once('close', () => {
      open = false
    })
    const prompt = () => {
      if (interactive && open) lines.prompt()
    }
    let work = Promise.resolve()
    lines.on('line', (typed) => {
      const line = typed.trim()
      this.#warned = false
      if (/^\/stop\b/.test(line)) return void this.#stop(line.includes('turn') ? 'after_turn' : 'immediate')
      if (line === '/quit' || line === '/exit') lines.close()
      else if (line === '') prompt()
      else
        work = work
          .then(() => this.#handle(line))
          .catch((error: unknown) => this.#complain(error))
          .then(prompt)
    })
    const interrupt = () => {
      if (this.#running !== undefined && !this.#running.stopped) void this.#stop('immediate')
      else if (this.#running !== undefined || this.#warned || !interactive) {
        this.#leaving.abort()
        lines.close()
      } else {
        this.#warned = true
        this.#terminal.note('(Ctrl-C again to leave)')
        prompt()
      }
    }
    lines.on('SIGINT', interrupt)
    process.on('SIGINT', interrupt)
    try {
      prompt()
      await ended
      await work
    } finally {
      process.off('SIGINT', interrupt)
    }
    return this.#leaving.signal.aborted ? 130 : this.#failed ? 1 : 0
  }

  /** @throws CommandError for a name that is none */
  address(name: string): void {
    const { agents } = this.#graph.metadata
    const known = agents.find((agent) => agent.toLowerCase() === name.toLowerCase())
    if (known === undefined) throw new CommandError(`There is no agent "${name}". There is: ${agents.join(', ')}.`)
    this.#conversation.recipient = known
  }

  async load(file: string): Promise<void> {
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new CommandError(`${file} cannot be read.`, { cause })
    })
    try {
      this.#conversation = this.#target.client.agency(this.#agency).conversation({ history: JSON.parse(text) })
    } catch (cause) {
      throw new CommandError(`${file} is no kept conversation: it has to hold a JSON list of messages.`, { cause })
    }
    this.#terminal.note(`Loaded ${this.#conversation.messages.length} messages from ${file}.`)
  }

  async #handle(line: string): Promise<void> {
    if (this.#leaving.signal.aborted) return
    const [name = '', ...rest] = line.split(/\s+/)
    const argument = rest.join(' ')
    if (!name.startsWith('/')) return this.#turn(line)
    switch (name) {
      case '/help':
        return this.#terminal.note(HELP)
      case '/agent':
        if (argument === '') return this.#terminal.note(this.#agents())
        this.address(argument)
        return this.#terminal.note(`You talk to ${oneLine(String(this.#conversation.recipient), 60)}.`)
      case '/new':
        this.#conversation = this.#target.client.agency(this.#agency).conversation()
        return this.#terminal.note('A new conversation.')
      case '/save':
        return this.#save(argument || 'conversation.json')
      case '/load':
        if (argument === '') throw new CommandError('/load needs the name of a file.')
        return this.load(argument)
      default:
        throw new CommandError(`There is no command ${name}. /help lists them.`)
    }
  }

  async #turn(message: string): Promise<void> {
    const stream = this.#conversation.stream(message, { signal: this.#leaving.signal })
    this.#running = { stream, stopped: false }
    try {
      await asking(this.#target, this.#json ? this.#print(stream) : this.#show(stream))
    } finally {
      this.#running = undefined
    }
  }

  async #print(stream: RunStream): Promise<void> {
    const { during, out } = this.#terminal
    try {
      out(`${toJson(await during('Waiting for the answer', stream.result))}\n`)
    } catch (error) {
      const { message, kind } = error as ClientError
      out(`${toJson({ error: message, kind })}\n`)
      throw error
    }
  }

  async #show(stream: RunStream): Promise<void> {
    const terminal = this.#terminal
    const started = performance.now()
    const view = createTurnView(terminal)
    const begun = Promise.withResolvers<void>()
    const waiting = terminal.during('Waiting for the answer', begun.promise)
    const write = async (writings: Writing[]) => {
      if (writings.length === 0) return
      begun.resolve()
      await waiting // it takes its line away first
      for (const { to, text } of writings) terminal[to](text)
    }
    try {
      for await (const event of stream) await write(view.render(event))
      const result = await stream.result
      await write(view.finish())
      if (result.cancelled) terminal.note(terminal.paint('yellow', '  stopped'))
      terminal.note(terminal.paint('dim', `  ${summaryLine(result, performance.now() - started)}`))
    } finally {
      await write(view.finish())
      begun.resolve()
      await waiting
    }
  }

  async #stop(mode: 'immediate' | 'after_turn'): Promise<void> {
    const running = this.#running
    if (running === undefined) return this.#terminal.note('There is nothing to stop.')
    running.stopped = true
    await running.stream.cancel(mode).catch((error: unknown) => this.#complain(error))
  }

  async #save(file: string): Promise<void> {
    const { messages } = this.#conversation
    const replaced = existsSync(file) ? ' (replaced)' : ''
    await writeFile(file, `${JSON.stringify(this.#conversation, null, 2)}\n`).catch((cause: unknown) => {
      throw cannotWrite(file, cause)
    })
    this.#terminal.note(`Saved ${messages.length} messages to ${file}${replaced}.`)
  }

  #greet(): void {
    const { note, paint } = this.#terminal
    const agents = this.#graph.metadata.agents.join(', ')
    note(`${paint('bold', oneLine(this.#agency, 60))}: ${oneLine(agents, 1_000)}   (/help, Ctrl-D leaves)`)
    const starters = this.#graph.nodes.flatMap((node) =>
      node.type === 'agent' ? (node.data.conversationStarters ?? []) : [],
    )
    for (const starter of starters.slice(0, 3)) note(paint('dim', `  ${oneLine(String(starter), 200)}`))
    const demo = this.#graph.nodes.some((node) => node.type === 'agent' && node.data.model === 'demo')
    // Another server's environment is not known here.
    if (demo && !/^https?:/.test(this.#target.name)) note(paint('yellow', `  ${demoHint(process.env)}`))
  }

  #agents(): string {
    const current = this.#conversation.recipient ?? this.#graph.metadata.entryPoints[0]
    return this.#graph.nodes
      .flatMap((node) => (node.type === 'agent' ? [node] : []))
      .map(
        ({ id, data }) =>
          `${id === current ? '*' : ' '} ${oneLine(id, 60)}${data.description === '' ? '' : `  ${harmless(data.description)}`}`,
      )
      .join('\n')
  }

  #complain(error: unknown): void {
    if (this.#leaving.signal.aborted) return
    this.#failed = true
    this.#terminal.note(`${this.#terminal.paint('red', 'error:')} ${harmless(sentenceOf(error))}`)
  }
}
