import * as fc from 'fast-check'

export type Item = { [key: string]: unknown }

/** A conversation made up at random, and what must reach a model of it. */
export interface Conversation {
  items: Item[]
  /** Texts that nobody may lose. */
  texts: string[]
  /** Of each whole call of a tool: a word of its arguments and one of its output. */
  pairs: [string, string][]
  /** Item id -> id of the reasoning it came of, as its provider remembers it. */
  memory: Map<string, string>
}

const CALL_IDS = ['unique', 'same', '', 'functions.Bash:0', 'x'.repeat(405), 'call|1/2']
const ITEM_IDS = ['unique', 'same', '__fake_id__', '', 'chatcmpl-tool-1', undefined, null]
const OUTPUTS = ['text', 'object', 'parts', 'number', 'foreign parts', 'nothing']
const NAMES = ['look', 'transfer_to_Поддержка', 'R&D / Ops', 'L'.repeat(80), '']
/** Arguments that are no JSON object, or no text. */
const BAD_ARGUMENTS: unknown[] = ['', ' \n', 'null', '[1]', '{"a":"Par', '{"a":1}{"a":2}', undefined, { a: 1 }]
const KINDS = ['function', 'custom_tool', 'computer', 'local_shell', 'shell', 'apply_patch'] as const
const EXTRAS = {
  previous_response_id: 'resp_x',
  conversation_id: 'c',
  response_id: 'r',
  thread_id: 't',
  usage: { a: 1 },
}

const pair = fc.record({
  piece: fc.constantFrom('pair', 'pair', 'early', 'twice', 'apart', 'call', 'output', 'doubled call'),
  kind: fc.constantFrom('function' as const, 'function' as const, ...KINDS),
  callId: fc.constantFrom(...CALL_IDS),
  id: fc.constantFrom(...ITEM_IDS),
  output: fc.constantFrom(...OUTPUTS),
  name: fc.constantFrom(...NAMES),
  args: fc.constantFrom('good', 'good', ...BAD_ARGUMENTS),
  extras: fc.boolean(),
})
const text = fc.record({
  piece: fc.constantFrom('user', 'assistant', 'system', 'developer'),
  text: fc.constantFrom('words', 'words', '', '  \n', 'parts', 'nothing'),
  id: fc.constantFrom(...ITEM_IDS),
  extras: fc.boolean(),
})
const thought = fc.record({
  piece: fc.constantFrom(
    'thought and text',
    'thought and call',
    'thought and lost call',
    'thoughts and call',
    'lone thought',
  ),
  encrypted: fc.boolean(),
})
const hosted = fc.record({
  piece: fc.constantFrom('web_search', 'file_search', 'code_interpreter', 'approval', 'lone approval', 'unknown kind'),
  id: fc.constantFrom('unique', undefined, '__fake_id__'),
})
interface Piece {
  piece: string
  kind?: (typeof KINDS)[number]
  callId?: string
  id?: unknown
  output?: string
  name?: string
  args?: unknown
  text?: string
}

export const conversations = fc
  .array(fc.oneof({ weight: 4, arbitrary: pair }, { weight: 3, arbitrary: text }, thought, hosted), { maxLength: 12 })
  .map((pieces) => {
    const made: Conversation = { items: [], texts: [], pairs: [], memory: new Map() }
    for (const [n, piece] of pieces.entries())
      addPiece(made, piece as Piece & { extras?: boolean; encrypted?: boolean }, n)
    return made
  })

function addPiece(made: Conversation, piece: Piece & { extras?: boolean; encrypted?: boolean }, n: number): void {
  const extras = piece.extras === true ? EXTRAS : {}
  const add = (...items: Item[]) => made.items.push(...items.map((item) => ({ ...item, ...extras })))
  if (piece.text !== undefined) addText(made, piece, n, add)
  else if (piece.encrypted !== undefined) addThought(made, { ...piece, encrypted: piece.encrypted }, n, add)
  else if (piece.kind !== undefined) addPair(made, piece, n, add)
  else add(...hostedItems(piece, n))
}

const idOf = (id: unknown, prefix: string, n: number): Item =>
  id === undefined ? {} : { id: id === 'unique' ? `${prefix}_${n}` : id === 'same' ? `${prefix}_same` : id }

function addText(made: Conversation, { piece, text, id }: Piece, n: number, add: (...items: Item[]) => void): void {
  const role = piece === 'assistant' ? 'assistant' : piece
  const type = role === 'assistant' ? 'output_text' : 'input_text'
  const words = `text${n}words`
  if (text === 'words' || text === 'parts') made.texts.push(words)
  const content = { words, parts: [{ type, text: words }], nothing: [] }[String(text)] ?? text
  add({ type: 'message', role, content, ...idOf(id, 'msg', n) })
}

