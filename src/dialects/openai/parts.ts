/** Parts of messages in the form of the Responses API. */
import type { ContentPart } from '../../wire/message.ts'
import type { ChatPart } from '../../wire/openai-chat.ts'

/** A part of a user's message in Chat Completions. */
export function toInputPart(part: ChatPart): ContentPart {
  switch (part.type) {
    case 'text':
      return { type: 'input_text', text: part.text }
    case 'image_url':
      return toImage(part.image_url)
    case 'file':
      return toFile(part.file)
    case 'input_audio': {
      const { data, format } = part.input_audio
      return { type: 'input_audio', input_audio: { data, format } }
    }
    default:
      return part satisfies never
  }
}

function toImage(source: (ChatPart & { type: 'image_url' })['image_url']): ContentPart {
  const { url, detail } = typeof source === 'string' ? { url: source, detail: undefined } : source
  return { type: 'input_image', detail: detail ?? 'auto', image_url: url }
}

/** Bytes need a file name, and are a data URL. */
function toFile({ file_id, file_data, filename }: (ChatPart & { type: 'file' })['file']): ContentPart {
  if (file_id) return { type: 'input_file', file_id }
  const data = String(file_data)
  return {
    type: 'input_file',
    filename: filename ?? 'attachment.pdf',
    file_data: data.startsWith('data:') ? data : `data:application/pdf;base64,${data}`,
  }
}
