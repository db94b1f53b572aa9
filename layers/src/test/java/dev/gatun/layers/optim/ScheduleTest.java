package dev.gatun.layers.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class ScheduleTest {

    private final Schedule cosine = Schedule.cosine(1, 0.1, 4, 14);

    @Test
    void the_rate_rises_in_a_straight_line_while_warming_up() {
        assertEquals(0.25, cosine.rate(0));
        assertEquals(0.5, cosine.rate(1));
        assertEquals(1, cosine.rate(3));
    }

    @Test
    void then_it_falls_along_half_a_cosine_and_stays() {
        assertEquals(1, cosine.rate(4));
        assertEquals(0.55, cosine.rate(9), 1e-12);
        assertEquals(0.1, cosine.rate(14), 1e-12);
        assertEquals(0.1, cosine.rate(1000), 1e-12);
    }

    @Test
    void a_warm_up_longer_than_the_run_is_refused() {
        var e = assertThrows(IllegalArgumentException.class, () -> Schedule.cosine(1, 0, 5, 4));
        assertEquals("schedule: a warm-up of 5 steps of 4", e.getMessage());
    }
}
