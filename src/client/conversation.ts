/** A conversation of the client: keeps the history and the current recipient from turn to turn. */
import type { StoredMessage } from '../wire/message.ts'
import type { AgencyAnswer, Message, RequestBody } from './answers.ts'
import { ClientError } from './error.ts'
import type { CallOptions } from './http.ts'
import type { RunStream, StreamOptions } from './stream.ts'

/** Request fields sent with every turn. Fields of a turn's own request override them. */
export type ConversationDefaults = Omit<RequestBody, 'message' | 'chat_history' | 'file_ids' | 'file_urls'>

/** Options of `conversation()`. All are optional. */
export interface ConversationOptions {
  /**
   * The conversation so far: the parsed output of `JSON.stringify(conversation)`. The agent that spoke last answers next.
   * @default []
   */
  history?: readonly StoredMessage[]
  /** Request fields sent with every turn. @default {} */
  defaults?: ConversationDefaults
}

/** How a conversation sends requests to its agency. */
export interface Requests {
  getResponse<Output>(body: RequestBody, options: CallOptions): Promise<AgencyAnswer<Output>>
  stream(
    body: RequestBody,
    options: StreamOptions,
    hooks: { onMessages: (messages: TurnResult) => void; onOver: () => void },
  ): RunStream
}

type TurnResult = Pick<AgencyAnswer, 'new_messages' | 'file_ids_map'>
type Turn = RequestBody['message'] | (Omit<RequestBody, 'chat_history'> & { chat_history?: never })

/**
 * A conversation over any number of turns. It sends the history, appends the new messages (also after a cancel or a failure),
 * and addresses the next turn to the agent that a handoff put in charge. One turn runs at a time. A turn whose stream broke
 * off changes nothing. `Answer` is the answer type of the agency's first entry agent.
 */
export class Conversation<Answer = string> {
  readonly #requests: Requests
  readonly #defaults: ConversationDefaults
  readonly #files: { [name: string]: string } = {}
  #messages: StoredMessage[]
  #busy = false
  /** The recipient of the running turn. */
  #addressed: string | undefined
  /** The agent the next turn addresses; undefined means the entry agent. Turns and handoffs set it; you may set it too. */
  recipient: string | undefined

  /** @throws TypeError when `history` is not a list of objects */
  constructor(requests: Requests, { history = [], defaults = {} }: ConversationOptions) {
    if (!Array.isArray(history) || history.some((item) => typeof item !== 'object' || item === null))
      throw new TypeError(
        'history must be a list of messages, such as the parsed output of JSON.stringify(conversation).',
      )
    this.#requests = requests
    this.#defaults = defaults
    this.#messages = [...history]
    this.recipient = defaults.recipient_agent ?? selectUserThread(history).at(-1)?.agent
  }

  /** All messages so far, in the server's order: the `chat_history` of the next turn. */
  get messages(): readonly StoredMessage[] {
    return this.#messages
  }

  /** Files sent with `file_urls`: name -> id of the stored file. For information only: the history already refers to them. */
  get files(): { readonly [name: string]: string } {
    return this.#files
  }

  /** True while a turn is running. */
  get busy(): boolean {
    return this.#busy
  }

  /** Runs one turn and resolves with its answer. @throws ClientError; kind `busy` while another turn runs */
  async getResponse<Output = Answer>(turn: Turn, options: CallOptions = {}): Promise<AgencyAnswer<Output>> {
    const body = this.#begin(turn)
    try {
      const answer = await this.#requests.getResponse<Output>(body, options)
      this.#keep(answer)
      return answer
    } finally {
      this.#busy = false
    }
  }

  /** Runs one turn as a stream. `busy` is true until the stream has ended. @throws ClientError of kind `busy` */
  stream(turn: Turn, options: StreamOptions = {}): RunStream {
    const body = this.#begin(turn)
    const onOver = () => {
      this.#busy = false
    }
    return this.#requests.stream(body, options, { onMessages: (messages) => this.#keep(messages), onOver })
  }

  /** The history, for `JSON.stringify`. */
  toJSON(): readonly StoredMessage[] {
    return this.#messages
  }

  #begin(turn: Turn): RequestBody {
    if (this.#busy)
      throw new ClientError(
        'busy',
        'This conversation already has a running turn. Wait for its answer, or cancel its stream, before the next turn.',
      )
    this.#busy = true
    const request = asRequest(turn)
    this.#addressed = request.recipient_agent === undefined ? this.recipient : (request.recipient_agent ?? undefined)
    const addressed = this.#addressed === undefined ? {} : { recipient_agent: this.#addressed }
    const history = this.#messages.length === 0 ? {} : { chat_history: this.#messages }
    return { ...this.#defaults, ...request, ...addressed, ...history }
  }

  #keep({ new_messages, file_ids_map }: TurnResult): void {
    this.#messages = [...this.#messages, ...new_messages]
    Object.assign(this.#files, file_ids_map)
    this.recipient = findHandoffTarget(new_messages) ?? this.#addressed
  }
}

export const asRequest = (message: Message): RequestBody =>
  typeof message === 'string' || Array.isArray(message) ? { message } : (message as RequestBody)

/** The messages of the user's thread: those without a `callerAgent`. */
const selectUserThread = (messages: readonly StoredMessage[]) =>
  messages.filter(({ agent, callerAgent }) => callerAgent == null && agent)

/** The agent that ended a turn, when it is not the one the user addressed. */
function findHandoffTarget(turn: readonly StoredMessage[]): string | undefined {
  const messages = selectUserThread(turn)
  const question = messages.findLast((message) => message.role === 'user')
  const last = messages.at(-1)
  return question === undefined || last === undefined || last.agent === question.agent ? undefined : last.agent
}
