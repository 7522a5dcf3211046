/** Chooses the answers of the demo model. */
import { CODE_NOTE } from '../../files/attach.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'

export interface DemoCall {
  name: string
  arguments: JsonObject
}

/** The beginning of every text answer. */
const MARK = '[demo model]'
/** The part of a message that it reads, in characters: more would take too long. */
const MAX_READ_CHARS = 4_000
const STOP_WORDS = new Set(
  'a an the is are of to in on for and or what how do does me my i you your it this that with please can could would tell give'.split(
    ' ',
  ),
)

/**
 * The demo model's answer to a Responses request: a text or calls. It is deterministic: chosen by the words of
 * the user's last message and the schemas of the tools. At most one round of calls per message, so it always ends. The last
 * system message, such as that of an output guardrail, is repeated in the next answer.
 * @param describeFile describes a stored file
 */
export function chooseAnswer(
  request: JsonObject,
  describeFile: (id: string) => string | undefined,
): string | DemoCall[] {
  const input = Array.isArray(request.input) ? request.input.filter(isObject) : []
  const format = isObject(request.text) && isObject(request.text.format) ? request.text.format : undefined
  const lastUser = input.findLastIndex((item) => item.role === 'user')
  const message = textOf(input[lastUser]).slice(0, MAX_READ_CHARS)
  const after = input.slice(lastUser + 1)
  const outputs = after.filter((item) => item.type === 'function_call_output')
  const handedOver = outputs.findLast((item) => /^\{"assistant":/.test(String(item.output)))
  const guidance = after.at(-1)?.role === 'system' ? textOf(after.at(-1)).slice(0, MAX_READ_CHARS) : ''
  if (outputs.length === 0) {
    const calls = chooseCalls(message, tools(request))
    if (calls.length > 0) return calls
  }
  if (format !== undefined && 'chat_name' in propertiesOf({ parameters: format.schema }))
    return JSON.stringify({ chat_name: nameFor(message) })
  if (format?.type === 'json_schema') return JSON.stringify(instanceOf(format.schema, message))
  if (handedOver !== undefined) {
    const calls = chooseCalls(
      message,
      tools(request).filter((tool) => !isTransfer(tool) && !isDelegation(tool)),
    )
    const called = new Set(after.filter((item) => item.type === 'function_call').map((item) => item.name))
    if (calls.length > 0 && calls.every((call) => !called.has(call.name))) return calls
  }
  const answers = outputs.filter((item) => item !== handedOver)
  const opened = guidance === '' ? MARK : `${MARK} I was told "${guidance}" and try again.`
  if (answers.length > 0) return `${opened} ${answers.map((item) => toolSentence(item, after)).join(' ')}`
  const opening = [
    fileSentence(request, input[lastUser], describeFile),
    roleSentence(String(request.instructions ?? '')),
  ]
    .filter((sentence) => sentence !== '')
    .join(' ')
  const wrote = `You wrote: "${message}".`
  if (handedOver !== undefined) return joined(opened, 'I have taken over.', opening, wrote)
  if (/\b(long|story|essay|detailed)\b/i.test(message)) return joined(opened, story(message))
  return joined(opened, wrote, opening)
}

const tools = (request: JsonObject): JsonObject[] =>
  (Array.isArray(request.tools) ? request.tools : []).filter((tool) => isObject(tool) && tool.type === 'function')

function textOf(item: JsonObject | undefined): string {
  if (typeof item?.content === 'string') return item.content
  if (!Array.isArray(item?.content)) return ''
  const texts = item.content.flatMap((part) => (isObject(part) && typeof part.text === 'string' ? [part.text] : []))
  return texts.filter((text) => !text.startsWith(CODE_NOTE)).join(' ')
}

/** The attachments of the user's message; the demo cannot read them and says so. */
function fileSentence(
  { tools }: JsonObject,
  item: JsonObject | undefined,
  describe: (id: string) => string | undefined,
): string {
  const parts = Array.isArray(item?.content) ? item.content : []
  const containers = (Array.isArray(tools) ? tools : []).flatMap((tool) =>
    isObject(tool) && isObject(tool.container) && Array.isArray(tool.container.file_ids) ? tool.container.file_ids : [],
  )
  const nameOf = (id: string) => describe(id) ?? `${id} (unknown to me)`
  const files = [
    ...parts.flatMap((part) => (isObject(part) ? attached(part, nameOf) : [])),
    ...containers.filter((id) => typeof id === 'string').map(nameOf),
  ]
  return files.length === 0 ? '' : `With it came ${files.join(', ')}; I cannot read files.`
}

/** The attachment in a part of a message: a stored file, a file with its bytes, or an image. */
function attached({ type, file_id, filename }: JsonObject, nameOf: (id: string) => string): string[] {
  if (typeof file_id === 'string') return [nameOf(file_id)]
  if (type === 'input_image') return ['a picture']
  if (type === 'input_file') return [typeof filename === 'string' ? filename : 'a file']
  return []
}

const words = (text: string): string[] =>
  (text.toLowerCase().match(/[\p{L}\d]+/gu) ?? [])
    .filter((word) => !STOP_WORDS.has(word))
    .map((word) => word.replace(/(ing|es|s)$/, ''))

/** The number of the message's words that a text has too. */
function overlap(message: string, text: string): number {
  const known = new Set(words(text))
  return new Set(words(message).filter((word) => known.has(word))).size
}

const propertiesOf = (tool: JsonObject): { [name: string]: JsonObject } => {
  const parameters = isObject(tool.parameters) ? tool.parameters : {}
  return (isObject(parameters.properties) ? parameters.properties : {}) as { [name: string]: JsonObject }
}
const isTransfer = (tool: JsonObject) => String(tool.name).startsWith('transfer_to_')
const isDelegation = (tool: JsonObject) => Array.isArray(propertiesOf(tool).recipient_agent?.enum)

function chooseCalls(message: string, available: JsonObject[]): DemoCall[] {
  const transfer = available.filter(isTransfer).find((tool) => wantsTransfer(message, tool))
  if (transfer !== undefined)
    return [
      { name: String(transfer.name), arguments: { recipient_agent: propertiesOf(transfer).recipient_agent?.const } },
    ]
  for (const tool of available.filter(isDelegation)) {
    const names = propertiesOf(tool).recipient_agent?.enum as string[]
    const named = names.filter((name) => new RegExp(`\\b${name.replace(/[^\w ]/g, '.')}\\b`, 'i').test(message))
    const line = (name: string) =>
      String(tool.description).match(new RegExp(`- ${name.replace(/[^\w ]/g, '.')}: .*`))?.[0] ?? name
    const recipients = named.length > 0 ? named : names.filter((name) => overlap(message, line(name)) >= 2).slice(0, 1)
    if (recipients.length > 0)
      return recipients.map((recipient_agent) => ({
        name: String(tool.name),
        arguments: { ...instanceOf(tool.parameters, message), recipient_agent, message, additional_instructions: '' },
      }))
  }
  const numbers = message.match(/\d+/g)?.length ?? 0
  const scored = available
    .filter((tool) => !isTransfer(tool) && !isDelegation(tool))
    .map((tool) => ({ tool, score: scoreOf(tool, message, numbers) }))
    .filter(({ score }) => score >= 2)
    .sort((a, b) => b.score - a.score)
  return scored
    .slice(0, 2)
    .map(({ tool }) => ({ name: String(tool.name), arguments: instanceOf(tool.parameters, message) }))
}

/** Words of the name count twice; numbers in the message favour a tool with as many number parameters. */
function scoreOf(tool: JsonObject, message: string, numbers: number): number {
  const shared =
    2 * overlap(message, String(tool.name).replaceAll('_', ' ')) + overlap(message, String(tool.description))
  const wanted = Object.values(propertiesOf(tool)).filter((property) =>
    /^(integer|number)$/.test(String(property.type)),
  ).length
  return shared > 0 && wanted > 0 && wanted <= numbers ? shared + 1 : shared
}

function wantsTransfer(message: string, tool: JsonObject): boolean {
  const target = String(propertiesOf(tool).recipient_agent?.const ?? tool.name)
  const named = overlap(message, target) > 0
  return named && /\b(transfer|hand|talk|speak|connect|switch)\b/i.test(message)
    ? true
    : overlap(message, `${target} ${tool.description}`) >= 2
}

/** A value that matches the schema, filled with words and numbers of the text. */
function instanceOf(schema: unknown, text: string): JsonObject {
  const numbers = [...text.matchAll(/-?\d+(\.\d+)?/g)].map((match) => Number(match[0]))
  const quoted = [...text.matchAll(/["“']([^"“”']+)["”']/g)].map((match) => match[1] as string)
  const capitalised = [...text.matchAll(/(?<=(\p{L}+)\s)\p{Lu}[\p{L}-]+(\s\p{Lu}[\p{L}-]+)*/gu)]
  const placed = capitalised.filter((match) => /^(in|for|at|from|to)$/i.test(match[1] as string))
  const names = [...placed, ...capitalised.filter((match) => !placed.includes(match))].map((match) => match[0])
  const fill = (part: unknown, key: string): unknown => {
    if (!isObject(part)) return text
    if ('const' in part) return part.const
    if (Array.isArray(part.enum))
      return part.enum.find((value) => text.toLowerCase().includes(String(value).toLowerCase())) ?? part.enum[0]
    const options = part.anyOf ?? part.oneOf
    if (Array.isArray(options)) return fill(options[0], key)
    if ('default' in part && numbers.length === 0) return part.default
    switch (Array.isArray(part.type) ? part.type[0] : part.type) {
      case 'object':
        return Object.fromEntries(
          Object.entries(isObject(part.properties) ? part.properties : {}).map(([name, value]) => [
            name,
            fill(value, name),
          ]),
        )
      case 'array':
        return [fill(part.items, key)]
      case 'integer':
        return Math.round(numbers.shift() ?? Number(part.default ?? part.minimum ?? 1))
      case 'number':
        return numbers.shift() ?? Number(part.default ?? part.minimum ?? 1)
      case 'boolean':
        return !/\b(no|not|without)\b/i.test(text)
      default:
        return /text|note|message|query|question|topic|expression|content|title/i.test(key)
          ? (quoted.shift() ?? text)
          : (quoted.shift() ?? names.shift() ?? text)
    }
  }
  const value = fill(schema, '')
  return isObject(value) ? value : {}
}

function toolSentence(output: JsonObject, items: JsonObject[]): string {
  const call = items.find((item) => item.type === 'function_call' && item.call_id === output.call_id)
  const args = typeof call?.arguments === 'string' ? call.arguments : '{}'
  const recipient = /"recipient_agent":"([^"]+)"/.exec(args)?.[1]
  const said = String(output.output).slice(0, MAX_READ_CHARS).replaceAll(`${MARK} `, '').trim()
  return recipient === undefined
    ? `The tool ${call?.name} answered: ${said}.`.replace(/([.!?])\.$/, '$1')
    : `${recipient} answered: ${said}`
}

