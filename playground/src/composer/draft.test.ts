import { expect, test } from 'vitest'
import { type Draft, emptyDraft, isEmpty, toDraft, toInput } from './draft.ts'

const picture = { kind: 'image', name: 'Picture 2', dataUrl: 'data:image/png;base64,AAAA', bytes: 3 } as const
const paper = { kind: 'file', name: 'report.pdf', dataUrl: 'data:application/pdf;base64,AAAA', bytes: 3 } as const

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
        { type: 'input_image', image_url: picture.dataUrl, detail: 'auto' },
        { type: 'input_file', filename: 'report.pdf', file_data: paper.dataUrl },
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

test('blanks are nothing to send, a file alone is', () => {
  expect(isEmpty({ ...emptyDraft, text: ' \n' })).toBe(true)
  expect(isEmpty({ ...emptyDraft, attachments: [paper] })).toBe(false)
})
