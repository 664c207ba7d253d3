import type { Budget } from '../../src/cost/budget.ts'
import type { BudgetShelf, DaySpend, Reservation } from '../../src/cost/budget-book.ts'
import type { Prices } from '../../src/cost/prices.ts'

/** Storage that outlives its book. */
export function memoryBudgetShelf(): BudgetShelf {
  let budgets: readonly Budget[] = []
  const spends = new Map<string, DaySpend>()
  const reservations = new Map<string, Reservation[]>()
  return {
    budgets: () => budgets,
    setBudgets: (wanted) => {
      budgets = wanted
    },
    spends: () => [...spends.values()],
    setSpend: (spend) => void spends.set(`${spend.day} ${spend.key}`, spend),
    removeSpendsBefore: (day) => {
      for (const [place, spend] of spends) if (spend.day < day) spends.delete(place)
    },
    reservations: () => [...reservations.values()].flat(),
    addReservation: (added) => {
      reservations.set(added.predictionId, [...(reservations.get(added.predictionId) ?? []), added])
    },
    removeReservations: (predictionId) => void reservations.delete(predictionId),
    clear: () => {
      budgets = []
      spends.clear()
      reservations.clear()
    },
  }
}

/** For tests in which nothing is to be paid. */
export const NO_PRICES: Prices = { priceOf: () => undefined }
