"""BabyAI: one room, one instruction."""
