/** Lists of a server that come page by page. */
import type { CallOptions, Connection } from './http.ts'
import type { ListPage } from './run-answers.ts'

/** A list. `for await (const row of list)` reads all rows, one page at a time; nothing is sent before. */
export interface Listing<Row> extends AsyncIterable<Row> {
  /** One page: the first, or the one after `after`. @throws ClientError */
  page(): Promise<ListPage<Row>>
  /** All pages, each read when it is asked for. @throws ClientError */
  pages(): AsyncGenerator<ListPage<Row>, void, undefined>
}

export function createListing<Row>(
  connection: Connection,
  path: string,
  { after, ...filter }: { [name: string]: string | number | undefined },
  call: CallOptions,
): Listing<Row> {
  const read = async (cursor: string | number | undefined) =>
    (await connection.json({ ...call, path: withQuery(path, { ...filter, after: cursor }) })) as ListPage<Row>
  async function* pages() {
    for (let next = after; ; ) {
      const page = await read(next)
      yield page
      if (page.next === null) return
      next = page.next
    }
  }
  return {
    page: () => read(after),
    pages,
    async *[Symbol.asyncIterator]() {
      for await (const { data } of pages()) yield* data
    },
  }
}

/** A path with the fields that are set. */
export function withQuery(path: string, query: { [name: string]: string | number | undefined }): string {
  const set = Object.entries(query).filter(([, value]) => value !== undefined)
  return set.length === 0
    ? path
    : `${path}?${set.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}`
}
