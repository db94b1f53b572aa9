package dev.gatun.layers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.layers.Retention.Config;
import java.util.List;
import org.junit.jupiter.api.Test;

class RetentionTest extends SequenceLayerLaws {

    @Override
    List<Kind> kinds() {
        return List.of(
                new Kind("plain", p -> new Retention(p, Config.of(WIDTH, 2))),
                new Kind("no positions, chunks of 5", p -> new Retention(p, Config.of(WIDTH, 4).rope(0).chunk(5))));
    }

    @Test
    void heads_forget_at_rates_from_one_in_32_on() {
        double[] rates = Retention.logGamma(DType.F64, 3).exp().toDoubles();
        assertArrayEquals(new double[] {31 / 32.0, 63 / 64.0, 127 / 128.0}, rates, 1e-15);
    }

    @Test
    void bad_options_are_refused_with_both_values() {
        var e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 3));
        assertEquals("retention: a width of 8 does not divide into 3 heads", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 2).chunk(0));
        assertEquals("retention: a chunk of 0 tokens, at least 1 is needed", e.getMessage());
    }
}
