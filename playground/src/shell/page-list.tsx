/** A page with a list of links on its left. */
import type { ReactNode } from 'react'

export interface ListGroup {
  title: string
  links: readonly { href: string; title: string; note?: string; isCurrent: boolean }[]
}

interface ListPageProps {
  title: string
  groups: readonly ListGroup[]
  className?: string
  children: ReactNode
}

/** On a narrow screen the list stands above what was chosen. */
export const ListPage = ({ title, groups, className = '', children }: ListPageProps) => (
  <main className={`page-view list-page ${className}`}>
    <nav aria-label={title}>
      <h1>{title}</h1>
      {groups.map((group) => (
        <section key={group.title} aria-label={group.title}>
          <h2>{group.title}</h2>
          <ul>
            {group.links.map(({ href, title: name, note, isCurrent }) => (
              <li key={href}>
                <a href={href} aria-current={isCurrent ? 'page' : undefined}>
                  {name}
                  {note !== undefined && <small>{note}</small>}
                </a>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </nav>
    <div className="list-page-body">{children}</div>
  </main>
)
