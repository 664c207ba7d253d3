import { describe, expect, it } from 'vitest'
import { toModels } from '../../src/models/custom-routes.ts'
import type { Route } from '../../src/models/provider.ts'
import { readCreation } from '../../src/models/requests.ts'
import { customModel, loaded } from '../support/model-rows.ts'

const endpoint = { id: 'o', baseUrl: 'https://o.example.com', host: 'o', weight: 1, isForeign: false }
const dear: Route = {
  id: 'openai:gpt',
  revision: '1',
  model: 'gpt',
  provider: { name: 'openai', format: 'openai', endpoints: [endpoint], plans: ['paid'], revision: '1' },
}
const models = (...rows: Parameters<typeof customModel>[]) =>
  toModels({ ...loaded(rows.map(([id, more]) => customModel(id, more))), known: true }, () => dear)

describe('what a model suits', () => {
  const request = (suits: unknown) =>
    readCreation({ model_id: 'm', endpoint_url: 'https://llm.example.com', config: { suits } as never })

  it('comes from its row', () => {
    expect(models(['m', { config: { suits: ['testing', 'python'] } }])[0]?.suits).toEqual([
      'testing',
      'python',
    ])
    expect(request(['testing', 'c++']).config?.suits).toEqual(['testing', 'c++'])
  })

  it.each([['testing'.repeat(5)], ['Testing'], [''], [7], Array(17).fill('chat'), 'chat'])(
    'is judged at the door (%j)',
    (...suits) => {
      const given = suits.length === 1 && suits[0] === 'chat' ? 'chat' : suits
      expect(() => request(given)).toThrow(expect.objectContaining({ tip: expect.stringContaining('tasks') }))
    },
  )
})
