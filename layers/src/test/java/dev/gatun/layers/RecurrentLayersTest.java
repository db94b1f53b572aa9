package dev.gatun.layers;

import static dev.gatun.ops.Norms.l2Norm;
import static dev.gatun.ops.Random.normal;
import static dev.gatun.ops.sequence.DeltaRule.deltaRule;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.sequence.DeltaRule;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Mamba, DeltaNets and sLSTM: where they start, what they are equal to, and what they refuse. */
class RecurrentLayersTest {

    private final Params params = Params.fresh(Key.of(1), DType.F64);

    private static Tensor drawn(String name, long... dims) {
        return normal(Key.of(2).child(name), DType.F64, Shape.of(dims));
    }

    @Test
    void a_memory_that_fades_by_nothing_is_one_that_does_not_fade() {
        Tensor q = l2Norm(drawn("q", 2, 3, 70, 4));
        Tensor k = l2Norm(drawn("k", 2, 3, 70, 4));
        Tensor v = drawn("v", 2, 3, 70, 5);
        Tensor beta = drawn("beta", 2, 3, 70).sigmoid().mul(2);
        Tensor state = drawn("state", 2, 3, 4, 5);
        DeltaRule.Result plain = deltaRule(q, k, v, beta, null, state);
        DeltaRule.Result faded = deltaRule(q, k, v, beta, Tensor.zeros(DType.F64, beta.shape()), state);
        assertArrayEquals(plain.y().toDoubles(), faded.y().toDoubles(), 1e-12);
        assertArrayEquals(plain.state().toDoubles(), faded.state().toDoubles(), 1e-12);
    }

    @Test
    void parameters_start_where_the_papers_say() {
        new Mamba(params.at("mamba"), Mamba.Config.of(8).states(3));
        new SLstm(params.at("slstm"), SLstm.Config.of(6, 2));
        new DeltaNet(params.at("delta"), DeltaNet.Config.gated(8, 4));
        assertArrayEquals(new double[] {0, Math.log(2), Math.log(3)}, params.entries().get("mamba.a_log").slice(0, 5, 6).toDoubles(), 1e-15);
        assertEquals(16, params.entries().get("mamba.skip").sum().item());
        for (double bias : params.entries().get("mamba.dt.bias").toDoubles()) {
            double dt = Math.log1p(Math.exp(bias));
            assertTrue(dt >= 0.001 - 1e-12 && dt <= 0.1 + 1e-12, "a step of " + dt);
        }
        double middle = 5 - 12 * Math.pow(0.5, 0.3);
        assertArrayEquals(new double[] {5, middle, -7, 5, middle, -7}, params.entries().get("slstm.bias").slice(0, 1, 2).toDoubles(), 1e-12);
        assertEquals(0, params.entries().get("slstm.mix").abs().sum().item());
        for (double logA : params.entries().get("delta.a_log").toDoubles()) {
            assertTrue(logA <= Math.log(16), "a decay of " + logA);
        }
    }

    @Test
    void tokens_of_another_width_are_refused() {
        Mamba layer = new Mamba(params, Mamba.Config.of(8));
        var e = assertThrows(IllegalArgumentException.class, () -> layer.forward(drawn("x", 2, 3, 9), layer.start(2), Form.PARALLEL));
        assertEquals("mamba: x has 9 features, the layer has 8\n  x: f64[2, 3, 9] cpu", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> layer.forward(drawn("x", 2, 8), layer.start(2), Form.PARALLEL));
        assertEquals("mamba: x is [B, T, D], three axes and not 2\n  x: f64[2, 8] cpu", e.getMessage());
    }

    @Test
    void a_state_of_another_batch_is_refused() {
        DeltaNet layer = new DeltaNet(params, DeltaNet.Config.of(8, 2));
        var e = assertThrows(IllegalArgumentException.class, () -> layer.forward(drawn("x", 2, 3, 8), layer.start(3), Form.RECURRENT));
        assertEquals("deltaNet: the state's memory is [3, 2, 4, 4], for x [2, 3, 8] it must be [2, 2, 4, 4]\n"
                + "  x: f64[2, 3, 8] cpu\n  memory: f64[3, 2, 4, 4] cpu", e.getMessage());
    }

    @Test
    void a_gate_that_is_not_finite_is_refused() {
        SLstm layer = new SLstm(params, SLstm.Config.of(2, 1));
        Tensor x = Tensor.of(DType.F64, Shape.of(1, 1, 2), Double.POSITIVE_INFINITY, 0);
        var e = assertThrows(IllegalArgumentException.class, () -> layer.forward(x, layer.start(1), Form.PARALLEL));
        assertTrue(e.getMessage().startsWith("sLstm: the gate [i, f, z, o] is "), e.getMessage());
        assertTrue(e.getMessage().contains("of [1, 1, 4, 1, 2], a finite number is needed"), e.getMessage());
    }

    @Test
    void configurations_without_sense_are_refused() {
        List<IllegalArgumentException> refusals = List.of(
                assertThrows(IllegalArgumentException.class, () -> Mamba.Config.of(8).chunk(-3)),
                assertThrows(IllegalArgumentException.class, () -> DeltaNet.Config.gated(8, 3)),
                assertThrows(IllegalArgumentException.class, () -> SLstm.Config.of(8, 2).layer(3, 3)));
        assertEquals("mamba: a chunk of -3 tokens, at least 1 is needed", refusals.get(0).getMessage());
        assertEquals("gatedDeltaNet: a width of 8 does not divide into 3 heads", refusals.get(1).getMessage());
        assertEquals("sLstm: taps 4 must be positive, index 3 from 0 to below the depth, 3", refusals.get(2).getMessage());
    }
}
