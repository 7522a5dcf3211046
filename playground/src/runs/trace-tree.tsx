/** The spans of a run as a tree with a waterfall. */
import { type KeyboardEvent, useRef, useState } from 'react'
import { formatMs, formatShort, formatUsd } from '../figures.ts'
import { KIND_TITLES, nameOf, type SpanRow, sumOf } from './spans.ts'

interface TraceTreeProps {
  rows: readonly SpanRow[]
  chosen: string | undefined
  onChoose: (spanId: string) => void
}

/** One tab stop: arrow keys move, Left and Right close and open. */
export function TraceTree({ rows, chosen, onChoose }: TraceTreeProps) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set())
  const list = useRef<HTMLDivElement>(null)
  const isShown = ({ parent }: SpanRow): boolean =>
    parent === undefined || (!closed.has(parent.span.span_id) && isShown(parent))
  const shown = rows.filter(isShown)
  const at = Math.max(
    0,
    shown.findIndex(({ span }) => span.span_id === chosen),
  )
  const choose = (row: SpanRow | undefined) => {
    if (row === undefined) return
    onChoose(row.span.span_id)
    list.current?.querySelector(`#span-${CSS.escape(row.span.span_id)}`)?.scrollIntoView({ block: 'nearest' })
  }
  const setOpen = (id: string, open: boolean) =>
    setClosed((before) => {
      const next = new Set(before)
      if (open) next.delete(id)
      else next.add(id)
      return next
    })
  const onKeyDown = (event: KeyboardEvent) => {
    const row = shown[at]
    if (row === undefined) return
    const { span, parent } = row
    const isOpen = span.spans.length > 0 && !closed.has(span.span_id)
    const actions: { [key: string]: () => void } = {
      ArrowDown: () => choose(shown[at + 1]),
      ArrowUp: () => choose(shown[at - 1]),
      Home: () => choose(shown[0]),
      End: () => choose(shown.at(-1)),
      ArrowRight: () => (isOpen ? choose(shown[at + 1]) : setOpen(span.span_id, true)),
      ArrowLeft: () => (isOpen ? setOpen(span.span_id, false) : choose(parent)),
    }
    const act = actions[event.key]
    if (act === undefined) return
    event.preventDefault()
    act()
  }
  return (
    <div
      ref={list}
      className="trace-tree"
      role="tree"
      aria-label="Spans"
      tabIndex={0}
      aria-activedescendant={shown[at] && `span-${shown[at].span.span_id}`}
      onKeyDown={onKeyDown}
    >
      {shown.map((row) => {
        const id = row.span.span_id
        const isOpen = !closed.has(id)
        return (
          <Row
            key={id}
            row={row}
            isOpen={isOpen}
            isChosen={id === shown[at]?.span.span_id}
            onChoose={() => choose(row)}
            onToggle={() => setOpen(id, !isOpen)}
          />
        )
      })}
    </div>
  )
}

interface RowProps {
  row: SpanRow
  isOpen: boolean
  isChosen: boolean
  onChoose: () => void
  onToggle: () => void
}

function Row({ row: { span, level, from, to }, isOpen, isChosen, onChoose, onToggle }: RowProps) {
  const { tokens, cost } = sumOf(span)
  const hasParts = span.spans.length > 0
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree has the focus and its keys
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus
    <div
      id={`span-${span.span_id}`}
      className="span-row"
      role="treeitem"
      aria-level={level}
      aria-selected={isChosen}
      aria-expanded={hasParts ? isOpen : undefined}
      data-status={span.status}
      onClick={onChoose}
    >
      <span className="span-name" style={{ paddingInlineStart: `${(level - 1) * 14}px` }}>
        <span
          className="span-mark"
          aria-hidden="true"
          onClick={(event) => {
            if (!hasParts) return
            event.stopPropagation()
            onToggle()
          }}
        >
          {hasParts ? (isOpen ? '▾' : '▸') : ''}
        </span>
        <span className={`kind ${span.kind}`}>{KIND_TITLES[span.kind]}</span>
        <span className="name">{nameOf(span)}</span>
        {span.status !== 'completed' && <span className="status">{span.status.replace('_', ' ')}</span>}
      </span>
      <span className="span-figures">
        {[
          span.ms === null ? '' : formatMs(span.ms),
          tokens > 0 ? `${formatShort(tokens)} tokens` : '',
          cost > 0 ? formatUsd(cost) : '',
        ]
          .filter(Boolean)
          .join(' · ')}
      </span>
      <span className="waterfall" aria-hidden="true">
        <span
          className={`bar ${span.kind}`}
          style={{ insetInlineStart: `${from * 100}%`, inlineSize: `${Math.max((to - from) * 100, 0.4)}%` }}
        />
      </span>
    </div>
  )
}
