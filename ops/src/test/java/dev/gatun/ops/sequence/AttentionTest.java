package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.Attention.CAUSAL;
import static dev.gatun.ops.sequence.Attention.FULL;
import static dev.gatun.ops.sequence.Attention.attention;
import static dev.gatun.ops.sequence.Attention.merge;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Parallel;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class AttentionTest {

    /** Sizes and attributes of one attention. */
    record Case(int batch, int keyHeads, int group, int queries, int keys, int keyWidth, int width, boolean masked, Attention how, long seed) {

        Tensor q() {
            return normal(seed, batch, keyHeads * group, queries, keyWidth);
        }

        Tensor k() {
            return normal(seed + 1, batch, keyHeads, keys, keyWidth);
        }

        Tensor v() {
            return normal(seed + 2, batch, keyHeads, keys, width);
        }

        Tensor mask() {
            Random random = new Random(seed + 3);
            boolean[] seen = new boolean[batch * keys];
            for (int i = 0; i < seen.length; i++) {
                seen[i] = random.nextInt(3) > 0;
            }
            return Tensor.of(Shape.of(batch, keys), seen);
        }

        /** Outputs, and gradients for random gradients of the outputs, in the dtype. */
        List<Tensor> run(DType dtype) {
            List<Tensor> in = new ArrayList<>(List.of(q().to(dtype), k().to(dtype), v().to(dtype)));
            if (masked) {
                in.add(mask());
            }
            List<Tensor> out = how.applyAll(in.toArray(Tensor[]::new));
            List<Tensor> slopes = gradients(in, out, normal(seed + 4, out.get(0).shape().dims()).to(dtype),
                    normal(seed + 5, out.get(1).shape().dims()).to(dtype));
            List<Tensor> all = new ArrayList<>(out);
            all.addAll(slopes);
            return all;
        }

        double factor() {
            return how.scale() == 0 ? 1 / Math.sqrt(keyWidth) : how.scale();
        }

        /** How large scores are, and thereby their rounding, which is the relative one of their exponentials. */
        double condition() {
            return Math.max(1, factor() * Math.sqrt(keyWidth));
        }

        /**
         * The size of what cancels in a result. The slope of a score is the probability times the difference of two sums of
         * {@code width} products of normal numbers, equal where a query sees one key or nearly: nothing is left of them in the
         * slopes of q and k but their rounding.
         */
        double cancelled(int output) {
            return output == 2 || output == 3 ? factor() * Math.sqrt(width) : 0;
        }

        List<Tensor> gradients(List<Tensor> in, List<Tensor> out, Tensor g, Tensor glse) {
            List<Tensor> all = new ArrayList<>(in.subList(0, 3));
            all.addAll(out);
            all.add(g);
            all.add(glse);
            all.addAll(in.subList(3, in.size()));
            return new AttentionGrad(how).applyAll(all.toArray(Tensor[]::new));
        }
    }

    @Provide
    Arbitrary<Case> cases() {
        Arbitrary<Integer> few = Arbitraries.integers().between(1, 2);
        Arbitrary<Integer> lengths = Arbitraries.oneOf(Arbitraries.integers().between(1, 20), Arbitraries.of(63, 64, 65, 129, 150));
        Arbitrary<Integer> widths = Arbitraries.of(1, 4, 15, 16, 17, 33, 64, 65, 130);
        Arbitrary<Attention> how = Combinators.combine(Arbitraries.of(true, false), Arbitraries.of(0, 1, 5, 70),
                Arbitraries.of(0, 2, 66), Arbitraries.of(0.0, 1.5), Arbitraries.of(0.0, 0.4)).as((causal, window, prefix, cap, scale) ->
                new Attention(scale, causal, window, prefix, cap));
        return Combinators.combine(few, few, few, lengths, lengths, widths, widths).flatAs((b, h, group, tq, tk, dk, dv) ->
                Combinators.combine(Arbitraries.of(true, false), how, Arbitraries.longs().between(0, 1_000_000)).as((masked, attention, seed) ->
                        new Case(b, h, group, tq, tk, dk, dv, masked, attention, seed)));
    }

    // Sums of up to 150 terms in float, of normal numbers: a hundred roundings of the largest result is far from what was
    // seen (2e-6), and far below what a wrong mask, scale or tile would make.
    @Property(tries = 60)
    void tiles_agree_with_the_definition_in_double(@ForAll("cases") Case c) {
        try (Scope scope = Scope.open("case")) {
            List<Tensor> exact;
            try (Backend.Narrowed only = Backend.only(Backend.REFERENCE)) {
                exact = c.run(DType.F64);
            }
            List<Tensor> chosen = c.run(DType.F32);
            List<Tensor> plain;
            try (Backend.Narrowed only = Backend.only(Backend.SCALAR, Backend.REFERENCE)) {
                plain = c.run(DType.F32);
            }
            double tolerance = 6e-6 * c.condition();
            for (int i = 0; i < exact.size(); i++) {
                assertClose(exact.get(i), chosen.get(i), tolerance, c.cancelled(i), "output " + i);
                assertClose(exact.get(i), plain.get(i), tolerance, c.cancelled(i), "plain output " + i);
            }
        }
    }

    @Property(tries = 40)
    void the_composition_means_the_same(@ForAll("cases") Case c) {
        try (Scope scope = Scope.open("case")) {
            List<Tensor> in = new ArrayList<>(List.of(c.q().to(DType.F64), c.k().to(DType.F64), c.v().to(DType.F64)));
            if (c.masked) {
                in.add(c.mask());
            }
            List<Tensor> fused = c.how.applyAll(in.toArray(Tensor[]::new));
            List<Tensor> composed = c.how.compose(in.toArray(Tensor[]::new));
            assertClose(fused.get(0), composed.get(0), 1e-12, "o");
            assertClose(fused.get(1), composed.get(1), 1e-12, "lse");

            Tensor g = normal(c.seed + 4, fused.get(0).shape().dims()).to(DType.F64);
            Tensor glse = normal(c.seed + 5, fused.get(1).shape().dims()).to(DType.F64);
            List<Tensor> slopes = c.gradients(in, fused, g, glse);
            List<Tensor> all = new ArrayList<>(in.subList(0, 3));
            all.addAll(List.of(fused.get(0), fused.get(1), g, glse));
            all.addAll(in.subList(3, in.size()));
            List<Tensor> composedSlopes = new AttentionGrad(c.how).compose(all.toArray(Tensor[]::new));
            for (int i = 0; i < 3; i++) {
                assertClose(slopes.get(i), composedSlopes.get(i), 1e-12, "gradient " + i);
            }
        }
    }

    @Property(tries = 15)
    void threads_do_not_change_a_bit(@ForAll("cases") Case c) {
        try (Scope scope = Scope.open("case")) {
            for (Backend backend : List.of(Backend.VECTOR, Backend.SCALAR)) {
                List<double[]> bits = new ArrayList<>();
                for (int threads : new int[] {1, 2, 5}) {
                    try (Parallel.Limit limit = Parallel.limit(threads); Backend.Narrowed only = Backend.only(backend, Backend.REFERENCE)) {
                        bits.add(c.run(DType.F32).stream().flatMapToDouble(t -> Arrays.stream(t.toDoubles())).toArray());
                    }
                }
                assertArrayEquals(bits.get(0), bits.get(1));
                assertArrayEquals(bits.get(0), bits.get(2));
            }
        }
    }

    @Test
    void threads_do_not_change_a_bit_when_a_head_is_cut_into_pieces() {
        Case c = new Case(1, 1, 2, 700, 700, 16, 16, false, CAUSAL, 3);
        threads_do_not_change_a_bit(c);
        tiles_agree_with_the_definition_in_double(c);
    }

    @Test
    void heads_that_lie_side_by_side_in_a_token_are_taken_as_they_are() {
        Tensor q = normal(1, 2, 70, 3, 8);
        Tensor k = normal(2, 2, 70, 3, 8);
        Tensor v = normal(3, 2, 70, 3, 8);
        List<Tensor> views = CAUSAL.applyAll(q.swap(1, 2), k.swap(1, 2), v.swap(1, 2));
        List<Tensor> copies = CAUSAL.applyAll(q.swap(1, 2).contiguous(), k.swap(1, 2).contiguous(), v.swap(1, 2).contiguous());
        assertArrayEquals(copies.get(0).toDoubles(), views.get(0).toDoubles());
        assertArrayEquals(copies.get(1).toDoubles(), views.get(1).toDoubles());

        Tensor g = normal(4, 2, 70, 3, 8).swap(1, 2);
        Tensor glse = Tensor.zeros(DType.F32, Shape.of(2, 3, 70));
        List<Tensor> fromViews = new AttentionGrad(CAUSAL).applyAll(q.swap(1, 2), k.swap(1, 2), v.swap(1, 2), views.get(0), views.get(1), g, glse);
        List<Tensor> fromCopies = new AttentionGrad(CAUSAL).applyAll(q.swap(1, 2).contiguous(), k.swap(1, 2).contiguous(),
                v.swap(1, 2).contiguous(), views.get(0), views.get(1), g.contiguous(), glse);
        for (int i = 0; i < 3; i++) {
            assertArrayEquals(fromCopies.get(i).toDoubles(), fromViews.get(i).toDoubles());
        }
    }

    @Test
    void two_keys_with_equal_scores_are_mixed_half_and_half() {
        Tensor q = Tensor.of(Shape.of(1, 1, 1, 1), 0f);
        Tensor k = Tensor.of(Shape.of(1, 1, 2, 1), 3f, -3f);
        Tensor v = Tensor.of(Shape.of(1, 1, 2, 1), 10f, 20f);
        Attention.Result r = attention(q, k, v, FULL);
        assertEquals(15, r.o().item(), 1e-5);
        assertEquals(Math.log(2), r.lse().item(), 1e-6);
    }

    @Test
    void queries_are_the_last_ones_of_the_sequence() {
        Tensor q = Tensor.zeros(DType.F32, Shape.of(1, 1, 2, 1));
        Tensor k = Tensor.zeros(DType.F32, Shape.of(1, 1, 4, 1));
        Tensor v = Tensor.of(Shape.of(1, 1, 4, 1), 1f, 2f, 3f, 4f);
        assertArrayEquals(new double[] {2, 2.5}, attention(q, k, v, CAUSAL).o().toDoubles(), 1e-6);
        assertArrayEquals(new double[] {2.5, 3.5}, attention(q, k, v, CAUSAL.window(2, 0)).o().toDoubles(), 1e-6);
        assertArrayEquals(new double[] {2, 8.0 / 3}, attention(q, k, v, CAUSAL.window(2, 1)).o().toDoubles(), 1e-6);
    }

    @Test
    void a_query_that_sees_nothing_gives_zero_and_has_no_gradient() {
        Tensor q = normal(1, 1, 1, 3, 4);
        Tensor k = normal(2, 1, 1, 2, 4);
        Tensor v = normal(3, 1, 1, 2, 4);
        for (Backend backend : List.of(Backend.VECTOR, Backend.SCALAR, Backend.REFERENCE)) {
            try (Backend.Narrowed only = Backend.only(backend, Backend.REFERENCE)) {
                List<Tensor> out = CAUSAL.applyAll(q, k, v);
                assertArrayEquals(new double[4], Arrays.copyOf(out.get(0).toDoubles(), 4));
                assertEquals(Double.NEGATIVE_INFINITY, out.get(1).get(0, 0, 0));
                List<Tensor> slopes = new AttentionGrad(CAUSAL).applyAll(q, k, v, out.get(0), out.get(1), v.mul(0).add(1).slice(2, 0, 1)
                        .expand(Shape.of(1, 1, 3, 4)), Tensor.ones(DType.F32, Shape.of(1, 1, 3)));
                assertArrayEquals(new double[4], Arrays.copyOf(slopes.get(0).toDoubles(), 4));
                for (Tensor slope : slopes) {
                    assertTrue(Arrays.stream(slope.toDoubles()).allMatch(Double::isFinite));
                }
            }
        }
    }

    @Test
    void no_keys_or_no_queries_are_lengths_too() {
        Attention.Result none = attention(normal(1, 2, 2, 3, 4), normal(2, 2, 1, 0, 4), normal(3, 2, 1, 0, 5), CAUSAL);
        assertArrayEquals(new double[60], none.o().toDoubles());
        assertTrue(Arrays.stream(none.lse().toDoubles()).allMatch(x -> x == Double.NEGATIVE_INFINITY));
        assertEquals(0, attention(normal(1, 2, 2, 0, 4), normal(2, 2, 1, 3, 4), normal(3, 2, 1, 3, 5), CAUSAL).o().shape().elements());
    }

    @Test
    void scores_of_hundreds_stay_finite() {
        Tensor q = normal(1, 1, 1, 70, 8).mul(60);
        Tensor k = normal(2, 1, 1, 70, 8).mul(60);
        Tensor v = normal(3, 1, 1, 70, 8);
        List<Tensor> out = FULL.applyAll(q, k, v);
        List<Tensor> slopes = new AttentionGrad(FULL).applyAll(q, k, v, out.get(0), out.get(1), v, Tensor.zeros(DType.F32, Shape.of(1, 1, 70)));
        for (Tensor t : List.of(out.get(0), out.get(1), slopes.get(0), slopes.get(1), slopes.get(2))) {
            assertTrue(Arrays.stream(t.toDoubles()).allMatch(Double::isFinite));
        }
    }

    @Property(tries = 20)
    void attention_to_two_sets_of_keys_merges_into_attention_to_both(@ForAll("cases") Case c) {
        try (Scope scope = Scope.open("case")) {
            Attention how = FULL.softcap(c.how.softcap());
            Tensor q = c.q().to(DType.F64);
            Tensor k = c.k().to(DType.F64);
            Tensor v = c.v().to(DType.F64);
            Tensor mask = c.mask();
            long cut = c.seed % (c.keys + 1);
            Attention.Result whole = attention(q, k, v, mask, how);
            Attention.Result joined = merge(List.of(
                    attention(q, k.slice(2, 0, cut), v.slice(2, 0, cut), mask.slice(1, 0, cut), how),
                    attention(q, k.slice(2, cut, c.keys), v.slice(2, cut, c.keys), mask.slice(1, cut, c.keys), how)));
            assertClose(whole.o(), joined.o(), 1e-12, "o");
            assertClose(whole.lse(), joined.lse(), 1e-12, "lse");
        }
    }

    @Test
    void memory_grows_with_the_length_and_not_with_its_square() {
        long shortPeak = peak(2048);
        long longPeak = peak(6144);
        assertTrue(longPeak < 3.5 * shortPeak, shortPeak + " bytes for 2048 tokens, " + longPeak + " for 6144");
        assertTrue(longPeak < 6144L * 6144, longPeak + " bytes are as many as there are scores");
    }

    /** Most bytes taken at once above what was there before. */
    private static long peak(int length) {
        try (Scope scope = Scope.open("peak")) {
            Tensor q = normal(1, 1, 1, length, 16);
            HostPool.shared().resetPeak();
            long before = HostPool.shared().liveBytes();
            List<Tensor> out = CAUSAL.applyAll(q, q, q);
            new AttentionGrad(CAUSAL).applyAll(q, q, q, out.get(0), out.get(1), q, Tensor.zeros(DType.F32, Shape.of(1, 1, length)));
            return HostPool.shared().peakBytes() - before;
        }
    }

    @Test
    void inputs_that_do_not_fit_are_refused_with_both_numbers() {
        Tensor q = normal(1, 1, 4, 5, 8);
        Tensor k = normal(2, 1, 2, 7, 8);
        assertEquals("""
                attention: key widths differ: 8 in q, 6 in k
                  q: f32[1, 4, 5, 8] cpu
                  k: f32[1, 2, 7, 6] cpu
                  v: f32[1, 2, 7, 8] cpu""",
                assertThrows(ShapeException.class, () -> attention(q, normal(2, 1, 2, 7, 6), k, FULL)).getMessage());
        assertEquals("""
                attention: heads of q must be a multiple of those of k: 4 and 3
                  q: f32[1, 4, 5, 8] cpu
                  k: f32[1, 3, 7, 8] cpu
                  v: f32[1, 3, 7, 8] cpu""",
                assertThrows(ShapeException.class, () -> attention(q, normal(2, 1, 3, 7, 8), normal(2, 1, 3, 7, 8), FULL)).getMessage());
        assertEquals("""
                attention: a mask of keys is [B, Tk] = [1, 7], not [1, 5]
                  q: f32[1, 4, 5, 8] cpu
                  k: f32[1, 2, 7, 8] cpu
                  v: f32[1, 2, 7, 8] cpu
                  mask: bool[1, 5] cpu""",
                assertThrows(ShapeException.class, () -> attention(q, k, k, Tensor.of(Shape.of(1, 5), new boolean[5]), FULL)).getMessage());
        assertThrows(DTypeException.class, () -> attention(q, k.to(DType.F64), k, FULL));
        assertThrows(IllegalArgumentException.class, () -> CAUSAL.window(-1, 0));
    }

    static Tensor normal(long seed, long... dims) {
        Random random = new Random(seed);
        float[] values = new float[Math.toIntExact(Shape.of(dims).elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Tensor.of(Shape.of(dims), values);
    }

    static void assertClose(Tensor expected, Tensor actual, double tolerance, String what) {
        assertClose(expected, actual, tolerance, 0, what);
    }

    /** Close in terms of the largest number, expected or cancelled on the way; infinities must be equal. */
    static void assertClose(Tensor expected, Tensor actual, double tolerance, double cancelled, String what) {
        assertEquals(expected.shape(), actual.shape());
        double[] e = expected.toDoubles();
        double[] a = actual.toDoubles();
        double largest = Math.max(cancelled, Arrays.stream(e).filter(Double::isFinite).map(Math::abs).max().orElse(0));
        for (int i = 0; i < e.length; i++) {
            assertTrue(e[i] == a[i] || Math.abs(e[i] - a[i]) <= tolerance * Math.max(largest, 1e-3),
                    what + " [" + i + "]: expected " + e[i] + ", is " + a[i] + ", largest " + largest);
        }
    }
}
