/** Renders Markdown as React elements. */
import type { Token, Tokens } from 'marked'
import { memo, type ReactNode, useMemo } from 'react'
import { Scroll } from '../controls.tsx'
import { CodeBlock } from './code-block.tsx'
import { createLexer, type MathToken } from './lex.ts'
import { MathFormula } from './math.tsx'

/**
 * Renders Markdown. Safe by construction: only the elements named here are created, text stays text, HTML is shown as text, and
 * only http(s) and mail addresses become links.
 */
export const Markdown = memo(function Markdown({ text }: { text: string }) {
  const lex = useMemo(createLexer, [])
  const blocks = useMemo(() => lex(text), [lex, text])
  if (blocks === undefined) return <p className="plain-text">{text}</p>
  // A link definition at the end turns texts far above it into links.
  const addresses = blocks.filter((token) => token.type === 'def').length
  return (
    <div className="markdown" key={addresses}>
      {drawBlocks(blocks)}
    </div>
  )
})

/** One block, memoized: while a text grows, only its last blocks change. */
const Block = memo(
  ({ token }: { token: Token }) => drawBlock(token),
  (before, after) => before.token.raw === after.token.raw && before.token.type === after.token.type,
)

function drawBlock(token: Token): ReactNode {
  switch (token.type) {
    case 'heading': {
      const { depth, tokens } = token as Tokens.Heading
      // The page itself uses the first two heading levels.
      const Name = `h${Math.min(depth + 2, 6)}` as 'h3' | 'h4' | 'h5' | 'h6'
      return <Name>{drawInline(tokens)}</Name>
    }
    case 'paragraph':
      return <p>{drawInline((token as Tokens.Paragraph).tokens)}</p>
    case 'text': {
      const { tokens, text } = token as Tokens.Text
      return tokens === undefined ? decode(text) : drawInline(tokens)
    }
    case 'code': {
      const { text, lang } = token as Tokens.Code
      return <CodeBlock text={text} language={lang ?? ''} />
    }
    case 'blockquote':
      return <blockquote>{drawBlocks((token as Tokens.Blockquote).tokens)}</blockquote>
    case 'list':
      return <List list={token as Tokens.List} />
    case 'table':
      return <Table table={token as Tokens.Table} />
    case 'hr':
      return <hr />
    case 'math':
      return <Formula token={token as MathToken} />
    case 'space':
    case 'checkbox':
    case 'def':
      return null
    default:
      return <p>{token.raw}</p>
  }
}

const drawBlocks = (tokens: readonly Token[]) => tokens.map((token, index) => <Block key={index} token={token} />)

function drawInline(tokens: readonly Token[]): ReactNode[] {
  return tokens.map((token, index) => <Inline key={index} token={token} />)
}

function Inline({ token }: { token: Token }): ReactNode {
  switch (token.type) {
    case 'strong':
      return <strong>{drawInline((token as Tokens.Strong).tokens)}</strong>
    case 'em':
      return <em>{drawInline((token as Tokens.Em).tokens)}</em>
    case 'del':
      return <del>{drawInline((token as Tokens.Del).tokens)}</del>
    case 'codespan':
      return <code>{(token as Tokens.Codespan).text}</code>
    case 'br':
      return <br />
    case 'link': {
      const { href, tokens } = token as Tokens.Link
      return <Link href={href}>{drawInline(tokens)}</Link>
    }
    case 'image': {
      const { href, text } = token as Tokens.Image
      // Images on other hosts are shown as links: this page sends no requests to other hosts.
      if (/^data:image\/(png|jpeg|gif|webp);base64,/.test(href))
        return <img className="picture" src={href} alt={text} />
      return <Link href={href}>{text || href}</Link>
    }
    case 'checkbox':
      return null // rendered by its list
    case 'math':
      return <Formula token={token as MathToken} />
    case 'escape':
      return (token as Tokens.Escape).text
    case 'text': {
      const { tokens, text } = token as Tokens.Text
      return tokens === undefined ? decode(text) : drawInline(tokens)
    }
    default:
      return token.raw
  }
}

const Link = ({ href, children }: { href: string; children: ReactNode }) =>
  /^(https?:|mailto:)/i.test(href) ? (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  ) : (
    <span title={href}>{children}</span>
  )

const Formula = ({ token: { text, display } }: { token: MathToken }) => <MathFormula tex={text} display={display} />

function List({ list }: { list: Tokens.List }) {
  const items = list.items.map((item, index) => (
    <li key={index} className={item.task ? 'task' : undefined}>
      {item.task && <input type="checkbox" checked={item.checked ?? false} readOnly disabled aria-label="Task" />}
      {drawBlocks(item.tokens)}
    </li>
  ))
  return list.ordered ? <ol start={Number(list.start) || 1}>{items}</ol> : <ul>{items}</ul>
}

const Table = ({ table }: { table: Tokens.Table }) => (
  <Scroll className="table-box" label="Table">
    <table>
      <thead>
        <tr>
          {table.header.map((cell, index) => (
            <th key={index} align={cell.align ?? undefined}>
              {drawInline(cell.tokens)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {table.rows.map((row, index) => (
          <tr key={index}>
            {row.map((cell, column) => (
              <td key={column} align={cell.align ?? undefined}>
                {drawInline(cell.tokens)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </Scroll>
)

const ENTITIES: { [name: string]: string } = {
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&nbsp;': '\u00a0',
}
const decode = (text: string) => text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (entity) => ENTITIES[entity] as string)
