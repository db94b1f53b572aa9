package dev.gatun.layers;

import static dev.gatun.autograd.Autograd.differentiableGrad;
import static dev.gatun.autograd.Autograd.grad;
import static dev.gatun.ops.Norms.l2Norm;
import static dev.gatun.ops.Random.normal;
import static dev.gatun.ops.Random.uniform;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Scope;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.memory.DotMemory;
import dev.gatun.layers.memory.FastMemory;
import dev.gatun.layers.memory.Loss;
import dev.gatun.layers.memory.Memory.Tokens;
import dev.gatun.layers.memory.MemoryAsContext;
import dev.gatun.layers.memory.Network;
import dev.gatun.layers.memory.Polynomial;
import dev.gatun.layers.memory.Rule;
import dev.gatun.layers.memory.Setup;
import dev.gatun.ops.Activations;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Memories that are the same thing said differently, and what they refuse. */
class MemoryTest {

    private static final Key KEY = Key.of(11);
    private static final long SIZE = 4;

    /** Random tokens of two sequences and two heads, keys and queries of length 1. */
    private static Tokens tokens(long time, long window) {
        Shape x = Shape.of(2, 2, time, SIZE);
        Shape gate = x.drop(3);
        return new Tokens(l2Norm(normal(KEY.child("q"), DType.F64, x)), l2Norm(normal(KEY.child("k"), DType.F64, x)),
                normal(KEY.child("v"), DType.F64, x), uniform(KEY.child("r"), DType.F64, gate, 0.7, 1),
                uniform(KEY.child("m"), DType.F64, gate, 0, 0.7), uniform(KEY.child("l"), DType.F64, gate, 0, 0.1),
                window == 0 ? null : uniform(KEY.child("g"), DType.F64, gate.insert(-1, window), 0, 1));
    }

    private static FastMemory memory(FastMemory.Config config) {
        return new FastMemory(Params.fresh(Key.of(3), DType.F64), 2, SIZE, SIZE, config);
    }

    private static FastMemory.Config config(Network network, Rule rule, Loss loss, long chunk, long window, int degree) {
        return new FastMemory.Config(network, 5, rule, loss, chunk, window, degree);
    }

    private static void assertClose(Tensor a, Tensor b) {
        assertEquals(a.shape(), b.shape());
        assertArrayEquals(a.toDoubles(), b.toDoubles(), 1e-11);
    }

    @ParameterizedTest
    @EnumSource(Rule.class)
    void steps_and_chunks_agree_for_every_rule(Rule rule) {
        for (Network network : List.of(Network.LINEAR, Network.LINEAR.withResidual().withPostnorm(), Network.DEEP, Network.GATED.withPostnorm())) {
            FastMemory memory = memory(config(network, rule, Loss.SQUARED, 3, 2, 2));
            Tokens x = tokens(7, 2);
            Step<FastMemory.State> whole = memory.forward(x, memory.start(2), Form.PARALLEL);
            Step<FastMemory.State> steps = memory.forward(x, memory.start(2), Form.RECURRENT);
            double[] a = whole.y().toDoubles();
            double[] b = steps.y().toDoubles();
            // The appendix' rule makes unit steps of whatever rounding leaves of a gradient.
            assertArrayEquals(a, b, rule == Rule.MUON_IN ? 1e-8 : 1e-11);
        }
    }

    @Test
    void a_linear_memory_that_neither_forgets_nor_moves_on_is_the_delta_rule() {
        Tokens x = tokens(9, 0);
        FastMemory memory = memory(FastMemory.Config.titans(Network.LINEAR, 1, 1));
        Tensor zero = Tensor.zeros(DType.F64, x.rate().shape());
        FastMemory.State start = memory.start(2);
        FastMemory.State empty = new FastMemory.State(start.momentum(), start.momentum(), start.keys(), start.values());
        Tensor y = memory.forward(new Tokens(x.q(), x.k(), x.v(), null, zero, x.rate(), null), empty, Form.PARALLEL).y();

        // S = S + k β (v - Sᵀk)ᵀ with β = 2 λ, read as Sᵀq
        Tensor s = Tensor.zeros(DType.F64, Shape.of(2, 2, SIZE, SIZE));
        List<Tensor> expected = new ArrayList<>();
        for (long t = 0; t < 9; t++) {
            Tensor k = x.k().slice(2, t, t + 1);
            Tensor beta = x.rate().slice(2, t, t + 1).mul(2).insertAxis(-1);
            s = s.add(k.transpose().matmul(x.v().slice(2, t, t + 1).sub(k.matmul(s)).mul(beta)));
            expected.add(x.q().slice(2, t, t + 1).matmul(s));
        }
        assertClose(Tensor.concat(2, expected), y);
    }

