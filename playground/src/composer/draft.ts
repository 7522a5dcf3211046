/** The draft of a message, and the request it becomes. */
import type { ContentPart, InputItem } from 'agency-swarm-js/client'
import type { Input } from '../conversation/conversation.ts'
import { inputText } from '../conversation/conversation.ts'

/** A file or image attached to the message. */
export interface Attachment {
  name: string
  /** The content part that is sent. */
  part: ContentPart
  /** An image with its bytes, as a data URL. */
  picture?: string
  /** Size in bytes; undefined for a file that is only linked. */
  bytes?: number
}

/** The message being written. */
export interface Draft {
  text: string
  attachments: readonly Attachment[]
  /** Name -> address; the server fetches these files. */
  fileUrls: { readonly [name: string]: string }
}

export const emptyDraft: Draft = { text: '', attachments: [], fileUrls: {} }

export const isEmpty = ({ text, attachments, fileUrls }: Draft) =>
  text.trim() === '' && attachments.length === 0 && Object.keys(fileUrls).length === 0

/** Most bytes of all attachments together: base64 is a third longer than the files, and the server's default body limit is 32 MiB. */
export const MAX_ATTACHED_BYTES = 20 * 1024 * 1024

/** Converts a draft to the `message` of a request: a text, or Responses input items when something is attached. */
export function toInput({ text, attachments, fileUrls }: Draft): Input {
  if (attachments.length === 0) return { message: text, fileUrls }
  const parts = attachments.map(({ part }) => part)
  const said = text.trim() === '' ? [] : [{ type: 'input_text', text }]
  return { message: [{ role: 'user', content: [...said, ...parts] }], fileUrls }
}

/** Converts a sent message back to a draft, for editing. */
export const toDraft = (input: Input): Draft => ({
  text: inputText(input),
  attachments: attachmentsOf(input.message),
  fileUrls: input.fileUrls,
})

/** The files and images in a message. */
export function attachmentsOf(message: Input['message'] | InputItem[]): Attachment[] {
  if (typeof message === 'string') return []
  const parts = message.flatMap(({ content }) => (Array.isArray(content) ? content : []))
  return parts.flatMap((part, index): Attachment[] => {
    if (part.type === 'input_image') return [toPicture(`Picture ${index + 1}`, part)]
    if (part.type === 'input_file') return [toFile(part)]
    return []
  })
}

function toPicture(name: string, part: ContentPart): Attachment {
  const { image_url: url } = part
  if (typeof url !== 'string' || !url.startsWith('data:image/')) return { name, part }
  return { name, part, picture: url, bytes: bytesOf(url) }
}

function toFile(part: ContentPart): Attachment {
  const { filename, file_id: id, file_url: url, file_data: data } = part
  const name = String(filename ?? id ?? url ?? 'File')
  return typeof data === 'string' ? { name, part, bytes: bytesOf(data) } : { name, part }
}

function bytesOf(dataUrl: string): number {
  const base64 = dataUrl.slice(dataUrl.indexOf(',') + 1).replace(/=+$/, '')
  return Math.floor((base64.length * 3) / 4)
}

const PICTURES = /^image\/(png|jpeg|gif|webp)$/

/** Reads a file into an attachment. @throws when the file cannot be read */
export function attach(file: File): Promise<Attachment> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => {
      const url = String(reader.result)
      const name = file.name || 'Picture'
      resolve(
        PICTURES.test(file.type)
          ? toPicture(name, { type: 'input_image', image_url: url, detail: 'auto' })
          : toFile({ type: 'input_file', filename: name, file_data: url }),
      )
    }
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(file)
  })
}
