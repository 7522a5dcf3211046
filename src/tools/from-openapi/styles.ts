/** Writes parameters in the styles of OpenAPI ("Style Values" of the specification, and RFC 6570). */
import { isObject, type JsonObject } from '../../wire/json.ts'

export interface Style {
  style: string
  explode: boolean
  /** Reserved characters of addresses stay as they are. */
  allowReserved: boolean
}

type Encode = (value: unknown) => string
/** A name and a value of a query, form or cookie, both encoded. */
export type Pair = readonly [name: string, value: string]

/** A value without structure as a text; structures within structures, for which no style exists, become JSON. */
export const toText = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '')

/** RFC 3986, 2.3: everything but unreserved characters. */
export const percentEncode: Encode = (value) =>
  encodeURIComponent(toText(value).toWellFormed()).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** Leaves RFC 3986's reserved characters, but those that would end a part of a query. */
const encodeReserved: Encode = (value) => encodeURI(toText(value).toWellFormed()).replace(/[#&+]/g, encodeURIComponent)

const encoderOf = ({ allowReserved }: Style): Encode => (allowReserved ? encodeReserved : percentEncode)

/** The fields of an object that have a value. */
const entriesOf = (value: JsonObject) => Object.entries(value).filter(([, item]) => item !== undefined)

/** A value in a path. @throws an Error for a value that would lead to another path */
export function toPath(name: string, value: unknown, style: Style): string {
  const encode = encoderOf({ ...style, allowReserved: false })
  const text = pathText(name, value, style, encode)
  // An empty segment or one of dots would be another operation's path.
  if (/^\.{0,2}$/.test(text))
    throw new Error(`parameters.${name} must not be ${JSON.stringify(text)}: it is a part of the path.`)
  return text
}

function pathText(name: string, value: unknown, { style, explode }: Style, encode: Encode): string {
  if (style === 'label') return `.${simple(value, { separator: explode ? '.' : ',', explode, encode })}`
  if (style !== 'matrix') return simple(value, { separator: ',', explode, encode })
  const key = encode(name)
  if (!explode || typeof value !== 'object' || value === null)
    return `;${key}=${simple(value, { separator: ',', explode: false, encode })}`
  return Array.isArray(value)
    ? value.map((item) => `;${key}=${encode(item)}`).join('')
    : entriesOf(value as JsonObject)
        .map(([field, item]) => `;${encode(field)}=${encode(item)}`)
        .join('')
}

interface Joining {
  separator: string
  explode: boolean
  encode: Encode
}

function simple(value: unknown, { separator, explode, encode }: Joining): string {
  if (Array.isArray(value)) return value.map(encode).join(separator)
  if (!isObject(value)) return encode(value)
  return entriesOf(value)
    .map(([field, item]) => `${encode(field)}${explode ? '=' : separator}${encode(item)}`)
    .join(separator)
}

/** A value in a header. */
export const toHeader = (value: unknown, { explode }: Style): string =>
  simple(value, { separator: ',', explode, encode: toText })

const SEPARATORS: { [style: string]: string } = { form: ',', spaceDelimited: '%20', pipeDelimited: '%7C', cookie: ',' }

/** A value in a query, form or cookie, as encoded pairs. A list without items is left out. */
export function toPairs(name: string, value: unknown, style: Style): Pair[] {
  const encode: Encode = style.style === 'cookie' ? toText : encoderOf(style)
  const key = percentEncode(name)
  if (style.style === 'deepObject') return deepPairs(key, value, encode)
  if (typeof value !== 'object' || value === null) return [[key, encode(value)]]
  const empty = Array.isArray(value) ? value.length === 0 : entriesOf(value as JsonObject).length === 0
  if (empty) return []
  if (!style.explode)
    return [[key, simple(value, { separator: SEPARATORS[style.style] ?? ',', explode: false, encode })]]
  return Array.isArray(value)
    ? value.map((item) => [key, encode(item)] as const)
    : entriesOf(value as JsonObject).map(([field, item]) => [percentEncode(field), encode(item)] as const)
}

/** `filter[status]=open`, and `filter[tags][0]=a`, for which APIs have the same form. */
function deepPairs(key: string, value: unknown, encode: Encode): Pair[] {
  if (typeof value !== 'object' || value === null) return [[key, encode(value)]]
  return Object.entries(value)
    .filter(([, item]) => item !== undefined)
    .flatMap(([field, item]) => deepPairs(`${key}[${percentEncode(field)}]`, item, encode))
}

export const joinPairs = (pairs: readonly Pair[], separator = '&'): string =>
  pairs.map(([name, value]) => `${name}=${value}`).join(separator)
