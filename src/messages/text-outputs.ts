/** Tool outputs for APIs whose tool messages are text only. */
import { isObject } from '../wire/json.ts'
import type { ContentPart, InputItem } from '../wire/message.ts'

/**
 * Moves images and files out of tool outputs: a user message with them follows the outputs of their turn.
 */
export function withTextOutputs(items: readonly InputItem[]): InputItem[] {
  const out: InputItem[] = []
  let shown: ContentPart[] = []
  const show = () => {
    if (shown.length > 0) out.push({ role: 'user', content: shown })
    shown = []
  }
  for (const item of items) {
    if (item.type !== 'function_call_output') show()
    if (item.type !== 'function_call_output' || !Array.isArray(item.output)) out.push(item)
    else {
      const pictures = item.output.filter(isPicture)
      const texts = item.output.filter(isObject).flatMap(({ text }) => (typeof text === 'string' ? [text] : []))
      if (pictures.length > 0) texts.push('The next message of the user shows the result.')
      shown.push(...pictures)
      out.push({ ...item, output: texts.join('\n') })
    }
  }
  show()
  return out
}

const isPicture = (part: unknown) => isObject(part) && (part.type === 'input_image' || part.type === 'input_file')
