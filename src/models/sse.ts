import { StringDecoder } from 'node:string_decoder'
import { createParser } from 'eventsource-parser'
import { errorText, modelFailed } from '../errors.ts'

/** The largest single event a provider may send, in characters. */
const MAX_EVENT_CHARS = 64 * 1024 * 1024

/**
 * Reads a provider's event stream: `onData` gets the data of each event, then the size of the network chunk they came in
 * is yielded. Whoever stops pulling stops the network read.
 * @throws MODEL_FAILED when the stream breaks or `onData` cannot read it; the signal's reason after an abort
 */
export async function* readSse(
  response: Response,
  signal: AbortSignal,
  onData: (data: string) => void,
): AsyncGenerator<number> {
  const parser = createParser({ onEvent: ({ data }) => onData(data), maxBufferSize: MAX_EVENT_CHARS })
  const decoder = new StringDecoder('utf8')
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Buffer>) {
      parser.feed(decoder.write(chunk))
      yield chunk.byteLength
    }
  } catch (error) {
    signal.throwIfAborted()
    throw modelFailed(`The model's stream broke: ${errorText(error)}`, error)
  }
  signal.throwIfAborted()
}
