package dev.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class BudgetTest {

    @Test
    void steps_end_a_run_whatever_the_time() {
        Budget budget = new Budget(10, 0);

        assertEquals(0.5, budget.used(5, 1e9));
        assertFalse(budget.spent(9, 1e9));
        assertTrue(budget.spent(10, 0));
        assertEquals(6, budget.left(7, 0, 2));
    }

    @Test
    void time_ends_a_run_whatever_the_steps() {
        Budget budget = new Budget(0, 60);

        assertEquals(0.25, budget.used(1_000_000, 15));
        assertTrue(budget.spent(1, 60));
        assertEquals(45, budget.left(1, 15, 2));
    }

    @Test
    void of_both_the_first_counts() {
        Budget budget = new Budget(10, 60);

        assertEquals(0.9, budget.used(9, 30));
        assertEquals(0.5, budget.used(1, 30));
        assertEquals(2, budget.left(9, 30, 2));
        assertEquals(30, budget.left(1, 30, 20));
    }
}
