/** Assembles tool calls from the pieces of a Chat Completions stream. */

import { ANSWER_LIMITS } from '../../base/limits.ts'
import { tooManyCalls } from '../../base/model-errors.ts'
import { isEmptyObject, withoutEmptyStart } from '../../messages/items.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { ResponseSynthesis } from '../synthesis.ts'

interface Call {
  /** The provider's id; empty when it sent none. */
  id: string
  name: string
  args: string
  /** The number of characters of `args` that were passed to the synthesis. */
  told: number
  /** Follows the braces of `args`. */
  scan: { depth: number; quoted: boolean; escaped: boolean; closed: boolean }
  /** Its name was repeated after its arguments were complete: arguments that follow belong to another call of the same tool. */
  again: boolean
  /** Its key in the synthesis, once it is open. */
  key: number | undefined
  extra: JsonObject | undefined
}

interface Piece {
  id: string
  name: string
  args: string
}

/**
 * Sorts the pieces of calls in a Chat Completions stream. Providers number every call 0, leave out indexes or ids, change ids in
 * the middle, or repeat pieces, so no single field identifies the call of a piece.
 *
 * A piece begins a call when its index is new, when it brings a name with another id, or when it brings a name while the
 * arguments before it are complete.
 */
export class ChatCalls {
  readonly #parts: ResponseSynthesis
  readonly #tools: readonly string[]
  readonly #calls: Call[] = []
  readonly #byIndex = new Map<string, Call>()
  readonly #byId = new Map<string, Call>()
  #keys = 0

  /** @param tools names of the agent's tools: they distinguish one name in pieces from two names */
  constructor(parts: ResponseSynthesis, tools: readonly string[]) {
    this.#parts = parts
    this.#tools = tools
  }

  /** Reads one entry of `tool_calls`. `index` numbers the entries of a whole message, which have no numbers of their own. */
  read(entry: JsonObject, index?: number): void {
    const fields = isObject(entry.function) ? entry.function : entry
    const piece = { id: idOf(entry.id), name: idOf(fields.name), args: argumentsOf(fields.arguments) }
    const place = entry.index ?? index
    const call = this.#find(place, piece) ?? this.#begin()
    if (place != null) this.#byIndex.set(String(place), call)
    if (piece.id !== '' && !this.#byId.has(piece.id)) this.#byId.set(piece.id, call)
    if (call.id === '') call.id = piece.id
    if (call.scan.closed && piece.name === call.name) call.again = true
    if (call.key === undefined) call.name = grow(call.name, piece.name)
    if (isObject(entry.extra_content)) call.extra = entry.extra_content
    this.#addArguments(call, piece.args)
    this.#attach(call)
  }

  /** Opens the calls without arguments. Arguments without a name belong to the call before them. */
  finish(): void {
    let before: Call | undefined
    for (const call of this.#calls) {
      if (call.name === '' && before !== undefined) this.#addArguments(before, call.args)
      this.#open(call)
      this.#tell(call)
      if (call.name !== '') before = call
    }
  }

  #begin(): Call {
    if (this.#calls.length === ANSWER_LIMITS.calls) throw tooManyCalls(ANSWER_LIMITS.calls)
    const last = this.#calls.at(-1)
    if (last !== undefined) this.#open(last) // calls open in the order in which they began
    const call: Call = {
      id: '',
      name: '',
      args: '',
      told: 0,
      scan: newScan(),
      again: false,
      key: undefined,
      extra: undefined,
    }
    this.#calls.push(call)
    return call
  }

  /** The call that a piece continues; undefined where it begins one. */
  #find(place: unknown, piece: Piece): Call | undefined {
    const known = place == null ? undefined : this.#byIndex.get(String(place))
    const named = piece.id === '' ? undefined : this.#byId.get(piece.id)
    const last = place == null ? this.#calls.at(-1) : undefined
    if (place != null && known === undefined) return piece.name === '' ? named : undefined
    // Two calls may share an id, or an index: the call with both is preferred.
    const before = known?.id === piece.id ? known : (named ?? known ?? last)
    if (before === undefined) return undefined
    if (piece.name === '' && before.again && piece.args.trim() !== '') {
      piece.name = before.name
      return undefined
    }
    return piece.name !== '' && begins(before, piece, this.#tools) ? undefined : before
  }

  /** The first argument opens a call; until then its name may grow. Nothing continues complete arguments. */
  #addArguments(call: Call, args: string): void {
    if (args === '') return
    if (call.scan.closed) {
      if (!isUntoldStart(call) || !args.trimStart().startsWith('{')) return
      call.args = ''
      call.scan = newScan()
    }
    const whole = call.args.startsWith('{') ? grow(call.args, args) : call.args + args
    const more = call.args === '' ? withoutEmptyStart(whole) : whole.slice(call.args.length)
    call.args += more
    follow(call, more)
    if (call.key === undefined) this.#open(call)
    else if (!isUntoldStart(call)) this.#tell(call)
  }

