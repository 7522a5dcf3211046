/** The supported file types, by extension. */
import { extname } from 'node:path'

/** How a file reaches the model: as an input file, as an image, or through the code interpreter. */
export type FileKind = 'pdf' | 'image' | 'code'

const EXTENSIONS: { [kind in FileKind]: string } = {
  pdf: 'pdf',
  image: 'jpeg jpg gif png',
  code: 'c cs cpp csv html java json php py rb css js sh ts pkl tar xlsx xml zip doc docx md pptx tex txt',
}
const KINDS = new Map<string, FileKind>(
  (['pdf', 'image', 'code'] as const).flatMap((kind) => EXTENSIONS[kind].split(' ').map((name) => [name, kind])),
)

/** The extension of a name in lower case, without its dot; empty when it has none. */
export const readExtension = (name: string): string => extname(name).slice(1).toLowerCase()

/** The kind of files with this extension; undefined when it is not supported (docs/files.md lists all). */
export const findKind = (extension: string): FileKind | undefined => KINDS.get(extension)
