package dev.gatun.layers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.layers.Mamba2.Config;
import dev.gatun.ops.Activations;
import java.util.List;
import org.junit.jupiter.api.Test;

class Mamba2Test extends SequenceLayerLaws {

    @Override
    List<Kind> kinds() {
        Config plain = Config.of(WIDTH, 4).sizes(4, 3);
        return List.of(
                new Kind("plain", p -> new Mamba2(p, plain)),
                // Limits out of reach: at a limit there is no slope to take differences of. Golden vectors have steps that meet theirs.
                new Kind("groups, limits, chunks of 11", p -> new Mamba2(p, plain.groups(2).normGroups(2).steps(1e-6, 50).chunk(11))),
                new Kind("one tap", p -> new Mamba2(p, plain.taps(1))));
    }

    @Test
    void rates_and_steps_start_where_the_paper_has_them() {
        Params params = Params.fresh(Key.of(4), DType.F64);
        new Mamba2(params, Config.of(64, 32));
        for (double logA : params.entries().get("A_log").toDoubles()) {
            assertTrue(logA >= 0 && logA <= Math.log(16), "a rate of " + Math.exp(logA));
        }
        for (double step : Activations.softplus(params.entries().get("dt_bias")).toDoubles()) {
            assertTrue(step >= 0.001 * (1 - 1e-9) && step <= 0.1 * (1 + 1e-9), "a step of " + step);
        }
    }

    @Test
    void bad_options_are_refused_with_both_values() {
        var e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 4).groups(3));
        assertEquals("mamba2: 4 heads do not divide into 3 groups", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 4).steps(2, 1));
        assertEquals("mamba2: the limits of a step are out of order: 2.0 and 1.0", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 4).normGroups(3));
        assertEquals("mamba2: 16 features do not divide into 3 groups of the norm", e.getMessage());
    }
}
