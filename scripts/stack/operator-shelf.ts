import { createClient } from '@supabase/supabase-js'
import type { Shelf } from '../../src/training/artefacts/shelf.ts'
import { supabaseShelf } from '../../src/training/artefacts/supabase-shelf.ts'
import { leftBehind, operatorVars } from './operator.ts'
import { OperatorError } from './operator-error.ts'
import { systemClock } from './system-clock.ts'

const DEADLINE_MS = 60_000

/** The bucket of the Supabase that is meant: the environment's, that of `.dev.vars`, or the one of `npm start`. */
export function operatorShelf(): Shelf {
  const vars = operatorVars()
  const url = vars.SUPABASE_URL ?? leftBehind('run.json').supabaseUrl
  const key =
    vars.SUPABASE_SECRET_KEY ??
    (vars.SUPABASE_URL ? undefined : leftBehind('secrets.json').SUPABASE_SECRET_KEY)
  if (typeof url !== 'string' || typeof key !== 'string') {
    throw new OperatorError(
      'No Supabase is known here. Start one with npm start, or set SUPABASE_URL and SUPABASE_SECRET_KEY.',
    )
  }
  return supabaseShelf({
    connect: () => createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } }),
    clock: systemClock,
    deadlineMs: DEADLINE_MS,
  })
}
