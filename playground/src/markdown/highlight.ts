/** Syntax highlighting. */
import { common, createLowlight } from 'lowlight'

const lowlight = createLowlight(common)

/** A piece of code in one colour; `className` is empty for plain code. */
export interface Stretch {
  text: string
  className: string
}

type Node = ReturnType<typeof lowlight.highlight>['children'][number]

/** Splits code into coloured pieces, in order and without gaps; undefined for an unknown language. */
export function highlight(language: string, code: string): readonly Stretch[] | undefined {
  if (!lowlight.registered(language)) return undefined
  const stretches: Stretch[] = []
  const add = (nodes: readonly Node[], className: string) => {
    for (const node of nodes) {
      if (node.type === 'text') stretches.push({ text: node.value, className })
      else if (node.type === 'element') add(node.children as Node[], kindOf(node.properties.className) || className)
    }
  }
  add(lowlight.highlight(language, code).children, '')
  return stretches
}

/** `['hljs-title', 'function_']` -> `hljs-title` */
const kindOf = (names: unknown): string => (Array.isArray(names) ? String(names[0]) : '')
