/** What lies there is not what was put there, or is nothing that may be used. It counts as not there at all. */
export class DamagedArtefactError extends Error {
  override readonly name = 'DamagedArtefactError'
  readonly artefact: string
  /** Ends the sentence "The artefact ...". */
  readonly damage: string

  constructor(artefact: string, damage: string, options?: ErrorOptions) {
    super(`The artefact ${artefact} ${damage}.`, options)
    this.artefact = artefact
    this.damage = damage
  }
}
