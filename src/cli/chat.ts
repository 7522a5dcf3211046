/** The command `chat`: a conversation with an agency at a terminal or in a pipe. */

import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { AgencyMetadata, ClientError, RunEvent, RunResult, StreamEvent } from '../client/index.ts'
import { demoHint } from '../server/banner.ts'
import { compactHistory } from './chat-compact.ts'
import { type Talk, type Turn, talkHere, talkOnThread } from './chat-talk.ts'
import { drawAgents } from './chat-tree.ts'
import { createTurnView, formatSpent, formatSummary, type Spent, type Writing } from './chat-view.ts'
import { defineCommand } from './command.ts'
import { CommandError, cannotWrite, describeError } from './errors.ts'
import { loadEnv } from './project.ts'
import { openTarget, selectAgency, type Target, withRemedy } from './target.ts'
import { oneLine, stripControls, type Terminal, toJson } from './terminal.ts'

const HELP = `  /agent [name]   talk to another agent; without a name: list the agents
  /tree           show the agents with their tools, and whom each can reach
  /stop [turn]    stop the answer; with "turn": after the current turn
  /new, /compact  start a new conversation; go on with a summary of this one
  /cost           show the tokens and the cost of all answers so far
  /save [file]    save the conversation as JSON (default conversation.json)
  /load <file>    continue a saved conversation
  /thread <id>    continue a conversation on the server; /threads lists them
  /approve        let a call run that waits; /reject [why] refuses it
  /quit           quit, as Ctrl-D does; Ctrl-C stops the answer, twice quits`

const WAITING = 'A call waits for a decision, and the input has ended. The run waits on the server.'

export const command = defineCommand({
  usage: '[url | file]',
  maxPositionals: 1,
  about: `Chats with a running server (http://...), or with the agency of a file, for
which it starts a server. Answers go to stdout, everything else to stderr:
  echo "What is new?" | agency-swarm-js chat http://localhost:8000
In the chat:
${HELP}`,
  options: {
    agency: { type: 'string', value: 'name', about: 'The agency, when the server has several' },
    agent: { type: 'string', value: 'name', about: 'The agent to talk to; default the entry agent' },
    load: { type: 'string', value: 'file', about: 'Continue a saved conversation' },
    thread: { type: 'string', value: 'id', about: 'Begin or continue a thread that the server keeps' },
    json: { type: 'boolean', about: 'Print each answer as one line of JSON, with its messages' },
  },
  async run({ values, positionals: [source] }, terminal) {
    loadEnv()
    const target = await openTarget(source, { describe: false }, terminal)
    try {
      const agency = await terminal.during('Reading the agency', selectAgency(target, values.agency))
      const graph = await withRemedy(target, target.client.agency(agency).metadata())
      const chat = new Chat(target, agency, graph, terminal, values.json ?? false)
      if (values.thread !== undefined && values.load !== undefined)
        throw new CommandError('--load continues a file and --thread a thread of the server. Use one of them.')
      if (values.thread !== undefined) await withRemedy(target, chat.keepOn(values.thread))
      if (values.load !== undefined) await chat.load(values.load)
      if (values.agent !== undefined) chat.address(values.agent)
      return await chat.talk()
    } finally {
      await target.close()
    }
  },
})

/** One conversation, at a terminal or in a pipe. */
class Chat {
  readonly #target: Target
  readonly #agency: string
  readonly #graph: AgencyMetadata
  readonly #terminal: Terminal
  readonly #json: boolean
  readonly #leaving = new AbortController()
  #talk: Talk
  /** True when the server keeps the conversation. */
  #onThread = false
  #running: { turn: Turn; stopped: boolean } | undefined
  #inputEnded = false
  /** True after one Ctrl-C while nothing was running. */
  #warned = false
  #failed = false
  readonly #spent: Spent = { answers: 0, tokens: 0, cost: 0 }

  constructor(target: Target, agency: string, graph: AgencyMetadata, terminal: Terminal, json: boolean) {
    this.#target = target
    this.#agency = agency
    this.#graph = graph
    this.#terminal = terminal
    this.#json = json
    this.#talk = talkHere(target.client.agency(agency).conversation())
  }

