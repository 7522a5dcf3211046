/** The list of stored runs with its filters. */
import type { Run, RunStatus } from 'agency-swarm-js/client'
import { formatMs, formatUsd, formatWhen, plural } from '../figures.ts'

const STATUSES: readonly RunStatus[] = [
  'queued',
  'in_progress',
  'requires_action',
  'completed',
  'failed',
  'cancelled',
  'incomplete',
]
const ORDERS = { newest: 'Newest first', cost: 'By cost', time: 'By time' } as const
export type Order = keyof typeof ORDERS

export interface Filter {
  /** Undefined: all agencies. */
  agency: string | undefined
  status: RunStatus | undefined
  order: Order
}

interface RunListProps {
  agencies: readonly string[]
  runs: readonly Run[]
  loaded: boolean
  hasMore: boolean
  problem: string | undefined
  filter: Filter
  openId: string | undefined
  onFilter: (filter: Filter) => void
  onOpen: (run: Run) => void
  onMore: () => void
}

export function RunList(props: RunListProps) {
  const { agencies, runs, loaded, hasMore, problem, filter, openId, onFilter, onOpen, onMore } = props
  return (
    <section className="run-list" aria-label="Stored runs">
      <div className="panel-bar filters">
        {agencies.length > 1 && (
          <Select
            label="Agency"
            value={filter.agency ?? ''}
            options={[['', 'All agencies'], ...agencies.map((name) => [name, name] as const)]}
            onChange={(name) => onFilter({ ...filter, agency: name || undefined })}
          />
        )}
        <Select
          label="State"
          value={filter.status ?? ''}
          options={[['', 'All states'], ...STATUSES.map((status) => [status, wordsOf(status)] as const)]}
          onChange={(status) => onFilter({ ...filter, status: (status || undefined) as RunStatus | undefined })}
        />
        <Select
          label="Order"
          value={filter.order}
          options={Object.entries(ORDERS)}
          onChange={(order) => onFilter({ ...filter, order: order as Order })}
        />
      </div>
      <p className="counted" role="status">
        {loaded ? `${plural(runs.length, 'run')}${hasMore ? ', and more' : ''}` : 'Loading the runs…'}
      </p>
      {problem !== undefined && <p className="failure">{problem}</p>}
      {loaded && runs.length === 0 && (
        <p className="empty">
          No stored run here. A run that POST /&#123;agency&#125;/runs starts is listed, from any client.
        </p>
      )}
      <ul>
        {inOrder(runs, filter.order).map((run) => (
          <li key={run.run_id}>
            <button
              type="button"
              className="run-link"
              aria-current={run.run_id === openId}
              data-status={run.status}
              onClick={() => onOpen(run)}
            >
              <span className="run-title">{titleOf(run)}</span>
              <span className="run-line">
                <span className="run-status" data-status={run.status}>
                  {wordsOf(run.status)}
                </span>{' '}
                {[
                  agencies.length > 1 ? run.agency : undefined,
                  formatWhen(Date.parse(run.created_at)),
                  timeOf(run) > 0 ? formatMs(timeOf(run)) : undefined,
                  run.usage && formatUsd(run.usage.total_cost),
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </span>
            </button>
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" className="text-button more" onClick={onMore}>
          Show older runs
        </button>
      )}
    </section>
  )
}

const wordsOf = (status: RunStatus) => status.replace('_', ' ')

const timeOf = ({ started_at: from, ended_at: to }: Run) =>
  from === null || to === null ? 0 : Date.parse(to) - Date.parse(from)

const costOf = ({ usage }: Run) => usage?.total_cost ?? 0

function inOrder(runs: readonly Run[], order: Order): readonly Run[] {
  if (order === 'newest') return runs
  const measure = order === 'cost' ? costOf : timeOf
  return runs.toSorted((a, b) => measure(b) - measure(a))
}

/** The name of the chat, or the beginning of the user's message. */
export function titleOf({ chat_name: name, new_messages: messages, recipient_agent: agent }: Run): string {
  const said = messages?.find(({ role }) => role === 'user')?.content
  const text = name ?? (typeof said === 'string' ? said : textIn(said))
  return text ? text.slice(0, 200) : `Run of ${agent}`
}

const textIn = (content: unknown): string | undefined =>
  Array.isArray(content) ? content.map((part) => (part as { text?: string }).text ?? '').join(' ') : undefined

interface SelectProps {
  label: string
  value: string
  options: readonly (readonly [value: string, title: string])[]
  onChange: (value: string) => void
}

const Select = ({ label, value, options, onChange }: SelectProps) => (
  <label>
    <span className="visually-hidden">{label}</span>
    <select value={value} onChange={(event) => onChange(event.target.value)}>
      {options.map(([name, title]) => (
        <option key={name} value={name}>
          {title}
        </option>
      ))}
    </select>
  </label>
)
