/** Images and files on disk as results of tools. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { tool, toolOutputFileFromPath, toolOutputImageFromPath } from '../src/index.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { agent, call } from './support/tool-agent.ts'

const write = (name: string, data = 'abc') => {
  const path = join(useFolder(), name)
  writeFileSync(path, data)
  return path
}

test('a tool returns an image and a file by their paths', async () => {
  const upstream = await useUpstream((_body, index) => (index === 0 ? call('show') : { text: 'ok' }))
  const [chart, report] = [write('chart.JPG'), pathToFileURL(write('report.pdf'))]
  const show = tool({
    name: 'show',
    execute: async () => [
      await toolOutputImageFromPath(chart, { detail: 'low' }),
      await toolOutputFileFromPath(report),
    ],
  })
  await agent({ tools: [show] }).getResponse('Show it')
  expect(upstream.seen[1]?.body.input).toContainEqual({
    type: 'function_call_output',
    call_id: expect.any(String),
    output: [
      { type: 'input_image', image_url: 'data:image/jpeg;base64,YWJj', detail: 'low' },
      { type: 'input_file', file_data: 'data:application/pdf;base64,YWJj', filename: 'report.pdf' },
    ],
  })
})

test('media type and name can be given', async () => {
  expect(await toolOutputFileFromPath(write('data.bin'), { mediaType: 'text/csv', filename: 'a.csv' })).toEqual({
    type: 'input_file',
    file_data: 'data:text/csv;base64,YWJj',
    filename: 'a.csv',
  })
  expect(await toolOutputImageFromPath(write('photo'), { mediaType: 'image/png' })).toMatchObject({
    image_url: 'data:image/png;base64,YWJj',
  })
  expect(await toolOutputFileFromPath(write('what.xyz'))).toMatchObject({
    file_data: 'data:application/octet-stream;base64,YWJj',
  })
})

test('a path without a file, and a file that is too large, are errors', async () => {
  const folder = useFolder()
  mkdirSync(join(folder, 'sub.png'))
  await expect(toolOutputImageFromPath(join(folder, 'none.png'))).rejects.toThrow(
    'The file "none.png" cannot be read (ENOENT).',
  )
  await expect(toolOutputImageFromPath(join(folder, 'sub.png'))).rejects.toThrow('"sub.png" is not a file.')
  await expect(toolOutputFileFromPath(write('big.txt'), { maxBytes: 2 })).rejects.toThrow(
    '"big.txt" has 3 bytes, which is more than 2.',
  )
  await expect(toolOutputImageFromPath(write('notes.txt'))).rejects.toThrow(/"notes.txt" has the extension of no image/)
})
