import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type FunctionTool, loadFileAttachment, presentFiles } from '../src/index.ts'
import { toAnswer } from '../src/tools/output.ts'
import { useFolder } from './support/folder.ts'

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=',
  'base64',
)
const context = () => ({ signal: new AbortController().signal }) as never
// biome-ignore lint/suspicious/noExplicitAny: results of tools
const load = async (tool: FunctionTool, path: string): Promise<any> =>
  toAnswer(await tool.run({ path }, context())).output
// biome-ignore lint/suspicious/noExplicitAny: results of tools
const present = (tool: FunctionTool, files: string[], overwrite?: boolean): Promise<any> =>
  tool.run({ files, overwrite }, context())

function folderWithFiles() {
  const root = useFolder()
  const folder = join(root, 'uploads')
  mkdirSync(folder)
  writeFileSync(join(folder, 'chart.png'), PNG)
  writeFileSync(join(folder, 'report.pdf'), '%PDF-1.4')
  writeFileSync(join(folder, 'data.csv'), '1,2')
  writeFileSync(join(root, 'secret.png'), PNG)
  symlinkSync(join(root, 'secret.png'), join(folder, 'link.png'))
  return { root, folder, tool: loadFileAttachment({ allowedLocalFileDirs: [folder] }) }
}

test('an image and a PDF are loaded from an allowed folder', async () => {
  const { folder, tool } = folderWithFiles()
  const image = [{ type: 'input_image', image_url: `data:image/png;base64,${PNG.toString('base64')}`, detail: 'auto' }]
  expect(await load(tool, join(folder, 'chart.png'))).toEqual(image)
  expect(await load(tool, 'chart.png')).toEqual(image)
  expect(await load(tool, 'report.pdf')).toEqual([
    {
      type: 'input_file',
      filename: 'report.pdf',
      file_data: `data:application/pdf;base64,${Buffer.from('%PDF-1.4').toString('base64')}`,
    },
  ])
})

test('nothing outside the allowed folders is loaded, not even by a link', async () => {
  const { root, tool } = folderWithFiles()
  for (const path of [join(root, 'secret.png'), '../secret.png', 'link.png', '/etc/passwd'])
    expect(await load(tool, path)).toMatch(/^Error: .*Local file not in allowed directories/)
  expect(await load(loadFileAttachment(), join(root, 'secret.png'))).toMatch(/Local file access is disabled/)
})

test('a missing file is answered with the names beside it', async () => {
  const { tool } = folderWithFiles()
  expect(await load(tool, 'chrt.png')).toMatch(
    /Local file not found.*\n\nFiles in the folder:\n- chart.png\n- data.csv/s,
  )
  expect(await load(tool, '/nowhere/x.png')).not.toContain('Files in the folder')
})

test('a file that no model can see is refused', async () => {
  const { tool } = folderWithFiles()
  expect(await load(tool, 'data.csv')).toMatch(/data\.csv is neither an image nor a PDF/)
})

test('addresses are loaded when they are public or trusted', async () => {
  const server = http.createServer((_, response) => response.end(PNG)).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((ready) => server.once('listening', ready))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  expect(await load(loadFileAttachment(), `${origin}/a.png`)).toMatch(/does not fetch files from 127\.0\.0\.1/)
  const trusting = loadFileAttachment({ trustedFileOrigins: [origin] })
  expect(await load(trusting, `${origin}/a.png`)).toMatchObject([{ type: 'input_image' }])
  expect(await load(loadFileAttachment({ allowAddresses: false }), `${origin}/a.png`)).toMatch(
    /no files from addresses/,
  )
})

function desk(more: object = {}) {
  const root = useFolder()
  const work = join(root, 'work')
  const folder = join(root, 'mnt')
  mkdirSync(work)
  const tool = presentFiles({ folder, allowedLocalFileDirs: [work], ...more })
  return { root, work, folder, tool, place: (name: string) => join(folder, 'abs', work, name) }
}

test('files are moved to the folder and described', async () => {
  const { work, tool, place } = desk()
  writeFileSync(join(work, 'a.md'), 'text')
  expect(await present(tool, [join(work, 'a.md'), join(work, 'b.md'), work])).toEqual({
    files: [{ name: 'a.md', mime_type: 'text/markdown', path: place('a.md'), size_bytes: 4 }],
    errors: [`File not found: ${join(work, 'b.md')}`, `Path is a directory, not a file: ${work}`],
  })
  expect(existsSync(join(work, 'a.md'))).toBe(false)
  expect(readFileSync(place('a.md'), 'utf8')).toBe('text')
  expect(await present(tool, [place('a.md')])).toMatchObject({ files: [{ path: place('a.md') }], errors: [] })
})

test('a presented file is replaced unless the call says no', async () => {
  const { work, tool, place } = desk()
  const file = join(work, 'a.md')
  for (const [text, overwrite] of [['one'], ['two'], ['three', false]] as const) {
    writeFileSync(file, text)
    await present(tool, [file], overwrite)
  }
  expect(readFileSync(place('a.md'), 'utf8')).toBe('two')
  expect((await present(tool, [file], false)).errors).toEqual([
    `Destination already exists and overwrite is disabled: ${place('a.md')}`,
  ])
})

test('files outside the allowed folders are not moved, not even by a link', async () => {
  const { root, work, tool } = desk()
  writeFileSync(join(root, 'secret.md'), 'secret')
  symlinkSync(join(root, 'secret.md'), join(work, 'link.md'))
  const { files, errors } = await present(tool, [join(root, 'secret.md'), join(work, 'link.md')])
  expect(files).toEqual([])
  expect(errors).toEqual([expect.stringContaining('outside'), expect.stringContaining('outside')])
  expect(existsSync(join(root, 'secret.md'))).toBe(true)
})

test('a file that is too large is moved and reported', async () => {
  const { work, tool } = desk({ maxBytes: 3 })
  writeFileSync(join(work, 'a.md'), 'text')
  expect(await present(tool, [join(work, 'a.md')])).toMatchObject({
    files: [],
    errors: [expect.stringMatching(/^File size exceeds limit \(4 bytes > 3 bytes\)/)],
  })
})
