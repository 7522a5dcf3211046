import { expect, test } from 'vitest'
import { type Attachment, attachmentsOf, type Draft, emptyDraft, isEmpty, toDraft, toInput } from './draft.ts'

const PNG = 'data:image/png;base64,AAAA'
const PDF = 'data:application/pdf;base64,AAAA'
const picture: Attachment = {
  name: 'Picture 2',
  part: { type: 'input_image', image_url: PNG, detail: 'auto' },
  picture: PNG,
  bytes: 3,
}
const paper: Attachment = {
  name: 'report.pdf',
  part: { type: 'input_file', filename: 'report.pdf', file_data: PDF },
  bytes: 3,
}

test('a text alone is sent as a text', () => {
  expect(toInput({ ...emptyDraft, text: 'Hello' })).toEqual({ message: 'Hello', fileUrls: {} })
})

test('files and pictures are sent as input parts of one message', () => {
  const { message } = toInput({ text: 'Look', attachments: [picture, paper], fileUrls: {} })
  expect(message).toEqual([
    {
      role: 'user',
      content: [
        { type: 'input_text', text: 'Look' },
        { type: 'input_image', image_url: PNG, detail: 'auto' },
        { type: 'input_file', filename: 'report.pdf', file_data: PDF },
      ],
    },
  ])
})

test('what was sent becomes the same draft again', () => {
  const draft: Draft = {
    text: 'Look',
    attachments: [picture, paper],
    fileUrls: { 'a.pdf': 'https://example.com/a.pdf' },
  }
  expect(toDraft(toInput(draft))).toEqual(draft)
  expect(toDraft(toInput({ ...draft, text: '' }))).toEqual({
    ...draft,
    text: '',
    attachments: [{ ...picture, name: 'Picture 1' }, paper],
  })
})

test('what lies elsewhere has a name alone and is sent again as it came', () => {
  const message = [
    {
      role: 'user',
      content: [
        { type: 'input_image', image_url: 'https://example.com/a.png', detail: 'high' },
        { type: 'input_image', file_id: 'file-1', detail: 'auto' },
        { type: 'input_file', file_id: 'file-2' },
        { type: 'input_file', file_url: 'https://example.com/b.pdf' },
      ],
    },
  ]
  const named = attachmentsOf(message).map(({ part: _, ...rest }) => rest)
  expect(named).toEqual([
    { name: 'Picture 1' },
    { name: 'Picture 2' },
    { name: 'file-2' },
    { name: 'https://example.com/b.pdf' },
  ])
  expect(toInput(toDraft({ message, fileUrls: {} })).message).toEqual(message)
})

test.each(['', 'a', 'ab', 'abc', 'abcd'])('the size of a file that was sent is that of its bytes: %j', (text) => {
  const file_data = `data:text/plain;base64,${btoa(text)}`
  const [sent] = attachmentsOf([{ role: 'user', content: [{ type: 'input_file', file_data }] }])
  expect(sent?.bytes).toBe(text.length)
})

test('blanks are nothing to send, a file alone is', () => {
  expect(isEmpty({ ...emptyDraft, text: ' \n' })).toBe(true)
  expect(isEmpty({ ...emptyDraft, attachments: [paper] })).toBe(false)
})
