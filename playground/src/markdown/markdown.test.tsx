import fc from 'fast-check'
import { renderToStaticMarkup } from 'react-dom/server'
import { expect, test } from 'vitest'
import { Markdown } from './markdown.tsx'

const html = (text: string) => renderToStaticMarkup(<Markdown text={text} />)

test('the usual forms of an answer are drawn', () => {
  const drawn = html(
    '# Title\n\nA **bold** and *slanted* `x < y` &amp; ~~old~~ [link](https://example.com)\n\n1. one\n2. two\n\n- [x] done\n\n> said\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n```ts\nconst a = "<b>"\n```\n\n---',
  )
  for (const part of [
    '<h3>Title</h3>',
    '<strong>bold</strong>',
    '<em>slanted</em>',
    '<code>x &lt; y</code> &amp; <del>old</del>',
    'href="https://example.com" target="_blank" rel="noopener noreferrer"',
    '<ol start="1"><li>one</li><li>two</li></ol>',
    '<input type="checkbox" readOnly="" disabled="" aria-label="Task" checked=""/>',
    '<blockquote><p>said</p></blockquote>',
    '<td align="right">2</td>',
    'const a = &quot;&lt;b&gt;&quot;',
    '<hr/>',
  ])
    expect(drawn).toContain(part)
})

test('HTML is shown as it is written, and dangerous addresses are no links', () => {
  const drawn = html(
    '<script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n[a](javascript:alert(1)) [b](data:text/html,x) [c](JaVaScRiPt:x) ![d](https://elsewhere.example/p.png)',
  )
  expect(drawn).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  expect(drawn).toContain('&lt;img src=x onerror=alert(1)&gt;')
  expect(drawn).not.toMatch(/<(script|img|iframe)/i)
  expect([...drawn.matchAll(/href="([^"]*)"/g)].map((match) => match[1])).toEqual(['https://elsewhere.example/p.png'])
})

test('whatever is written, only known elements and safe addresses come out', () => {
  const known = new Set(
    'div p h3 h4 h5 h6 strong em del code a span br hr blockquote ul ol li input table thead tbody tr th td figure figcaption pre button svg path rect img'.split(
      ' ',
    ),
  )
  const pieces = fc.constantFrom(
    '<',
    '>',
    '"',
    "'",
    '`',
    '```',
    '](',
    '![',
    '[',
    'javascript:',
    'data:',
    ' on',
    '=',
    '&',
    '#',
    '\n',
    '\n\n',
    '- ',
    '| ',
    '<a href=',
    '<svg/onload=',
    '*',
    '_',
    'x',
    'https://a.b',
    ':',
    '/',
    '\\',
    '\u0000',
  )
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
      const drawn = html(parts.join(''))
      for (const [, name = ''] of drawn.matchAll(/<([a-z][a-z0-9]*)/gi)) expect(known).toContain(name)
      for (const [, address = ''] of drawn.matchAll(/ href="([^"]*)"/g)) expect(address).toMatch(/^(https?:|mailto:)/i)
      expect(drawn).not.toMatch(/<[^>]* on\w+=/i)
    }),
    { numRuns: 500 },
  )
})

test.for([
  ['\\(a^2\\)', 'a^2', false],
  ['so \\(a_1 + b_2\\) is', 'a_1 + b_2', false],
  ['\\[\na\n- b\n\\]', 'a\n- b', true],
  ['$$\\frac{1}{2}$$', '\\frac{1}{2}', true],
  ['text $$x$$ more', 'x', true],
  ['$a*b*c$', 'a*b*c', false],
  ['| a |\n|---|\n| $x$ |', 'x', false],
] as const)('the formula in %j keeps its TeX', ([text, tex, display]) => {
  expect(html(text)).toContain(`<span class="${display ? 'math display' : 'math'}">${tex}</span>`)
})

test.for([
  'It costs $5 and $10.',
  'US$5/$6',
  '`\\(a\\)`',
  '```\n$x$\n```',
  'a \\( alone',
  '$$ $$',
  '\\[ never closed',
  `$${'x'.repeat(6000)}$`,
])('%j holds no formula', (text) => {
  const drawn = html(text)
  expect(drawn).not.toContain('class="math')
  expect(drawn).toContain('markdown')
})

test.for([
  ['quotes', '>'.repeat(2_500)],
  ['quotes, longer', '>'.repeat(100_000)],
  ['quotes that the parser takes and a page would not', `${'>'.repeat(200)} deep`],
  ['numbered lists', '1. '.repeat(8_000)],
  ['lists, line by line', Array.from({ length: 200 }, (_, depth) => `${' '.repeat(depth * 2)}- a`).join('\n')],
  ['emphasis', '*a_'.repeat(20_000)],
  ['a text that is too long', 'word *bold* '.repeat(20_000)],
])('%s beyond the bounds are shown as they are written', ([, text]) => {
  expect(html(text as string)).toBe(`<p class="plain-text">${(text as string).replaceAll('>', '&gt;')}</p>`)
})

test.for([
  ['quotes', '> > > deep', '<blockquote><p>deep</p></blockquote>'],
  ['brackets', '['.repeat(20_000), '[[[['],
  ['code marks', '`a'.repeat(2_000), '<code>a</code>a'],
  ['many emphasised paragraphs', '*a* b\n\n'.repeat(2_000), '<em>a</em> b'],
] as const)('%s within the bounds are drawn', ([, text, part]) => {
  expect(html(text)).toContain(part)
  expect(html(text)).not.toContain('plain-text')
})
