import type { InputItem } from 'agency-swarm-js/client'
import type { Input } from '../conversation/conversation.ts'
import { inputText } from '../conversation/conversation.ts'

/** A file or picture that goes along, as a data URL. */
export interface Attachment {
  kind: 'image' | 'file'
  name: string
  dataUrl: string
  bytes: number
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
  const parts = attachments.map(({ kind, name, dataUrl }) =>
    kind === 'image'
      ? { type: 'input_image', image_url: dataUrl, detail: 'auto' }
      : { type: 'input_file', filename: name, file_data: dataUrl },
  )
  const said = text.trim() === '' ? [] : [{ type: 'input_text', text }]
  return { message: [{ role: 'user', content: [...said, ...parts] }], fileUrls }
}

/** A message that was sent, to be changed and sent again. */
export const toDraft = (input: Input): Draft => ({
  text: inputText(input),
  attachments: attachmentsOf(input.message),
  fileUrls: input.fileUrls,
})

/** The files and pictures in a message that carry their own bytes. */
export function attachmentsOf(message: Input['message'] | InputItem[]): Attachment[] {
  if (typeof message === 'string') return []
  const parts = message.flatMap(({ content }) => (Array.isArray(content) ? (content as InputItem[]) : []))
  return parts.flatMap((part, index): Attachment[] => {
    const { image_url: image, file_data: file } = part
    if (part.type === 'input_image' && typeof image === 'string')
      return [{ kind: 'image', name: `Picture ${index + 1}`, dataUrl: image, bytes: bytesOf(image) }]
    if (part.type === 'input_file' && typeof file === 'string')
      return [{ kind: 'file', name: String(part.filename ?? 'File'), dataUrl: file, bytes: bytesOf(file) }]
    return []
  })
}

const bytesOf = (dataUrl: string) => Math.round((dataUrl.length - dataUrl.indexOf(',') - 1) * 0.75)

const PICTURES = /^image\/(png|jpeg|gif|webp)$/

/** A file of the user's as an attachment. @throws when it cannot be read */
export function attach(file: File): Promise<Attachment> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader()
    reader.onload = () => {
      const kind = PICTURES.test(file.type) ? 'image' : 'file'
      resolve({ kind, name: file.name || 'Picture', dataUrl: String(reader.result), bytes: file.size })
    }
    reader.onerror = () => reject(reader.error)
    reader.readAsDataURL(file)
  })
}
