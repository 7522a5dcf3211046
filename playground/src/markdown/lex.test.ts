import { expect, test } from 'vitest'
import { createLexer, lexMarkdown } from './lex.ts'

const DOCUMENT = `# Title

A paragraph with **bold** and a [link](https://a.example)
===

- one

- two
  continued

    code in the list
- three
1. first
2. second

| a | b |
|---|---|
| 1 | 2 |

\`\`\`ts
const answer = 42

# not a title
\`\`\`

> quote
lazy line

$$
\\frac{1}{2}
$$

* * *

Costs $5 and $x$, then

    indented

<div>
html
</div>
The end: *open **mark
`

/** Without the links that the parser adds to its list. */
const plain = (blocks: ReturnType<typeof lexMarkdown>) => [...(blocks ?? [])]
const whole = (text: string) => plain(lexMarkdown(text))

test('a growing text gives the same blocks as the whole, at every length', () => {
  const lex = createLexer()
  for (let length = 0; length <= DOCUMENT.length; length++) {
    const text = DOCUMENT.slice(0, length)
    expect(plain(lex(text)), text).toEqual(whole(text))
  }
})

test('a definition of a link is found by texts far above it', () => {
  const text = `[far][1]\n\n${'word\n\n'.repeat(20)}`
  const lex = createLexer()
  lex(text)
  const all = `${text}[1]: https://a.example\n`
  expect(plain(lex(all))).toEqual(whole(all))
  expect(plain(lex(`${all}\nmore\n`))).toEqual(whole(`${all}\nmore\n`))
})

test('another text is parsed anew', () => {
  const lex = createLexer()
  lex('one\n\ntwo\n\nthree\n\nfour')
  expect(plain(lex('five\n\nsix'))).toEqual(whole('five\n\nsix'))
})
