import { describe, expect, it } from 'vitest'
import { readChange, readCreation } from '../../src/models/requests.ts'

describe('a request about models', () => {
  it.each(['constructor', 'toString', 'hasOwnProperty'])(
    'that holds a field called %s is told so in words',
    (name) => {
      const tip = expect.stringMatching(`^Correct "${name}" or leave it out`)
      const refusal = expect.objectContaining({ code: 'invalid_request', param: name, tip })
      expect(() => readCreation({ [name]: 1, model_id: 'mine' })).toThrow(refusal)
      expect(() => readChange({ [name]: 1 })).toThrow(refusal)
    },
  )
})
