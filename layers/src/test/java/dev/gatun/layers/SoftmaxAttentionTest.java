package dev.gatun.layers;

import static dev.gatun.autograd.Autograd.grad;
import static dev.gatun.ops.Random.normal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.Backend;
import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.engine.memory.HostPool;
import dev.gatun.layers.SoftmaxAttention.Config;
import dev.gatun.layers.SoftmaxAttention.State;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SoftmaxAttentionTest {

    private static final Map<String, String> STORED = Map.of("query.weight", "wq", "key.weight", "wk", "value.weight", "wv",
            "out.weight", "wo", "query_norm.weight", "q_norm", "key_norm.weight", "k_norm");

    // ---- stored cases ----

    @ParameterizedTest
    @CsvSource({"block_rope_gqa, F64", "block_rope_gqa, F32", "block_decode_cache, F64", "block_decode_cache, F32",
            "block_prefill_on_cache_swa_qknorm, F64", "block_prefill_on_cache_swa_qknorm, F32"})
    void a_block_meets_its_stored_outputs_and_gradients(String name, DType dtype) throws Exception {
        try (Goldens golden = new Goldens(name, dtype)) {
            long width = (long) golden.number("D");
            long size = (long) golden.number("Dk");
            boolean normed = golden.has("param.q_norm");
            Config config = Config.of(width, (long) golden.number("Hq")).kvHeads((long) golden.number("Hkv")).headSize(size)
                    .rope(golden.number("base"), normed ? (long) golden.number("rot") : size)
                    .window(normed ? (long) golden.number("window") : 0, 0).qkNorm(normed);
            Params params = Params.fresh(Key.of(1), dtype);
            SoftmaxAttention layer = new SoftmaxAttention(params, config);
            List<Tensor> stored = params.names().stream().map(n -> golden.get("param." + STORED.get(n))).toList();
            params.update(stored, (w, other) -> other);

            Tensor x = golden.get("in.x").track();
            State past = golden.has("in.k_cache")
                    ? new State(golden.get("in.k_cache").track(), golden.get("in.v_cache").track(), (long) golden.number("P"))
                    : layer.start(x.dim(0));
            SoftmaxAttention.Attended all = layer.attend(x, past);
            golden.assertMet("out.y", all.y());
            golden.assertMet("out.lse", all.lse());
            golden.assertMet("out.k_cache", all.keys());
            golden.assertMet("out.v_cache", all.values());

            Map<String, Tensor> leaves = new LinkedHashMap<>();
            leaves.put("grad.in.x", x);
            if (golden.has("in.k_cache")) {
                leaves.put("grad.in.k_cache", past.keys());
                leaves.put("grad.in.v_cache", past.values());
            }
            params.trainable().forEach((n, value) -> leaves.put("grad.param." + STORED.get(n), value));
            for (Form form : Form.values()) {
                Tensor y = layer.forward(x, past, form).y();
                golden.assertMet("out.y", y);
                List<Tensor> slopes = grad(List.of(y), List.of(golden.get("cot.y")), List.copyOf(leaves.values()));
                int i = 0;
                for (String leaf : leaves.keySet()) {
                    golden.assertMet(leaf, slopes.get(i++));
                }
            }
        }
    }

    // ---- laws ----

    @Provide
    Arbitrary<Config> configs() {
        Config plain = Config.of(8, 4).kvHeads(2);
        return Arbitraries.of(plain, plain.qkNorm(true).rope(500, 0), plain.window(3, 0), plain.window(1, 0), plain.window(4, 2),
                Config.of(8, 2).headSize(6).rope(10_000, 4).softcap(5));
    }

    @Property(tries = 60)
    void cutting_a_sequence_and_carrying_the_state_changes_nothing(@ForAll("configs") Config config, @ForAll boolean tracked,
            @ForAll @IntRange(min = 1, max = 70) int before, @ForAll @IntRange(min = 1, max = 70) int after,
            @ForAll Form first, @ForAll Form second, @ForAll long seed) {
        try (Scope scope = Scope.open("law")) {
            Params params = Params.fresh(Key.of(seed), DType.F64);
            SoftmaxAttention trained = new SoftmaxAttention(params, config);
            SoftmaxAttention layer = tracked ? trained : new SoftmaxAttention(params.frozen(), config);
            Tensor x = normal(Key.of(seed).child("x"), DType.F64, Shape.of(2, before + after, 8));
            Step<State> whole = layer.forward(x, layer.start(2), Form.PARALLEL);
            Step<State> head = layer.forward(x.slice(1, 0, before), layer.start(2), first);
            Step<State> tail = layer.forward(x.slice(1, before, before + after), head.state(), second);
            assertClose(whole.y(), Tensor.concat(1, List.of(head.y(), tail.y())));
            assertEquals(whole.state().position(), tail.state().position());
            if (config.prefix() == 0) {
                assertClose(whole.state().keys(), tail.state().keys());
                assertClose(whole.state().values(), tail.state().values());
            }
        }
    }

    /** Sums of at most 140 terms near 1, in double. */
    private static void assertClose(Tensor a, Tensor b) {
        assertEquals(a.shape(), b.shape());
        assertArrayEquals(a.toDoubles(), b.toDoubles(), 1e-12);
    }

    // ---- the cache ----

    private final Params params = Params.fresh(Key.of(3), DType.F32);
    private final SoftmaxAttention trained = new SoftmaxAttention(params, Config.of(8, 2));
    private final SoftmaxAttention writer = new SoftmaxAttention(params.frozen(), Config.of(8, 2));

    private static Tensor tokens(String name, long time) {
        return normal(Key.of(5).child(name), DType.F32, Shape.of(1, time, 8));
    }

    @Test
    void a_token_is_appended_where_the_past_lies() {
        State state = writer.forward(tokens("prompt", 5), writer.start(1), Form.PARALLEL).state();
        state = writer.forward(tokens("a", 1), state, Form.RECURRENT).state();
        Object room = state.keys().memory();
        int moves = 0;
        for (int i = 0; i < 500; i++) {
            try (Scope scope = Scope.open("token")) {
                state = writer.forward(tokens("t" + i, 1), state, Form.RECURRENT).state();
            }
            if (state.keys().memory() != room) {
                room = state.keys().memory();
                moves++;
            }
        }
        assertEquals(506, state.keys().dim(2));
        assertEquals(4, moves, "room doubles: 32, 66, 134, 270, 542");
    }

    @Test
    void a_token_costs_memory_that_does_not_grow_with_the_past() {
        // Plain loops: bringing a vector kernel up to speed takes memory for a moment.
        try (Backend.Narrowed plain = Backend.only(Backend.SCALAR, Backend.REFERENCE)) {
            State state = writer.forward(tokens("prompt", 3000), writer.start(1), Form.PARALLEL).state();
            state = writer.forward(tokens("a", 1), state, Form.RECURRENT).state();
            long pastBytes = 3001 * 8 * 4 * 2;
            HostPool pool = HostPool.shared();
            try (Scope scope = Scope.open("token")) {
                pool.resetPeak();
                long before = pool.liveBytes();
                writer.forward(tokens("b", 1), state, Form.RECURRENT);
                long taken = pool.peakBytes() - before;
                assertTrue(taken < pastBytes / 10, taken + " bytes taken, the past has " + pastBytes);
            }
        }
    }

    @Test
    void a_window_keeps_what_can_be_seen_in_room_that_does_not_grow() {
        SoftmaxAttention local = new SoftmaxAttention(params.frozen(), Config.of(8, 2).window(10, 0));
        State state = local.forward(tokens("prompt", 5), local.start(1), Form.PARALLEL).state();
        for (int i = 0; i < 200; i++) {
            state = local.forward(tokens("t" + i, 1), state, Form.RECURRENT).state();
        }
        assertEquals(9, state.keys().dim(2));
        assertEquals(205, state.position());
    }

    @Test
    void two_continuations_of_one_past_do_not_disturb_each_other() {
        State state = writer.forward(tokens("prompt", 5), writer.start(1), Form.PARALLEL).state();
        state = writer.forward(tokens("a", 1), state, Form.RECURRENT).state();
        State left = writer.forward(tokens("left", 1), state, Form.RECURRENT).state();
        float[] before = left.keys().toFloats();
        State right = writer.forward(tokens("right", 1), state, Form.RECURRENT).state();
        assertSame(state.keys().memory(), left.keys().memory());
        assertNotSame(state.keys().memory(), right.keys().memory());
        assertArrayEquals(before, left.keys().toFloats());
        assertArrayEquals(state.keys().toFloats(), right.keys().slice(2, 0, 6).toFloats());
    }

    @Test
    void gradients_reach_the_past_through_a_carried_state() {
        Tensor first = tokens("first", 3).track();
        State state = trained.forward(first, trained.start(1), Form.PARALLEL).state();
        List<Tensor> ys = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Step<State> step = trained.forward(tokens("t" + i, 1), state, Form.RECURRENT);
            ys.add(step.y());
            state = step.state();
        }
        double reached = grad(Tensor.concat(1, ys).square().sum(), first).abs().sum().item();
        assertTrue(reached > 0);

        State cut = States.map(state, Tensor::detach);
        double none = grad(trained.forward(tokens("t", 1), cut, Form.RECURRENT).y().square().sum(), first).abs().sum().item();
        assertEquals(0, none);
    }

    @Test
    void heads_that_do_not_divide_are_refused() {
        var e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 4).kvHeads(3));
        assertEquals("attention: 4 query heads do not divide into 3 groups", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 3));
        assertEquals("attention: a width of 8 does not divide into 3 heads", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 2).rope(1e4, 3));
        assertEquals("attention: 3 rotated features of 4, an even number is needed", e.getMessage());
    }
}