/** A name for a conversation that is given as the JSON of its items: the significant words of its first text. */
function nameFor(items: string): string {
  const first = /"(?:content|text)":"((?:[^"\\]|\\.)*)/.exec(items)?.[1] ?? ''
  const said = (first.replace(/\\./g, ' ').match(/[\p{L}\d]+/gu) ?? []).filter(
    (word) => !STOP_WORDS.has(word.toLowerCase()),
  )
  const title = said.slice(0, 5).map((word) => word.slice(0, 1).toUpperCase() + word.slice(1, 20))
  return ['Demo', ...(title.length > 0 ? title : ['Chat'])].join(' ')
}

/** The first sentence of the instructions in the first person: "You are the Guide." becomes "I am the Guide." */
function roleSentence(instructions: string): string {
  const first =
    instructions
      .slice(0, MAX_READ_CHARS)
      .trim()
      .match(/^[^.!?\n]*[.!?]?/)?.[0] ?? ''
  if (first === '') return ''
  return /^you are\b/i.test(first) ? `I am${first.slice('you are'.length)}` : `My instructions begin: "${first}"`
}

const joined = (...sentences: string[]) =>
  sentences
    .filter((sentence) => sentence !== '')
    .join(' ')
    .replace(/ +/g, ' ')

const story = (message: string) =>
  Array.from(
    { length: 8 },
    (_, index) =>
      `Part ${index + 1}: this long answer to "${message.slice(0, 40)}" goes on for a while, so that you can try the stop button.`,
  ).join(' ')