    @Test
    void the_omega_rule_with_a_window_of_one_is_titans() {
        Tokens x = tokens(8, 0);
        Tensor ones = Tensor.ones(DType.F64, x.rate().shape().insert(-1, 1));
        FastMemory titans = memory(FastMemory.Config.titans(Network.DEEP, 5, 3));
        Tensor y = titans.forward(x, titans.start(2), Form.PARALLEL).y();
        Tensor weighed = titans.forward(new Tokens(x.q(), x.k(), x.v(), x.retain(), x.momentum(), x.rate(), ones),
                titans.start(2), Form.PARALLEL).y();
        assertClose(y, weighed);
        FastMemory wide = memory(config(Network.DEEP, Rule.GDM, Loss.SQUARED, 3, 3, 0));
        Tensor youngest = Tensor.concat(3, List.of(ones, Tensor.zeros(DType.F64, ones.shape().with(3, 2))));
        assertClose(y, wide.forward(new Tokens(x.q(), x.k(), x.v(), x.retain(), x.momentum(), x.rate(), youngest),
                wide.start(2), Form.PARALLEL).y());
    }

    @Test
    void without_momentum_gradient_descent_with_and_without_it_are_the_same() {
        Tokens x = tokens(8, 2);
        FastMemory with = memory(config(Network.DEEP, Rule.GDM, Loss.SQUARED, 3, 2, 0));
        FastMemory without = memory(config(Network.DEEP, Rule.GD, Loss.SQUARED, 3, 2, 0));
        Tokens still = new Tokens(x.q(), x.k(), x.v(), x.retain(), Tensor.zeros(DType.F64, x.rate().shape()), x.rate(), x.gamma());
        assertClose(with.forward(still, with.start(2), Form.PARALLEL).y(), without.forward(still, without.start(2), Form.PARALLEL).y());
    }

    @Test
    void a_chunk_longer_than_the_sequence_has_one_anchor() {
        Tokens x = tokens(6, 0);
        FastMemory six = memory(FastMemory.Config.titans(Network.DEEP, 5, 6));
        FastMemory hundred = memory(FastMemory.Config.titans(Network.DEEP, 5, 100));
        assertClose(six.forward(x, six.start(2), Form.PARALLEL).y(), hundred.forward(x, hundred.start(2), Form.PARALLEL).y());
    }

    @Test
    void a_linear_memory_under_the_dot_product_is_gated_linear_attention() {
        Tokens x = tokens(9, 1);
        FastMemory memory = memory(config(Network.LINEAR, Rule.GD, Loss.DOT, 4, 1, 0));
        FastMemory.State start = memory.start(2);
        FastMemory.State empty = new FastMemory.State(start.weights().stream().map(w -> w.mul(0)).toList(), List.of(), start.keys(), start.values());
        Tensor s = Tensor.zeros(DType.F64, Shape.of(2, 2, SIZE, SIZE));
        List<Tensor> expected = new ArrayList<>();
        for (long t = 0; t < 9; t++) {
            Tensor write = x.rate().slice(2, t, t + 1).insertAxis(-1).mul(x.gamma().slice(2, t, t + 1));
            s = s.mul(x.retain().slice(2, t, t + 1).insertAxis(-1))
                    .add(x.k().slice(2, t, t + 1).transpose().matmul(x.v().slice(2, t, t + 1).mul(write)));
            expected.add(x.q().slice(2, t, t + 1).matmul(s));
        }
        assertClose(Tensor.concat(2, expected), memory.forward(x, empty, Form.PARALLEL).y());
    }

    @Test
    void dot_is_the_omega_rule_on_features_of_a_high_degree() {
        Tokens x = tokens(7, 3);
        DotMemory dot = new DotMemory(DType.F64, 2, SIZE, SIZE, DotMemory.Config.dot(3));
        FastMemory lifted = memory(config(Network.LINEAR, Rule.GD, Loss.SQUARED, 1, 3, 10));
        // exp(q · k / sqrt K) is φ of both over the fourth root of K; the terms beyond degree 10 are below 1e-10 here.
        double root = Math.pow(SIZE, -0.25);
        FastMemory.State start = lifted.start(2);
        FastMemory.State empty = new FastMemory.State(start.weights().stream().map(w -> w.mul(0)).toList(), List.of(), start.keys(), start.values());
        Tensor y = lifted.forward(new Tokens(x.q().mul(root), x.k().mul(root), x.v(), x.retain(), null, x.rate(), x.gamma()),
                empty, Form.PARALLEL).y();
        assertArrayEquals(y.toDoubles(), dot.forward(x, dot.start(2), Form.PARALLEL).y().toDoubles(), 1e-9);
    }

