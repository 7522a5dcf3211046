/** Writes request bodies: JSON, forms, texts and bytes. */
import { isObject, type JsonObject } from '../../wire/json.ts'
import { follow, type OpenApiDocument } from './document.ts'
import { isBytes } from './schemas.ts'
import { joinPairs, type Pair, type Style, toPairs, toText } from './styles.ts'

/** How a body is written. */
export interface BodyPlan {
  mediaType: string
  /** The schema as it stands in the document, with its own reference followed. */
  schema: JsonObject
  required: boolean
  /** Field of a form -> its rules. */
  encoding: JsonObject
  description: string
}

export interface WrittenBody {
  body: Buffer | string
  contentType: string
}

const isJson = (type: string) => /^application\/json\b|\+json\b|^\*\/\*$|^application\/\*$/i.test(type)
const isForm = (type: string) => /^application\/x-www-form-urlencoded\b/i.test(type)
const isMultipart = (type: string) => /^multipart\//i.test(type)
/** Of several media types the first of this order is used. */
const ORDER = [isJson, isForm, isMultipart, (type: string) => /^text\//i.test(type), () => true]

/** The body of an operation; undefined when it takes none. */
export function readBody(document: OpenApiDocument, given: unknown, place: string): BodyPlan | undefined {
  const body = follow(document, given, place)
  if (!isObject(body) || !isObject(body.content)) return undefined
  const types = Object.keys(body.content)
  const mediaType = ORDER.map((fits) => types.find(fits)).find((type) => type !== undefined)
  if (mediaType === undefined) return undefined
  const media = follow(document, body.content[mediaType], place)
  const { schema = {}, encoding = {} } = isObject(media) ? media : {}
  const target = follow(document, schema, place)
  return {
    mediaType: mediaType.includes('*') ? 'application/json' : mediaType,
    schema: isObject(target) ? target : {},
    required: body.required === true,
    encoding: isObject(encoding) ? encoding : {},
    description: typeof body.description === 'string' ? body.description : '',
  }
}

/** @throws an Error for a value that the media type cannot carry */
export async function writeBody(plan: BodyPlan, value: unknown): Promise<WrittenBody> {
  const { mediaType } = plan
  if (isJson(mediaType)) return { body: JSON.stringify(value), contentType: mediaType }
  if (isForm(mediaType)) return { body: joinPairs(formPairs(plan, fieldsOf(value))), contentType: mediaType }
  if (isMultipart(mediaType)) return writeMultipart(plan, fieldsOf(value))
  const { bytes, type } = toBytes(value)
  const open = mediaType === 'application/octet-stream'
  return { body: bytes, contentType: open && type !== undefined ? type : mediaType }
}

function fieldsOf(value: unknown): JsonObject {
  if (isObject(value)) return value
  throw new Error('requestBody must be an object with the fields of the form.')
}

/** OpenAPI 3.1, "Encoding Object": without rules of its own, a structure is JSON and a list repeats its field. */
function formPairs({ encoding }: BodyPlan, fields: JsonObject): Pair[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined) return []
    const style = styleOf(encoding[name])
    const plain = { style: 'form', explode: true, allowReserved: false }
    return toPairs(name, style === undefined && isObject(value) ? JSON.stringify(value) : value, style ?? plain)
  })
}

function styleOf(rules: unknown): Style | undefined {
  if (!isObject(rules) || !['style', 'explode', 'allowReserved'].some((word) => word in rules)) return undefined
  const style = typeof rules.style === 'string' ? rules.style : 'form'
  const explode = typeof rules.explode === 'boolean' ? rules.explode : style === 'form'
  return { style, explode, allowReserved: rules.allowReserved === true }
}

async function writeMultipart(plan: BodyPlan, fields: JsonObject): Promise<WrittenBody> {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue
    for (const item of Array.isArray(value) ? value : [value]) addPart(form, plan, name, item)
  }
  const response = new Response(form)
  const contentType = response.headers.get('content-type') ?? plan.mediaType
  return { body: Buffer.from(await response.arrayBuffer()), contentType }
}

function addPart(form: FormData, { schema, encoding }: BodyPlan, name: string, value: unknown): void {
  const field = fieldOf(schema, name)
  const rules = isObject(encoding[name]) ? encoding[name] : {}
  const chosen = typeof rules.contentType === 'string' ? rules.contentType.split(',', 1)[0]?.trim() : undefined
  const file = isBytes(field) || (typeof value === 'string' && /^data:[^,]{0,200},/.test(value))
  if (file) {
    const { bytes, type } = toBytes(value)
    form.append(name, new Blob([bytes], { type: type ?? chosen ?? 'application/octet-stream' }), name)
  } else if (isObject(value) || chosen !== undefined)
    form.append(name, new Blob([toText(value)], { type: chosen ?? 'application/json' }), name)
  else form.append(name, toText(value))
}

/** The schema of a field, or of the items of a list of files. */
function fieldOf({ properties }: JsonObject, name: string): JsonObject {
  const field = isObject(properties) && Object.hasOwn(properties, name) ? properties[name] : {}
  const items = isObject(field) && isObject(field.items) ? field.items : undefined
  return items ?? (isObject(field) ? field : {})
}

/** The bytes of a text, or those that a data: URL carries (RFC 2397). */
function toBytes(value: unknown): { bytes: Buffer<ArrayBuffer>; type?: string } {
  const text = toText(value)
  const head = /^data:([^,]{0,200}),/.exec(text)
  if (head === null) return { bytes: Buffer.from(text) }
  const [type = '', ...words] = (head[1] as string).split(';')
  const data = text.slice(head[0].length)
  const bytes = words.includes('base64') ? Buffer.from(data, 'base64') : Buffer.from(decodeURIComponent(data))
  return type === '' ? { bytes } : { bytes, type }
}
