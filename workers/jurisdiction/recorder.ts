import recorder, { type Env } from '../recorder/index.ts'
import { type Confinement, confined } from './confined.ts'

/** The recorder, which tells the metrics inside the jurisdiction that its configuration names. */
export default {
  queue: (batch, env, ctx) => recorder.queue(batch, confined<Env>(env), ctx),
} satisfies ExportedHandler<Env & Confinement>
