import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { shortened } from '../src/selection/chat-text.ts'
import { takeApart } from '../src/selection/code.ts'
import { TASKS, type Task } from '../src/selection/task.ts'
import { eachFeature } from '../src/selection/task-features.ts'

/**
 * Learns the weights by which tasks are recognised: multinomial logistic regression with a Gaussian prior, from
 * the prompts whose split is "train". How strong the prior is, is chosen by cross-validation among those; the
 * prompts set apart are not read. Nothing here is random, so the same prompts give the same file.
 */
const ROOT = join(import.meta.dirname, '..')
const PROMPTS = join(ROOT, 'test/fixtures/selection/task-prompts.jsonl')
const OUT = join(ROOT, 'src/selection/task-weights.ts')

const FOLDS = 5
const PRIORS = [0.3, 1, 3, 10]
const ITERATIONS = 400
const STEP = 0.5
/** A word of a single prompt says nothing of the next. */
const MIN_PROMPTS = 2
const MAX_BYTES = 14_000
const MAX_LINE = 110
/** Weights become whole numbers from -127 to 127. */
const LARGEST = 127

interface Example {
  readonly features: readonly string[]
  readonly label: number
}
type Weights = ReadonlyMap<string, readonly number[]>

const examples = readExamples()
const measured = PRIORS.map((prior) => ({ prior, f1: crossValidated(prior) }))
for (const { prior, f1 } of measured)
  console.error(`prior ${prior}: macro-F1 ${f1.toFixed(3)} (${FOLDS} folds)`)
const { prior } = measured.reduce((best, next) => (next.f1 > best.f1 ? next : best))
const entries = written(train(examples, prior))
writeFileSync(OUT, file(entries))
console.error(`prior ${prior}, ${examples.length} prompts, ${entries.length} features`)

function readExamples(): Example[] {
  const records = readFileSync(PROMPTS, 'utf8').trim().split('\n')
  return records
    .map((line) => JSON.parse(line) as { text: string; task: Task; split: string })
    .filter(({ split }) => split === 'train')
    .map(({ text, task }) => {
      const features = new Set<string>()
      eachFeature(takeApart(shortened(text)), (feature) => features.add(feature))
      return { features: [...features], label: TASKS.indexOf(task) }
    })
}

function train(from: readonly Example[], prior: number): Weights {
  const counts = new Map<string, number>()
  for (const { features } of from) for (const name of features) counts.set(name, (counts.get(name) ?? 0) + 1)
  const weights = new Map<string, number[]>()
  for (const [name, count] of counts)
    if (count >= MIN_PROMPTS)
      weights.set(
        name,
        TASKS.map(() => 0),
      )
  const rows = from.map(({ features, label }) => ({
    features: features.filter((name) => weights.has(name)),
    label,
  }))
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const gradient = new Map<string, number[]>()
    for (const { features, label } of rows) {
      const errors = probabilities(weights, features).map((p, task) => (task === label ? 1 : 0) - p)
      for (const name of features) {
        const sums = gradient.get(name) ?? TASKS.map(() => 0)
        gradient.set(
          name,
          sums.map((sum, task) => sum + (errors[task] ?? 0)),
        )
      }
    }
    for (const [name, old] of weights) {
      const slope = gradient.get(name) ?? []
      weights.set(
        name,
        old.map((w, task) => w + (STEP * ((slope[task] ?? 0) - prior * w)) / (rows.length ** 0.5 + prior)),
      )
    }
  }
  return weights
}

function probabilities(weights: Weights, features: readonly string[]): number[] {
  const scores = scored(weights, features)
  const most = Math.max(...scores)
  const powers = scores.map((score) => Math.exp(score - most))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / sum)
}

function scored(weights: Weights, features: readonly string[]): number[] {
  const scores = TASKS.map(() => 0)
  for (const name of features) {
    const row = weights.get(name)
    if (row) for (const [task, weight] of row.entries()) scores[task] = (scores[task] ?? 0) + weight
  }
  return scores
}

function crossValidated(prior: number): number {
  const pairs: [number, number][] = []
  for (let fold = 0; fold < FOLDS; fold++) {
    const weights = train(
      examples.filter((_, i) => i % FOLDS !== fold),
      prior,
    )
    for (const [i, { features, label }] of examples.entries()) {
      if (i % FOLDS !== fold) continue
      const scores = scored(weights, features)
      pairs.push([label, scores.indexOf(Math.max(...scores))])
    }
  }
  return macroF1(pairs)
}

function macroF1(pairs: readonly [number, number][]): number {
  const f1s = TASKS.map((_, task) => {
    const hit = pairs.filter(([label, guess]) => label === task && guess === task).length
    const said = pairs.filter(([, guess]) => guess === task).length
    const meant = pairs.filter(([label]) => label === task).length
    return (2 * hit) / Math.max(1, said + meant)
  })
  return f1s.reduce((a, b) => a + b, 0) / TASKS.length
}

/** The weightiest features, as many as the file may hold; then in the order of their names. */
function written(weights: Weights): string[] {
  const largest = Math.max(...[...weights.values()].flat().map(Math.abs))
  const spread = (row: readonly number[]) => Math.max(...row) - Math.min(...row)
  const lines: string[] = []
  let bytes = 0
  for (const [name, row] of [...weights].toSorted(([, a], [, b]) => spread(b) - spread(a))) {
    const line = `${name} ${row.map((weight) => Math.round((weight / largest) * LARGEST)).join(' ')}`
    bytes += Buffer.byteLength(line) + 1
    if (bytes > MAX_BYTES) break
    lines.push(line)
  }
  return lines.toSorted()
}

function file(entries: readonly string[]): string {
  const lines: string[] = []
  for (const entry of entries) {
    const line = lines.at(-1)
    if (line !== undefined && line.length + entry.length < MAX_LINE)
      lines[lines.length - 1] = `${line}|${entry}`
    else lines.push(entry)
  }
  return `// Written by scripts/train-task.ts; do not edit.
/** Name and weights of each feature, for the tasks in the order of \`TASKS\`. */
export const TASK_WEIGHTS = \`${lines.join('\n')}\`
`
}