function addThought(
  made: Conversation,
  { piece, encrypted }: { piece: string; encrypted: boolean },
  n: number,
  add: (...items: Item[]) => void,
): void {
  const sealed = encrypted ? { encrypted_content: 'sealed' } : {}
  const reasoning = (part: string) => ({ type: 'reasoning', id: `rs_${n}${part}`, summary: [], ...sealed })
  const isCall = piece.includes('call')
  add(reasoning(''))
  if (piece.startsWith('thoughts')) add(reasoning('b'))
  if (piece === 'lone thought') return
  const id = isCall ? `fc_t${n}` : `msg_t${n}`
  made.memory.set(id, `rs_${n}`)
  if (!isCall) {
    made.texts.push(`text${n}words`)
    add({ type: 'message', id, role: 'assistant', content: [{ type: 'output_text', text: `text${n}words` }] })
    return
  }
  add({ type: 'function_call', id, call_id: `call_t${n}`, name: 'look', arguments: `{"a":"args${n}words"}` })
  if (piece.includes('lost')) return
  add({ type: 'function_call_output', call_id: `call_t${n}`, output: `out${n}words` })
  made.pairs.push([`args${n}words`, `out${n}words`])
}

function addPair(made: Conversation, piece: Piece, n: number, add: (...items: Item[]) => void): void {
  const call_id = piece.callId === 'unique' ? `call_${n}` : piece.callId === 'same' ? 'call_same' : piece.callId
  const [call, output] = halves(piece, call_id, n)
  const shapes: { [piece: string]: Item[] } = {
    pair: [call, output],
    early: [output, call],
    twice: [call, output, output],
    apart: [call, { role: 'user', content: `text${n}words` }, output],
    call: [call],
    output: [output],
    'doubled call': [call, call, output],
  }
  add(...(shapes[piece.piece] as Item[]))
  if (piece.piece === 'apart') made.texts.push(`text${n}words`)
  // Which of several calls with one id a half belongs to, nobody can tell: only ids of their own promise that the pair stays.
  if (piece.callId === 'unique' && shapes[piece.piece]?.includes(call) && shapes[piece.piece]?.includes(output))
    made.pairs.push([piece.args === 'good' || piece.kind !== 'function' ? `args${n}words` : '', wordOf(piece, n)])
}

const wordOf = ({ kind, output }: Piece, n: number) =>
  output === 'nothing' && /function|custom_tool/.test(String(kind)) ? '' : `out${n}words`

/** A call of each kind and its output. */
function halves({ kind, id, output, name, args: given }: Piece, call_id: unknown, n: number): [Item, Item] {
  const [args, out] = [`args${n}words`, `out${n}words`]
  const prefix = {
    function: 'fc',
    custom_tool: 'ctc',
    computer: 'cu',
    local_shell: 'lsh',
    shell: 'sh',
    apply_patch: 'apc',
  }[kind as string] as string
  const own = { call_id, ...idOf(id, prefix, n) }
  const data: { [shape: string]: unknown } = {
    text: out,
    object: { out },
    parts: [{ type: 'input_text', text: out }],
    number: out,
    'foreign parts': [{ type: 'text', text: out }],
  }
  switch (kind) {
    case 'custom_tool':
      return [
        { type: 'custom_tool_call', ...own, name: 'free', input: args },
        { type: 'custom_tool_call_output', call_id, output: data[String(output)] },
      ]
    case 'computer':
      return [
        {
          type: 'computer_call',
          ...own,
          action: { type: 'type', text: args },
          pending_safety_checks: [],
          status: 'completed',
        },
        {
          type: 'computer_call_output',
          call_id,
          output: { type: 'computer_screenshot', image_url: `https://img.example/${out}.png` },
        },
      ]
    case 'local_shell':
      return [
        { type: 'local_shell_call', ...own, action: { type: 'exec', command: [args], env: {} }, status: 'completed' },
        { type: 'local_shell_call_output', id: call_id, output: out },
      ]
    case 'shell':
      return [
        { type: 'shell_call', ...own, action: { commands: [args] } },
        {
          type: 'shell_call_output',
          call_id,
          output: [{ stdout: out, stderr: '', outcome: { type: 'exit', exit_code: 0 } }],
        },
      ]
    case 'apply_patch':
      return [
        { type: 'apply_patch_call', ...own, operation: { type: 'delete_file', path: args }, status: 'completed' },
        { type: 'apply_patch_call_output', call_id, status: 'completed', output: out },
      ]
    default:
      return [
        {
          type: 'function_call',
          ...own,
          name,
          arguments: given === 'good' ? JSON.stringify({ a: args }) : given,
          status: 'completed',
        },
        { type: 'function_call_output', call_id, output: data[String(output)] },
      ]
  }
}

function hostedItems({ piece, id }: Piece, n: number): Item[] {
  const approval = { type: 'mcp_approval_request', id: `mcpr_${n}`, name: 'look', arguments: '{}', server_label: 's' }
  switch (piece) {
    case 'web_search':
      return [
        { type: 'web_search_call', ...idOf(id, 'ws', n), status: 'completed', action: { type: 'search', query: 'q' } },
      ]
    case 'file_search':
      return [{ type: 'file_search_call', ...idOf(id, 'fs', n), status: 'completed', queries: ['q'], results: [] }]
    case 'code_interpreter':
      return [
        {
          type: 'code_interpreter_call',
          ...idOf(id, 'ci', n),
          status: 'completed',
          code: '1',
          container_id: 'c',
          outputs: [],
        },
      ]
    case 'approval':
      return [approval, { type: 'mcp_approval_response', approval_request_id: `mcpr_${n}`, approve: true }]
    case 'lone approval':
      return [approval]
    default:
      return [{ type: 'of_next_year', id: `ony_${n}`, data: 'x' }]
  }
}
