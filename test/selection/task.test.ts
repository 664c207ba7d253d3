import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recognise, TASKS, type Task } from '../../src/selection/task.ts'
import { TASK_WEIGHTS } from '../../src/selection/task-weights.ts'
import { ROOT } from '../support/stores.ts'

interface Prompt {
  readonly text: string
  readonly task: Task
  readonly split: 'train' | 'test'
}

const prompts = readFileSync(join(ROOT, 'test/fixtures/selection/task-prompts.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Prompt)

/** The mean over the tasks of the harmonic mean of precision and recall. */
function macroF1(of: readonly Prompt[]): number {
  const guesses = of.map(({ text, task }) => ({ task, guess: recognise(text) }))
  const f1s = TASKS.map((task) => {
    const hits = guesses.filter((one) => one.task === task && one.guess === task).length
    const said = guesses.filter(({ guess }) => guess === task).length
    const meant = guesses.filter((one) => one.task === task).length
    return (2 * hits) / (said + meant)
  })
  return f1s.reduce((a, b) => a + b, 0) / TASKS.length
}

describe('the task of a prompt', () => {
  it('has 600 labelled prompts, a third of each task kept apart', () => {
    for (const task of TASKS) {
      const ofTask = prompts.filter((prompt) => prompt.task === task)
      expect(ofTask.length, task).toBe(120)
      expect(ofTask.filter(({ split }) => split === 'test').length, task).toBe(40)
    }
    expect(new Set(prompts.map(({ text }) => text)).size).toBe(600)
  })

  it('is recognised with a macro-F1 of at least 0.85 on those that nothing was tuned on', () => {
    const [apart, seen] = (['test', 'train'] as const).map((split) =>
      macroF1(prompts.filter((prompt) => prompt.split === split)),
    )
    console.log(
      `macro-F1: ${apart?.toFixed(3)} on the 200 kept apart, ${seen?.toFixed(3)} on the 400 learnt from`,
    )
    expect(apart).toBeGreaterThanOrEqual(0.85)
  })

  it('is chat where nothing is said', () => {
    for (const text of ['', '   ', '\n', '?', '!!!', '🙂', '12345678901', '```\n```'])
      expect(recognise(text), JSON.stringify(text)).toBe('chat')
  })

  it('is always one of the tasks, and always the same, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 500 }), (text) => {
        expect(TASKS).toContain(recognise(text))
        expect(recognise(text)).toBe(recognise(text))
      }),
    )
  })

  it('looks at both ends of a long text, and at no more', () => {
    const filler = 'lorem ipsum dolor sit amet '.repeat(40_000)
    const asked = 'Write unit tests with pytest that cover the edge cases.'
    expect(recognise(`${asked}\n${filler}`)).toBe('testing')
    expect(recognise(`${filler}\n${asked}`)).toBe('testing')
    expect(recognise(`${filler}${asked}${filler}`)).toBe(recognise(filler))
  })

  it('costs no more time on text made to be slow', () => {
    for (const piece of ['`', '```\n', '(', ' ', 'a', 'é', 'İ', '\u0301', '{\n', '/*'.repeat(3), '漢']) {
      const text = piece.repeat(1_000_000 / piece.length)
      const started = performance.now()
      recognise(text)
      expect(performance.now() - started, JSON.stringify(piece)).toBeLessThan(50)
    }
  })

  it('keeps its weights small', () => {
    expect(Buffer.byteLength(TASK_WEIGHTS)).toBeLessThanOrEqual(15_000)
  })
})
