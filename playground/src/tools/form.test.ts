import { expect, test } from 'vitest'
import { fieldsOf, initialValues, readForm } from './form.ts'

const SCHEMA = {
  type: 'object',
  properties: {
    city: { type: 'string', description: 'Where' },
    days: { type: 'integer', minimum: 1, maximum: 7, default: 3 },
    unit: { $ref: '#/$defs/Unit' },
    exact: { type: ['boolean', 'null'] },
    tags: { type: 'array', items: { type: 'string' } },
    sizes: { type: 'array', items: { type: 'number' } },
    place: { anyOf: [{ type: 'object', properties: {} }, { type: 'null' }] },
    odd: { anyOf: [{ type: 'string' }, { type: 'number' }] },
  },
  required: ['city', 'days', 'exact'],
  $defs: { Unit: { enum: ['C', 'F', 5] } },
}
const FIELDS = fieldsOf(SCHEMA)
const read = (values: object) => readForm(FIELDS, { ...initialValues(FIELDS), ...values })

test('each property is a field of its kind', () => {
  expect(FIELDS.map(({ name, kind, isRequired }) => [name, kind, isRequired])).toEqual([
    ['city', 'text', true],
    ['days', 'number', true],
    ['unit', 'choice', false],
    ['exact', 'boolean', false],
    ['tags', 'lines', false],
    ['sizes', 'lines', false],
    ['place', 'json', false],
    ['odd', 'json', false],
  ])
  expect(FIELDS[0]?.description).toBe('Where')
  expect(FIELDS[1]).toMatchObject({ initial: '3', hint: 'integer from 1 to 7' })
  expect(FIELDS[2]?.options).toEqual(['"C"', '"F"', '5'])
})

test('values become arguments of their types, and empty ones are left out', () => {
  expect(read({ city: '' })).toEqual({ args: { city: '', days: 3 }, problems: {} })
  const values = { city: ' Bonn', days: '5', unit: '5', exact: 'false', tags: 'a\n\nb', sizes: '1.5\n2' }
  expect(read({ ...values, place: '{"x": 1}', odd: '"7"' }).args).toEqual({
    ...{ city: ' Bonn', days: 5, unit: 5, exact: false, tags: ['a', 'b'], sizes: [1.5, 2] },
    ...{ place: { x: 1 }, odd: '7' },
  })
})

test.each([
  [{ days: '' }, { days: 'This field is required.' }],
  [{ days: '1.5' }, { days: 'Enter a whole number.' }],
  [{ days: '9' }, { days: 'At most 7.' }],
  [{ days: '0' }, { days: 'At least 1.' }],
  [{ days: 'many' }, { days: 'Enter a number.' }],
  [{ sizes: '1\ntwo' }, { sizes: '“two”: Enter a number.' }],
  [{ place: '[1]' }, { place: 'Enter a JSON object, such as {"name": "value"}.' }],
])('what does not fit is said at its field: %o', (values, problems) => {
  expect(read(values).problems).toEqual(problems)
})

test('broken JSON is said, and a schema without properties has no fields', () => {
  expect(read({ odd: '{' }).problems.odd).toMatch(/^This is not valid JSON: /)
  expect(fieldsOf({})).toEqual([])
  expect(fieldsOf({ properties: { a: true, b: { $ref: '#/$defs/none' } } }).map(({ kind }) => kind)).toEqual([
    'json',
    'json',
  ])
})