  /** Runs until the input ends or the user quits. @returns the exit code */
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
    lines.once('close', () => this.#endInput())
    const prompt = () => {
      if (interactive && !this.#inputEnded) lines.prompt()
    }
    let work = this.resume().catch((error: unknown) => this.#reportError(error))
    lines.on('line', (typed) => {
      const line = typed.trim()
      this.#warned = false
      if (this.#doAtOnce(line)) return
      if (line === '/quit' || line === '/exit') lines.close()
      else if (line === '') prompt()
      else
        work = work
          .then(() => this.#handle(line))
          .catch((error: unknown) => this.#reportError(error))
          .then(prompt)
    })
    const interrupt = () => {
      if (this.#running !== undefined && !this.#running.stopped) void this.#stop('immediate')
      else if (this.#running !== undefined || this.#warned || !interactive) {
        this.#leaving.abort()
        lines.close()
      } else {
        this.#warned = true
        this.#terminal.note('(Ctrl-C again to quit)')
        prompt()
      }
    }
    lines.on('SIGINT', interrupt)
    process.on('SIGINT', interrupt)
    try {
      void work.then(prompt)
      await ended
      await work
    } finally {
      process.off('SIGINT', interrupt)
    }
    return this.#leaving.signal.aborted ? 130 : this.#failed ? 1 : 0
  }

  /** True for a command about the running turn, which does not wait for its end. */
  #doAtOnce(line: string): boolean {
    const [name] = line.split(/\s/, 1)
    if (name === '/stop') void this.#stop(line.includes('turn') ? 'after_turn' : 'immediate')
    else if (name === '/approve' || name === '/reject') void this.#decide(line)
    else return false
    return true
  }

  #endInput(): void {
    this.#inputEnded = true
    if (this.#running?.turn.waits() !== true) return
    this.#terminal.note(WAITING)
    this.#leaving.abort() // nobody can decide any more
  }

  /** Selects the recipient of the next message. @throws CommandError for an unknown agent */
  address(name: string): void {
    const { agents } = this.#graph.metadata
    const known = agents.find((agent) => agent.toLowerCase() === name.toLowerCase())
    if (known === undefined) throw new CommandError(`There is no agent "${name}". Agents: ${agents.join(', ')}.`)
    this.#talk.recipient = known
  }

  /** Continues a thread of the server, or begins it. @throws CommandError, ClientError */
  async keepOn(threadId: string): Promise<void> {
    this.#talk = await talkOnThread(this.#target.client.agency(this.#agency), threadId)
    this.#onThread = true
    const { length } = await this.#talk.messages()
    this.#terminal.note(`The server keeps this conversation as thread ${threadId}; it has ${length} messages.`)
  }

  async load(file: string): Promise<void> {
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new CommandError(`${file} cannot be read.`, { cause })
    })
    try {
      const conversation = this.#target.client.agency(this.#agency).conversation({ history: JSON.parse(text) })
      this.#talk = talkHere(conversation)
      this.#onThread = false
      this.#terminal.note(`Loaded ${conversation.messages.length} messages from ${file}.`)
    } catch (cause) {
      throw new CommandError(`${file} is not a saved conversation, which is a JSON list of messages.`, { cause })
    }
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
        if (argument === '') return this.#terminal.note(this.#listAgents())
        this.address(argument)
        return this.#terminal.note(`Talking to ${oneLine(String(this.#talk.recipient), 60)}.`)
      case '/tree':
        return this.#terminal.note(drawAgents(this.#graph).join('\n'))
      case '/threads':
        return this.#listThreads()
      case '/thread':
        if (argument === '') throw new CommandError('/thread needs the id of a conversation; /threads lists them.')
        await this.keepOn(argument)
        return this.resume()
      case '/new':
        if (this.#onThread) return this.keepOn(randomUUID())
        this.#talk = talkHere(this.#target.client.agency(this.#agency).conversation())
        return this.#terminal.note('Started a new conversation.')
      case '/compact':
        return this.#compact()
      case '/cost':
        return this.#terminal.note(formatSpent(this.#spent))
      case '/save':
        return this.#save(argument || 'conversation.json')
      case '/load':
        if (argument === '') throw new CommandError('/load needs a file name.')
        return this.load(argument)
      default:
        throw new CommandError(`There is no command ${name}. /help lists the commands.`)
    }
  }

  async #compact(): Promise<void> {
    if (this.#onThread) throw new CommandError('The server keeps this conversation. Start another one with /new.')
    const agency = this.#target.client.agency(this.#agency)
    const { recipient } = this.#talk
    const before = (await this.#talk.messages()).length
    const summary = compactHistory(agency, this.#talk, this.#leaving.signal)
    const history = await withRemedy(this.#target, this.#terminal.during('Writing a summary', summary))
    this.#talk = talkHere(agency.conversation({ history }))
    this.#talk.recipient = recipient
    this.#terminal.note(`${before} messages are now one summary.`)
  }

  /** Adds what an answer used to the sums of `/cost`. */
  #count({ usage }: RunResult): void {
    this.#spent.answers++
    this.#spent.tokens += usage?.total_tokens ?? 0
    this.#spent.cost += usage?.total_cost ?? 0
  }

  /** Follows the run of the thread that is live, such as one that waits for a decision. */
  async resume(): Promise<void> {
    const turn = await withRemedy(this.#target, this.#talk.resume(this.#leaving.signal))
    if (turn === undefined) return
    this.#terminal.note('A run of this conversation is live.')
    await this.#follow(turn)
  }

  #turn(message: string): Promise<void> {
    return this.#follow(this.#talk.send(message, this.#leaving.signal))
  }

  async #follow(turn: Turn): Promise<void> {
    this.#running = { turn, stopped: false }
    try {
      await withRemedy(this.#target, this.#json ? this.#print(turn) : this.#show(turn))
    } finally {
      this.#running = undefined
    }
  }

  async #print(turn: Turn): Promise<void> {
    const { during, out } = this.#terminal
    const read = async () => {
      for await (const event of this.#read(turn))
        if (event.kind === 'requires_action')
          for (const { to, text } of createTurnView(this.#terminal).render(event)) this.#terminal[to](text)
      const result = await turn.result()
      this.#count(result)
      return result
    }
    try {
      out(`${toJson(await during('Waiting for the answer', read()))}\n`)
    } catch (error) {
      const { message, kind } = error as ClientError
      out(`${toJson({ error: message, kind })}\n`)
      throw error
    }
  }

  /** The events of a turn. @throws CommandError when a call waits for a decision that nobody can type */
  async *#read({ events, waits }: Turn): AsyncGenerator<StreamEvent | RunEvent, void, undefined> {
    for await (const event of events) {
      yield event
      if (this.#inputEnded && event.kind === 'requires_action' && waits()) throw new CommandError(WAITING)
    }
  }

  async #show(turn: Turn): Promise<void> {
    const terminal = this.#terminal
    const started = performance.now()
    const view = createTurnView(terminal)
    const firstOutput = Promise.withResolvers<void>()
    const waiting = terminal.during('Waiting for the answer', firstOutput.promise)
    const write = async (writings: Writing[]) => {
      if (writings.length === 0) return
      firstOutput.resolve()
      await waiting // the spinner clears its line first
      for (const { to, text } of writings) terminal[to](text)
    }
    try {
      for await (const event of this.#read(turn)) await write(view.render(event))
      const result = await turn.result()
      this.#count(result)
      await write(view.finish())
      if (result.cancelled) terminal.note(terminal.paint('yellow', '  stopped'))
      terminal.note(terminal.paint('dim', `  ${formatSummary(result, performance.now() - started)}`))
    } finally {
      await write(view.finish())
      firstOutput.resolve()
      await waiting
    }
  }

  async #stop(mode: 'immediate' | 'after_turn'): Promise<void> {
    const running = this.#running
    if (running === undefined) return this.#terminal.note('There is nothing to stop.')
    running.stopped = true
    await running.turn.stop(mode).catch((error: unknown) => this.#reportError(error))
  }

  async #decide(line: string): Promise<void> {
    const [, name, rest] = /^\/(\w+)(.*)/s.exec(line) ?? []
    const reason = rest?.trim()
    const decided = this.#running?.turn.decide(reason || undefined, name === 'approve') ?? false
    try {
      if (!(await decided)) this.#terminal.note('No call waits for a decision.')
    } catch (error) {
      this.#reportError(error)
    }
  }

  async #save(file: string): Promise<void> {
    const messages = await this.#talk.messages()
    const replaced = existsSync(file) ? ' (replaced)' : ''
    await writeFile(file, `${JSON.stringify(messages, null, 2)}\n`).catch((cause: unknown) => {
      throw cannotWrite(file, cause)
    })
    this.#terminal.note(`Saved ${messages.length} messages to ${file}${replaced}.`)
  }

  #greet(): void {
    const { note, paint } = this.#terminal
    const agents = this.#graph.metadata.agents.join(', ')
    note(`${paint('bold', oneLine(this.#agency, 60))}: ${oneLine(agents, 1_000)}   (/help, Ctrl-D quits)`)
    const starters = this.#graph.nodes.flatMap((node) =>
      node.type === 'agent' ? (node.data.conversationStarters ?? []) : [],
    )
    for (const starter of starters.slice(0, 3)) note(paint('dim', `  ${oneLine(String(starter), 200)}`))
    const demo = this.#graph.nodes.some((node) => node.type === 'agent' && node.data.model === 'demo')
    // The environment of another server is unknown.
    if (demo && !/^https?:/.test(this.#target.name)) note(paint('yellow', `  ${demoHint(process.env)}`))
  }

  async #listThreads(): Promise<void> {
    const page = await withRemedy(this.#target, this.#target.client.agency(this.#agency).threads.list().page())
    const lines = page.data.map(({ thread_id: id, status, message_count: count, metadata }) => {
      const state = { idle: `${count} messages`, busy: 'running', requires_action: 'waits for a decision' }[status]
      return `${id}  ${oneLine(`${metadata.title ?? ''} (${state})`.trim(), 100)}`
    })
    this.#terminal.note(lines.length === 0 ? 'The server keeps no conversations.' : lines.join('\n'))
  }

  #listAgents(): string {
    const current = this.#talk.recipient ?? this.#graph.metadata.entryPoints[0]
    return this.#graph.nodes
      .flatMap((node) => (node.type === 'agent' ? [node] : []))
      .map(
        ({ id, data }) =>
          `${id === current ? '*' : ' '} ${oneLine(id, 60)}${data.description === '' ? '' : `  ${stripControls(data.description)}`}`,
      )
      .join('\n')
  }

  #reportError(error: unknown): void {
    if (this.#leaving.signal.aborted) return
    this.#failed = true
    this.#terminal.note(`${this.#terminal.paint('red', 'error:')} ${stripControls(describeError(error))}`)
  }
}
