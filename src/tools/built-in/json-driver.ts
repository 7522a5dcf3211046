/** The way between an interpreter tool and its driver: a line of JSON for each piece of code, and one for its result. */
import { isObject } from '../../wire/json.ts'
import { joinParts, section } from './interpreter-tool.ts'
import type { Interpreter, Outcome } from './session.ts'

/** @param limit the longest value or error that is answered, in characters */
export const jsonDriver = (limit: number): Pick<Interpreter, 'reads' | 'encode'> => ({
  reads: 3,
  encode: (code, mark) => `${JSON.stringify({ code, mark, limit })}\n`,
})

/** What was printed, then the value or the error. */
export function tellResult({ reply, out, err }: Outcome & { kind: 'answered' }): string {
  const { value, error } = readReply(reply)
  const text = joinParts([
    section('Output', out),
    section('Errors', err),
    typeof value === 'string' ? `Result: ${value}` : '',
    typeof error === 'string' ? `Error:\n${error}` : '',
  ])
  return text === '' ? 'Done, without any output.' : text
}

/** Code that finds the pipe can write anything into it. */
function readReply(reply: string): { [key: string]: unknown } {
  try {
    const read: unknown = JSON.parse(reply)
    return isObject(read) ? read : {}
  } catch {
    return { error: 'The answer of the interpreter could not be read.' }
  }
}