    @Test
    void polynomial_features_multiply_to_powers_of_the_product() {
        Tensor q = normal(KEY.child("a"), DType.F64, Shape.of(1, 5));
        Tensor k = normal(KEY.child("b"), DType.F64, Shape.of(1, 5));
        Tensor c = Tensor.of(DType.F64, 0.5, 2, 1.5, 0.7);
        double product = q.mul(k).sum().item();
        double expected = 0.25 + 4 * product + 2.25 * product * product + 0.49 * Math.pow(product, 3);
        Tensor features = Polynomial.polynomial(q, c);
        assertEquals(Polynomial.width(5, 3), features.dim(1));
        assertEquals(expected, features.mul(Polynomial.polynomial(k, c)).sum().item(), 1e-11);
    }

    @Test
    void the_inner_gradient_is_that_of_the_plain_loss_token_by_token() {
        Tokens x = tokens(3, 0);
        FastMemory memory = memory(FastMemory.Config.titans(Network.DEEP, 5, 1));
        FastMemory.State state = memory.start(2);
        List<Tensor> w = state.weights();
        List<Tensor> s = state.momentum();
        List<Tensor> expected = new ArrayList<>();
        for (long t = 0; t < 3; t++) {
            Tensor k = x.k().slice(2, t, t + 1);
            Tensor loss = answer(k, w).sub(x.v().slice(2, t, t + 1)).square().sum();
            List<Tensor> slopes = differentiableGrad(loss, w);
            List<Tensor> nextS = new ArrayList<>();
            List<Tensor> nextW = new ArrayList<>();
            for (int i = 0; i < w.size(); i++) {
                nextS.add(s.get(i).mul(column(x.momentum(), t)).sub(slopes.get(i).mul(column(x.rate(), t))));
                nextW.add(w.get(i).mul(column(x.retain(), t)).add(nextS.get(i)));
            }
            s = nextS;
            w = nextW;
            expected.add(answer(x.q().slice(2, t, t + 1), w));
        }
        Tensor plain = Tensor.concat(2, expected);
        Tensor y = memory.forward(x, state, Form.PARALLEL).y();
        assertClose(plain, y);
        // and so are the outer ones, which flow through it
        Tensor g = normal(KEY.child("g"), DType.F64, y.shape());
        List<Tensor> a = grad(List.of(plain), List.of(g), state.weights());
        List<Tensor> b = grad(List.of(y), List.of(g), state.weights());
        for (int i = 0; i < a.size(); i++) {
            assertClose(a.get(i), b.get(i));
        }
    }

    private static Tensor answer(Tensor x, List<Tensor> w) {
        return x.add(Activations.gelu(x.matmul(w.get(0).transpose())).matmul(w.get(1).transpose()));
    }

    private static Tensor column(Tensor gate, long t) {
        return gate.slice(2, t, t + 1).insertAxis(-1);
    }