  #tell(call: Call): void {
    if (call.key === undefined || call.told === call.args.length) return
    this.#parts.addArguments(call.key, call.args.slice(call.told))
    call.told = call.args.length
  }

  /** Some providers send a call's name late. */
  #open(call: Call): void {
    if (call.key !== undefined || call.name === '') return
    call.key = this.#keys++
    this.#parts.openCall(call.key, { callId: call.id, name: call.name })
    if (!isUntoldStart(call)) this.#tell(call)
    this.#attach(call)
  }

  #attach({ key, extra }: Call): void {
    if (key !== undefined && extra !== undefined) this.#parts.attach({ call: key }, { extra_content: extra })
  }
}

/** True when a piece with a name cannot continue the call before it. */
function begins(before: Call, piece: Piece, tools: readonly string[]): boolean {
  const sameId = piece.id === before.id
  const otherId = !sameId && piece.id !== '' && before.id !== ''
  if (before.name === '' && !otherId && piece.args.trim() === '') return false // the name came late
  if (before.scan.closed) {
    if (before.id !== '' && !otherId && piece.name === before.name && isUntoldStart(before)) return false
    if (otherId || piece.name !== before.name) return true
    if (piece.args.trim() === '') return false // only the name is repeated
    return piece.id === '' || dense(piece.args) !== dense(before.args)
  }
  if (before.args.trim() !== '') {
    // Arguments that do not begin an object continue the last one.
    const continues = piece.args.trim() !== '' && !piece.args.trimStart().startsWith('{')
    return otherId && !continues
  }
  if (otherId) return true
  const grown = grow(before.name, piece.name)
  return grown !== before.name && tools.includes(before.name) && !tools.some((name) => name.startsWith(grown))
}

/**
 * True for `{}`, with which some gateways open every call (a `tool_use` block of Anthropic begins with an empty input). It is passed on at
 * the end, unless arguments follow.
 */
const isUntoldStart = ({ scan, told, args }: Call) => scan.closed && told === 0 && isEmptyObject(args)

const newScan = () => ({ depth: 0, quoted: false, escaped: false, closed: false })

/** Appends a piece. A piece that begins with all the text before it repeats the whole text, as some gateways do. */
const grow = (before: string, piece: string) => (before !== '' && piece.startsWith(before) ? piece : before + piece)

const dense = (json: string) => json.replace(/\s/g, '')

const idOf = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '')

const argumentsOf = (value: unknown) =>
  typeof value === 'string' ? value : isObject(value) ? JSON.stringify(value) : ''

const QUOTE = 34
const BACKSLASH = 92
const OPEN = 123
const CLOSE = 125

/** Scans new arguments for the end of their object. Each character is read once. */
function follow({ scan }: Call, more: string): void {
  for (let index = 0; index < more.length; index++) {
    const code = more.charCodeAt(index)
    if (scan.quoted) {
      if (scan.escaped) scan.escaped = false
      else if (code === BACKSLASH) scan.escaped = true
      else if (code === QUOTE) scan.quoted = false
    } else if (code === QUOTE) scan.quoted = true
    else if (code === OPEN) scan.depth++
    else if (code === CLOSE && --scan.depth <= 0) scan.closed = true
  }
}
