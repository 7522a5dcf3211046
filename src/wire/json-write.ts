import { inTurns } from '../waits.ts'

/** Lists from here on are written in turns with other work. */
const LONG_LIST = 512

/** The text `JSON.stringify` gives; fields that are long lists are written in turns with other work. */
export async function writeJson(object: { [key: string]: unknown }): Promise<string> {
  if (!Object.values(object).some(isLong)) return JSON.stringify(object)
  const fields: string[] = []
  for (const [name, value] of Object.entries(object)) {
    const text = isLong(value) ? await writeList(value) : (JSON.stringify(value) as string | undefined)
    if (text !== undefined) fields.push(`${JSON.stringify(name)}:${text}`)
  }
  return `{${fields.join(',')}}`
}

const isLong = (value: unknown): value is readonly unknown[] => Array.isArray(value) && value.length >= LONG_LIST

async function writeList(list: readonly unknown[]): Promise<string> {
  const parts = await inTurns(list, (value) => JSON.stringify(value) ?? 'null')
  return `[${parts.join(',')}]`
}
