import type { SupabaseClient } from '@supabase/supabase-js'
import { GatewayError } from '../core/errors.ts'
import type { Switch, SwitchKind } from './switch.ts'

/** More than anybody oversees, and few enough to be one small record. */
export const MAX_SWITCHES = 200

interface SwitchRow {
  readonly kind: SwitchKind
  readonly name: string
  readonly note: string
  readonly thrown_by: string
  readonly thrown_at: string
  readonly until: string | null
}

const COLUMNS = 'kind, name, note, thrown_by, thrown_at, until'

/** What is off, in Supabase: the truth that all copies are made from. */
export class SupabaseSwitches {
  readonly #connect: () => SupabaseClient
  readonly #now: () => number

  constructor(connect: () => SupabaseClient, now: () => number) {
    this.#connect = connect
    this.#now = now
  }

  /** Those that have not ended, the latest first. */
  async list(): Promise<readonly Switch[]> {
    const { data } = await this.#connect()
      .from('switches')
      .select(COLUMNS)
      .order('thrown_at', { ascending: false })
      .limit(MAX_SWITCHES)
      .overrideTypes<SwitchRow[], { merge: false }>()
      .throwOnError()
    const nowMs = this.#now()
    return data.map(toSwitch).filter(({ untilMs }) => untilMs === null || untilMs > nowMs)
  }

  /**
   * Turns it off, in place of what was said of it before.
   * @throws GatewayError `conflict` where too much is off already
   */
  async put({ kind, name, note, by, atMs, untilMs }: Switch): Promise<void> {
    const connection = this.#connect()
    await connection.from('switches').delete().lte('until', isoTime(this.#now())).throwOnError()
    const others = await this.list()
    const isNew = !others.some((each) => each.kind === kind && each.name === name)
    if (isNew && others.length >= MAX_SWITCHES)
      throw new GatewayError(
        'conflict',
        `${MAX_SWITCHES} switches are off already.`,
        'Turn some on again, or turn off a whole provider in place of its models.',
      )
    const row: SwitchRow = {
      kind,
      name,
      note,
      thrown_by: by,
      thrown_at: isoTime(atMs),
      until: untilMs === null ? null : isoTime(untilMs),
    }
    await connection.from('switches').upsert(row, { onConflict: 'kind,name' }).throwOnError()
  }

  /** @returns whether it was off */
  async remove(kind: SwitchKind, name: string): Promise<boolean> {
    const { data } = await this.#connect()
      .from('switches')
      .delete()
      .eq('kind', kind)
      .eq('name', name)
      .select(COLUMNS)
      .overrideTypes<SwitchRow[], { merge: false }>()
      .throwOnError()
    return data.some(({ until }) => until === null || Date.parse(until) > this.#now())
  }
}

const isoTime = (ms: number): string => new Date(ms).toISOString()

const toSwitch = ({ kind, name, note, thrown_by, thrown_at, until }: SwitchRow): Switch => ({
  kind,
  name,
  note,
  by: thrown_by,
  atMs: Date.parse(thrown_at),
  untilMs: until === null ? null : Date.parse(until),
})
