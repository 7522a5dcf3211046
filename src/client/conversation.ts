import type { StoredMessage } from '../wire/message.ts'
import type { AgencyAnswer, Message, RequestBody } from './answers.ts'
import { ClientError } from './error.ts'
import type { CallOptions } from './http.ts'
import type { RunStream, StreamOptions } from './stream.ts'

/** What every turn of a conversation says; a turn's own request wins. */
export type ConversationDefaults = Omit<RequestBody, 'message' | 'chat_history' | 'file_ids' | 'file_urls'>

/** Options of `conversation()`; all may be left out. */
export interface ConversationOptions {
  /** The conversation so far: what `JSON.stringify(conversation)` wrote, parsed. It goes on with the agent that spoke last. */
  history?: readonly StoredMessage[]
  /** What every turn says. */
  defaults?: ConversationDefaults
}

/** How a conversation reaches its agency. */
export interface Talk {
  getResponse<Output>(body: RequestBody, options: CallOptions): Promise<AgencyAnswer<Output>>
  stream(
    body: RequestBody,
    options: StreamOptions,
    hooks: { onMessages: (said: Kept) => void; onOver: () => void },
  ): RunStream
}

type Kept = Pick<AgencyAnswer, 'new_messages' | 'file_ids_map'>
type Turn = RequestBody['message'] | (Omit<RequestBody, 'chat_history'> & { chat_history?: never })

/**
 * A conversation over any number of turns: it sends the history, keeps what comes back (after a cancel or failure too), and
 * stays with the agent that a handoff put in charge. One turn at a time. A turn that broke off leaves it as it was. `Answer` is
 * what the agency's first entry agent answers.
 */
export class Conversation<Answer = string> {
  readonly #talk: Talk
  readonly #defaults: ConversationDefaults
  readonly #files: { [name: string]: string } = {}
  #messages: StoredMessage[]
  #busy = false
  /** Whom the running turn addresses. */
  #addressed: string | undefined
  /** Whom the next turn addresses; undefined means the agency's entry agent. Turns and handoffs set it, and so may you. */
  recipient: string | undefined

  constructor(talk: Talk, { history = [], defaults = {} }: ConversationOptions) {
    if (!Array.isArray(history) || history.some((item) => typeof item !== 'object' || item === null))
      throw new TypeError('A history is a list of messages, as JSON.stringify(conversation) writes it.')
    this.#talk = talk
    this.#defaults = defaults
    this.#messages = [...history]
    this.recipient = defaults.recipient_agent ?? front(history).at(-1)?.agent
  }

  /** Everything said so far, in the server's order: the `chat_history` of the next turn. */
  get messages(): readonly StoredMessage[] {
    return this.#messages
  }

  /** Files that turns brought with `file_urls`: name -> id of the stored file. The history keeps what agents need of them. */
  get files(): { readonly [name: string]: string } {
    return this.#files
  }

  /** True while a turn waits for its answer. */
  get busy(): boolean {
    return this.#busy
  }

  /** One turn, answered when it is done. @throws ClientError, `busy` while another turn runs */
  async getResponse<Output = Answer>(turn: Turn, options: CallOptions = {}): Promise<AgencyAnswer<Output>> {
    const body = this.#begin(turn)
    try {
      const answer = await this.#talk.getResponse<Output>(body, options)
      this.#keep(answer)
      return answer
    } finally {
      this.#busy = false
    }
  }

  /** One turn, streamed. The conversation is free again when the stream has ended. @throws ClientError `busy` */
  stream(turn: Turn, options: StreamOptions = {}): RunStream {
    const body = this.#begin(turn)
    const onOver = () => {
      this.#busy = false
    }
    return this.#talk.stream(body, options, { onMessages: (said) => this.#keep(said), onOver })
  }

  /** The history, for `JSON.stringify`. */
  toJSON(): readonly StoredMessage[] {
    return this.#messages
  }

  #begin(turn: Turn): RequestBody {
    if (this.#busy)
      throw new ClientError(
        'busy',
        'This conversation is waiting for an answer: await it, or cancel its stream, first.',
      )
    this.#busy = true
    const own = asRequest(turn)
    this.#addressed = own.recipient_agent === undefined ? this.recipient : (own.recipient_agent ?? undefined)
    const addressed = this.#addressed === undefined ? {} : { recipient_agent: this.#addressed }
    const history = this.#messages.length === 0 ? {} : { chat_history: this.#messages }
    return { ...this.#defaults, ...own, ...addressed, ...history }
  }

  #keep({ new_messages, file_ids_map }: Kept): void {
    this.#messages = [...this.#messages, ...new_messages]
    Object.assign(this.#files, file_ids_map)
    this.recipient = inCharge(new_messages) ?? this.#addressed
  }
}

export const asRequest = (message: Message): RequestBody =>
  typeof message === 'string' || Array.isArray(message) ? { message } : (message as RequestBody)

/** The messages between the user and agents. */
const front = (messages: readonly StoredMessage[]) =>
  messages.filter(({ agent, callerAgent }) => callerAgent == null && agent)

/** The agent that a turn ended with, when that is not the one it was addressed to. */
function inCharge(turn: readonly StoredMessage[]): string | undefined {
  const said = front(turn)
  const asked = said.findLast((message) => message.role === 'user')
  const last = said.at(-1)
  return asked === undefined || last === undefined || last.agent === asked.agent ? undefined : last.agent
}
