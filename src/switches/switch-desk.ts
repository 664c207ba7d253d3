import type { Clock } from '../core/clock.ts'
import type { SupabaseSwitches } from './supabase-switches.ts'
import type { Switch, SwitchKind } from './switch.ts'
import type { SwitchBoard } from './switch-board.ts'

/** Turns things off and on: in the store first, then in this isolate. */
export class SwitchDesk {
  readonly #clock: Clock
  readonly #store: SupabaseSwitches
  readonly #board: SwitchBoard

  constructor(clock: Clock, store: SupabaseSwitches, board: SwitchBoard) {
    this.#clock = clock
    this.#store = store
    this.#board = board
  }

  /** What is off, by the store's word. */
  list(): Promise<readonly Switch[]> {
    return this.#store.list()
  }

  /** @throws GatewayError `conflict` */
  async turnOff(change: Switch): Promise<void> {
    await this.#store.put(change)
    await this.#tell()
  }

  /** @returns whether it was off */
  async turnOn(kind: SwitchKind, name: string): Promise<boolean> {
    const wasOff = await this.#store.remove(kind, name)
    await this.#tell()
    return wasOff
  }

  async #tell(): Promise<void> {
    const readAtMs = this.#clock.now()
    await this.#board.changed({ switches: await this.#store.list(), verifiedAtMs: readAtMs })
  }
}
