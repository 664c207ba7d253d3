import { DAY_MS, HOUR_MS } from '../../src/warming/calendar.ts'
import { picker, shuffled, zipfWeights } from './draw.ts'
import { eachHour, making, type Prompt } from './making.ts'
import { TRACE_START_MS, type Trace } from './trace.ts'

const PROMPTS = 5_000
const REQUESTS_A_DAY = 2_000
/** How often someone uses the wording that most use. */
const USUAL_WORDING = 0.6

const ACTIONS = [
  'cancel',
  'change',
  'check',
  'close',
  'compare',
  'connect',
  'copy',
  'delete',
  'download',
  'export',
  'find',
  'freeze',
  'import',
  'invite people to',
  'limit',
  'link',
  'lock',
  'merge',
  'move',
  'open',
  'order',
  'pay for',
  'pause',
  'print',
  'protect',
  'renew',
  'rename',
  'repair',
  'replace',
  'report',
  'reset',
  'restore',
  'return',
  'review',
  'schedule',
  'search',
  'sell',
  'send',
  'set up',
  'share',
  'sort',
  'split',
  'start',
  'stop',
  'test',
  'track',
  'transfer',
  'unlock',
  'update',
  'verify',
] as const
const KINDS = [
  'shared',
  'old',
  'new',
  'monthly',
  'private',
  'business',
  'lost',
  'default',
  'second',
  'archived',
] as const
const THINGS = [
  'account',
  'card',
  'invoice',
  'subscription',
  'workspace',
  'report',
  'password',
  'calendar',
  'device',
  'order',
] as const
const WORDINGS: readonly ((action: string, thing: string) => string)[] = [
  (action, thing) => `How do I ${action} my ${thing}?`,
  (action, thing) => `how can i ${action} the ${thing}`,
  (action, thing) => `I want to ${action} my ${thing}. What do I have to do?`,
  (action, thing) => `Please explain how one can ${action} a ${thing}.`,
  (action, thing) => `${thing}: ${action}, how?`,
]

/**
 * A help desk: Zipf 1.0 over 5,000 questions in five wordings each, quiet nights and half-empty weekends, a fiftieth
 * of the questions changing places each night, two bursts a day. Three weeks, then a counted one.
 */
export function realistic(seed: number): Trace {
  const made = making('realistic', seed)
  const { draw } = made
  let places = shuffled(questions(), draw).map((wordings) =>
    wordings.map((text) => made.prompt(text, wordings[0])),
  )
  const pick = picker(zipfWeights(PROMPTS))
  const askOne = (wordings: readonly Prompt[], atMs: number) => {
    const wording = draw.unit() < USUAL_WORDING ? 0 : 1 + draw.integer(WORDINGS.length - 1)
    const prompt = wordings[wording]
    if (prompt) made.ask(prompt, atMs)
  }
  eachHour(made, 28, REQUESTS_A_DAY, ({ startMs, count, day, hour }) => {
    if (hour === 0) places = moved(places)
    const present = day % 7 >= 5 ? 0.4 : 1
    for (let n = 0; n < count; n++) {
      if (draw.unit() < present) askOne(places[pick(draw.unit())] ?? [], startMs + draw.unit() * HOUR_MS)
    }
    for (let n = hour >= 7 && hour < 21 ? draw.poisson(2 / 14) : 0; n > 0; n--) {
      const wordings = places[draw.integer(PROMPTS)] ?? []
      for (let m = 20 + draw.integer(41); m > 0; m--)
        askOne(wordings, startMs - Math.log(1 - draw.unit()) * HOUR_MS)
    }
  })
  const { requests, ...trace } = made.done(TRACE_START_MS + 21 * DAY_MS)
  return { ...trace, requests: requests.filter(({ atMs }) => atMs < TRACE_START_MS + 28 * DAY_MS) }

  function moved<T>(before: readonly T[]): T[] {
    const moving = before.flatMap((_, place) => (draw.unit() < 0.02 ? [place] : []))
    const to = shuffled(moving, draw)
    const after = [...before]
    moving.forEach((place, n) => {
      after[to[n] ?? place] = before[place] as T
    })
    return after
  }
}

const questions = (): string[][] =>
  ACTIONS.flatMap((action) =>
    KINDS.flatMap((kind) => THINGS.map((thing) => WORDINGS.map((word) => word(action, `${kind} ${thing}`)))),
  )
