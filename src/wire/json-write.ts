import { inTurns, takeTurn } from '../base/async.ts'

/** Lists from here on are written in turns with other work. */
const LONG_LIST = 512
/** Characters. */
const LONG_TEXT = 1024 * 1024

/** The text `JSON.stringify` gives; fields that are long lists are written in turns with other work. */
export async function writeJson(object: { [key: string]: unknown }): Promise<string> {
  if (!Object.values(object).some(isLong)) return handOver(JSON.stringify(object))
  const fields: string[] = []
  for (const [name, value] of Object.entries(object)) {
    const text = isLong(value) ? await writeList(value) : (JSON.stringify(value) as string | undefined)
    if (text !== undefined) fields.push(`${JSON.stringify(name)}:${text}`)
  }
  return handOver(`{${fields.join(',')}}`)
}

/** Sending a long text takes a turn of its own. */
async function handOver(text: string): Promise<string> {
  if (text.length > LONG_TEXT) await takeTurn()
  return text
}

const isLong = (value: unknown): value is readonly unknown[] => Array.isArray(value) && value.length >= LONG_LIST

async function writeList(list: readonly unknown[]): Promise<string> {
  const parts = await inTurns(list, (value) => JSON.stringify(value) ?? 'null')
  return `[${parts.join(',')}]`
}
