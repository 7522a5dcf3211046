import { expect, test } from 'vitest'
import { assistant, call, type Item, output, sendWith, user } from './support/sent.ts'

const PNG = 'iVBORw0KGgoAAAANSUhEUg=='
const JPEG = '/9j/4AAQSkZJRgABAQ=='
const PDF = 'JVBERi0xLjcK'
const text = (value: string): Item => ({ type: 'input_text', text: value })
const image = (image_url: unknown, more: Item = {}): Item => ({ type: 'input_image', image_url, ...more })
const file = (file_data: unknown, more: Item = {}): Item => ({
  type: 'input_file',
  file_data,
  filename: 'a.pdf',
  ...more,
})
const NO_IMAGE = text('(The image cannot be shown.)')

/** A file as it stands in a history, and as it is sent. */
const FILES: [name: string, part: Item, sent: Item][] = [
  ['an empty image', image('data:image/png;base64,'), NO_IMAGE],
  ['an image without an address', image(''), NO_IMAGE],
  ['an image of nulls', image(null, { file_id: null }), NO_IMAGE],
  ['an image that is the name of a file', image('photo.png'), text('(The image photo.png cannot be shown.)')],
  ['an empty file', file('data:application/pdf;base64,'), text('(The file a.pdf cannot be shown.)')],
  ['a PNG that says JPEG', image(`data:image/jpeg;base64,${PNG}`), image(`data:image/png;base64,${PNG}`)],
  ['a JPEG of no type', image(`data:;base64,${JPEG}`), image(`data:image/jpeg;base64,${JPEG}`)],
  ['an image as Base64 alone', image(PNG), image(`data:image/png;base64,${PNG}`)],
  ['a PDF as Base64 alone', file(PDF), file(`data:application/pdf;base64,${PDF}`)],
  [
    'an image of MCP with the wrong type',
    { type: 'image', data: PNG, mimeType: 'image/jpeg' },
    image(`data:image/png;base64,${PNG}`),
  ],
  ['a sound image', image(`data:image/png;base64,${PNG}`), image(`data:image/png;base64,${PNG}`)],
  ['an image by id', image(null, { file_id: 'file-1' }), { type: 'input_image', file_id: 'file-1' }],
  ['an image at another address', image('gs://bucket/a.png'), image('gs://bucket/a.png')],
]

test.each(FILES)('%s is sent so that providers accept it', async (_name, part, sent) => {
  const { input } = await sendWith('gpt-5.4', [user([text('Q'), part]), call('c1'), output('c1', [part])])
  expect(input[0].content).toEqual([text('Q'), sent])
  expect(input[2].output).toEqual([sent])
})

test.each(['groq/llama', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash'])(
  '%s reads of an empty image',
  async (model) => {
    const empty = image('data:image/png;base64,')
    const body = await sendWith(model, [user([text('Q'), empty]), call('c1'), output('c1', [empty])])
    expect(JSON.stringify(body).match(/The image cannot be shown/g)).toHaveLength(2)
  },
)

test.each(['gpt-5.4', 'groq/llama', 'anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash'])(
  '%s reads of a file in a message of the assistant',
  async (model) => {
    const parts = [
      { type: 'output_text', text: 'A-1' },
      image('https://a.example/a.png'),
      image(`data:image/png;base64,${PNG}`),
    ]
    const body = await sendWith(model, [user('Q'), assistant(parts)])
    expect(JSON.stringify(body)).toMatch(
      /A-1.*The image https:\/\/a.example\/a.png cannot be shown.*The image cannot be shown/,
    )
  },
)
