import type { ContentPart, InputItem } from 'agency-swarm-js/client'
import type { Input } from '../conversation/conversation.ts'
import { inputText } from '../conversation/conversation.ts'

/** A file or picture that goes along. */
export interface Attachment {
  name: string
  /** As it is sent. */
  part: ContentPart
  /** A picture that carries its own bytes, as a data URL. */
  picture?: string
  /** Undefined for what lies elsewhere. */
  bytes?: number
}

/** What is being written. */
export interface Draft {
  text: string
  attachments: readonly Attachment[]
  /** Name -> address, fetched by the server. */
  fileUrls: { readonly [name: string]: string }
}

export const emptyDraft: Draft = { text: '', attachments: [], fileUrls: {} }

export const isEmpty = ({ text, attachments, fileUrls }: Draft) =>
  text.trim() === '' && attachments.length === 0 && Object.keys(fileUrls).length === 0

/** A base64 text is a third longer than its file, and the server's default limit of a body is 32 MiB. */
export const MAX_ATTACHED_BYTES = 20 * 1024 * 1024

/** A draft as the message of a request: a text, or Responses input items when something is attached. */
export function toInput({ text, attachments, fileUrls }: Draft): Input {
  if (attachments.length === 0) return { message: text, fileUrls }
  const parts = attachments.map(({ part }) => part)
  const said = text.trim() === '' ? [] : [{ type: 'input_text', text }]
  return { message: [{ role: 'user', content: [...said, ...parts] }], fileUrls }
}

/** A message that was sent, to be changed and sent again. */
export const toDraft = (input: Input): Draft => ({
  text: inputText(input),
  attachments: attachmentsOf(input.message),
  fileUrls: input.fileUrls,
})

/** The files and pictures in a message. */
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

/** A file of the user's as an attachment. @throws when it cannot be read */
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
