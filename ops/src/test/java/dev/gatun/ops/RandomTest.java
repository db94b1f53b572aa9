package dev.gatun.ops;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RandomTest {

    private final Key key = Key.of(5);

    /** What each backend draws; the vector loops only where they are on. */
    private static void assertSameBitsEverywhere(Supplier<Tensor> draw) {
        float[] expected;
        try (var only = Backend.only(Backend.REFERENCE)) {
            expected = draw.get().toFloats();
        }
        for (Backend backend : new Backend[] {Backend.SCALAR, Backend.VECTOR}) {
            try (var only = Backend.only(backend, Backend.REFERENCE)) {
                assertArrayEquals(expected, draw.get().toFloats(), 0, backend.toString());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 15, 16, 17, 31, 32, 33, 1023, 1024, 1025, 5000})
    void every_backend_draws_the_same_bits(long n) {
        Tensor ones = Tensor.ones(DType.F32, Shape.of(n));
        assertSameBitsEverywhere(() -> Random.uniform(key, DType.F32, Shape.of(n), -2, 5));
        assertSameBitsEverywhere(() -> Random.normal(key, DType.F32, Shape.of(n)));
        assertSameBitsEverywhere(() -> Random.dropout(ones, 0.5, key));
    }

    @Test
    void an_element_depends_on_key_and_index_alone() {
        float[] few = Random.normal(key, DType.F32, Shape.of(100)).toFloats();
        float[] many = Random.normal(key, DType.F32, Shape.of(7, 111)).toFloats();
        assertArrayEquals(few, Arrays.copyOf(many, 100));
        assertNotEquals(few[0], Random.normal(key.child("other"), DType.F32, Shape.of(1)).item());
    }

    @Test
    void floats_are_the_doubles_of_the_same_draw_but_for_rounding() {
        double[] exact = Random.normal(key, DType.F64, Shape.of(20_000)).toDoubles();
        double[] rounded = Random.normal(key, DType.F32, Shape.of(20_000)).toDoubles();
        for (int i = 0; i < exact.length; i++) {
            // a few units in the last place of the radius, which is up to 6.7
            assertEquals(exact[i], rounded[i], 2e-6);
        }
        assertArrayEquals(Random.uniform(key, DType.F64, Shape.of(99)).toDoubles(),
                Random.uniform(key, DType.F32, Shape.of(99)).toDoubles(), 0x1p-24);
    }

    @Test
    void moments_are_those_of_the_distribution() {
        long n = 1 << 18;
        Tensor z = Random.normal(key, DType.F64, Shape.of(n));
        // five standard errors: 5 / sqrt(n) times the root of each moment's variance
        assertEquals(0, z.mean().item(), 5 / Math.sqrt(n));
        assertEquals(1, z.square().mean().item(), 5 * Math.sqrt(2. / n));
        assertEquals(3, z.square().square().mean().item(), 5 * Math.sqrt(96. / n));
        Tensor u = Random.uniform(key, DType.F64, Shape.of(n));
        assertEquals(0.5, u.mean().item(), 5 * Math.sqrt(1 / 12. / n));
        assertEquals(1 / 3., u.square().mean().item(), 5 * Math.sqrt(4 / 45. / n));
        assertTrue(u.max(0).item() < 1);
        assertTrue(Arrays.stream(u.toDoubles()).min().orElseThrow() >= 0);
        assertEquals(0.3, Random.bernoulli(key, Shape.of(n), 0.3).to(DType.F64).mean().item(), 5 * Math.sqrt(0.21 / n));
    }

    @Test
    void dropout_keeps_the_mean_and_brings_the_same_mask_back() {
        Tensor x = Tensor.ones(DType.F32, Shape.of(1 << 16));
        Tensor y = Random.dropout(x, 0.25, key);
        assertEquals(1, y.mean().item(), 5 * Math.sqrt(1 / 3. / (1 << 16)));
        assertArrayEquals(y.toFloats(), Random.dropout(x, 0.25, key).toFloats());
        assertArrayEquals(new double[3], Random.dropout(Tensor.of(DType.F64, 1, 2, 3), 1, key).toDoubles());
        assertEquals("dropout: the rate must be from 0 to 1, is 1.5",
                assertThrows(IllegalArgumentException.class, () -> Random.dropout(x, 1.5, key)).getMessage());
    }

    @Test
    void whole_numbers_stay_in_their_range_and_reach_all_of_it() {
        long[] drawn = Random.integers(key, Shape.of(1000), -3, 4).toLongs();
        assertArrayEquals(LongStream.range(-3, 4).toArray(), Arrays.stream(drawn).distinct().sorted().toArray());
        assertEquals("integers: no whole number from 4 to below 4",
                assertThrows(ShapeException.class, () -> Random.integers(key, Shape.of(1), 4, 4)).getMessage());
    }

    @Test
    void a_permutation_has_every_number_once() {
        long[] order = Random.permutation(key, 100).toLongs();
        assertTrue(order[0] != 0 || order[1] != 1);
        assertArrayEquals(LongStream.range(0, 100).toArray(), Arrays.stream(order).sorted().toArray());
    }
}