    @Test
    void gates_of_nothing_and_all_give_finite_numbers_and_gradients() {
        Tensor none = Tensor.zeros(DType.F64, Shape.of(2, 2, 9)).track();
        Tensor all = Tensor.ones(DType.F64, Shape.of(2, 2, 9)).track();
        Tokens x = tokens(9, 2);
        for (Rule rule : Rule.values()) {
            FastMemory memory = memory(config(Network.DEEP, rule, Loss.SQUARED, 4, 2, 0));
            for (Form form : Form.values()) {
                Tensor y = memory.forward(new Tokens(x.q(), x.k(), x.v(), none, all, x.rate(), x.gamma()), memory.start(2), form).y();
                y = y.add(memory.forward(new Tokens(x.q(), x.k(), x.v(), all, none, none, x.gamma()), memory.start(2), form).y());
                assertTrue(Double.isFinite(y.sum().item()));
                for (Tensor slope : grad(y.sum(), List.of(none, all))) {
                    assertTrue(Double.isFinite(slope.sum().item()), rule + " " + form);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void a_context_is_cut_between_segments_without_a_change_and_goes_on_inside_one(MemoryAsContext.Surprise surprise) {
        try (Scope scope = Scope.open("context")) {
            Setup setup = Setup.titans(8, 2).memory(FastMemory.Config.titans(Network.DEEP, 5, 3)).most(0.2);
            MemoryAsContext layer = new MemoryAsContext(Params.fresh(Key.of(5), DType.F64), setup,
                    SoftmaxAttention.Config.of(8, 2).rope(0, 0), 4, 2, surprise);
            Tensor x = normal(KEY.child("x"), DType.F64, Shape.of(2, 10, 8));
            Tensor whole = layer.forward(x, layer.start(2), Form.PARALLEL).y();
            Step<MemoryAsContext.State> head = layer.forward(x.slice(1, 0, 4), layer.start(2), Form.RECURRENT);
            assertClose(whole, Tensor.concat(1, List.of(head.y(), layer.forward(x.slice(1, 4, 10), head.state(), Form.CHUNKWISE).y())));
            // inside a segment the last tokens are those of the whole
            Step<MemoryAsContext.State> part = layer.forward(x.slice(1, 0, 6), layer.start(2), Form.PARALLEL);
            assertClose(whole.slice(1, 6, 10), layer.forward(x.slice(1, 6, 10), part.state(), Form.PARALLEL).y());
        }
    }

    @Test
    void what_does_not_fit_is_refused_with_both_values() {
        assertEquals("memory: chunk 0, window 1 and hidden 5 must be at least 1, degree 0 not negative",
                assertThrows(IllegalArgumentException.class, () -> config(Network.DEEP, Rule.GDM, Loss.SQUARED, 0, 1, 0)).getMessage());
        assertEquals("memory: a width of 8 does not divide into 3 heads",
                assertThrows(IllegalArgumentException.class, () -> dev.gatun.layers.memory.MemoryLayer.of(Params.fresh(KEY, DType.F64),
                        Setup.titans(8, 3))).getMessage());
        assertEquals("memory: a residual adds keys to values, which differ in size: 4 and 5",
                assertThrows(IllegalArgumentException.class, () -> new FastMemory(Params.fresh(KEY, DType.F64), 2, 4, 5,
                        config(Network.DEEP, Rule.GDM, Loss.SQUARED, 1, 1, 0))).getMessage());
        var layer = dev.gatun.layers.memory.MemoryLayer.of(Params.fresh(KEY, DType.F64), Setup.titans(8, 2));
        Tensor x = Tensor.zeros(DType.F64, Shape.of(2, 3, 8));
        assertEquals("memory: tokens are [B, T, 8], not [2, 3, 6]\n  x: f64[2, 3, 6] cpu", assertThrows(IllegalArgumentException.class,
                () -> layer.forward(x.slice(2, 0, 6), layer.start(2), Form.PARALLEL)).getMessage());
        assertEquals("memory: the state is of a batch of 3, x of 2\n  x: f64[2, 3, 8] cpu", assertThrows(IllegalArgumentException.class,
                () -> layer.forward(x, layer.start(3), Form.PARALLEL)).getMessage());

        assertEquals("memory: surprise THROUGH_CONTEXT is for steps that are sums of gradients, not for rule MUON",
                assertThrows(IllegalArgumentException.class, () -> new MemoryAsContext(Params.fresh(KEY, DType.F64),
                        Setup.titans(8, 2).memory(config(Network.DEEP, Rule.MUON, Loss.SQUARED, 3, 1, 0)),
                        SoftmaxAttention.Config.of(8, 2), 4, 2, MemoryAsContext.Surprise.THROUGH_CONTEXT)).getMessage());

        FastMemory memory = memory(config(Network.DEEP, Rule.GDM, Loss.SQUARED, 3, 2, 0));
        FastMemory linear = memory(config(Network.LINEAR, Rule.GDM, Loss.SQUARED, 3, 2, 0));
        Tokens tokens = tokens(5, 2);
        assertEquals("memory: the state is of another memory: it has 1 weights and 1 momenta, this one 2 weights and rule GDM",
                assertThrows(IllegalArgumentException.class, () -> memory.forward(tokens, linear.start(2), Form.PARALLEL)).getMessage());
        Tensor broken = Tensor.full(DType.F64, Shape.of(2, 2, 5), Double.NaN);
        assertEquals("memory: the gate rate has NaN at 0, gates are finite\n  rate: f64[2, 2, 5] cpu",
                assertThrows(IllegalArgumentException.class, () -> memory.forward(new Tokens(tokens.q(), tokens.k(), tokens.v(),
                        tokens.retain(), tokens.momentum(), broken, tokens.gamma()), memory.start(2), Form.PARALLEL)).getMessage());
        assertEquals("memory: gamma must be [2, 2, 5, 2], is [2, 2, 5, 3]\n  gamma: f64[2, 2, 5, 3] cpu",
                assertThrows(IllegalArgumentException.class, () -> memory.forward(tokens(5, 3), memory.start(2), Form.PARALLEL)).getMessage());
    }
}
