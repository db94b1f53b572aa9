package dev.gatun.layers;

import static dev.gatun.autograd.Autograd.grad;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LayersTest {

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void linear_meets_its_stored_case(DType dtype) throws Exception {
        try (Goldens golden = new Goldens("linear", dtype)) {
            Params params = Params.fresh(Key.of(1), dtype);
            Linear layer = new Linear(params, 7, 9, true);
            params.update(List.of(golden.get("param.weight"), golden.get("param.bias")), (w, stored) -> stored);
            Tensor x = golden.get("in.x").track();
            Tensor y = layer.forward(x);
            golden.assertMet("out.y", y);
            List<Tensor> slopes = grad(List.of(y), List.of(golden.get("cot.y")), List.of(x, params.values().get(0), params.values().get(1)));
            golden.assertMet("grad.in.x", slopes.get(0));
            golden.assertMet("grad.param.weight", slopes.get(1));
            golden.assertMet("grad.param.bias", slopes.get(2));
        }
    }

    @Test
    void norms_start_without_weights_of_their_own() {
        Params params = Params.fresh(Key.of(1), DType.F64);
        Tensor x = Tensor.of(DType.F64, Shape.of(1, 2), 3, 4);
        double root = Math.sqrt(12.5 + 1e-6);
        assertArrayEquals(new double[] {3 / root, 4 / root}, new RmsNorm(params.at("rms"), 2).forward(x).toDoubles(), 1e-14);
        double deviation = Math.sqrt(0.25 + 1e-5);
        assertArrayEquals(new double[] {-0.5 / deviation, 0.5 / deviation}, new LayerNorm(params.at("layer"), 2).forward(x).toDoubles(), 1e-14);
        assertEquals(List.of("rms.weight", "layer.weight", "layer.bias"), params.names());
    }

    @Test
    void an_embedding_gives_rows_and_scores_against_them() {
        Params params = Params.fresh(Key.of(1), DType.F64);
        Embedding embedding = new Embedding(params.at("embed"), 3, 2);
        params.update(List.of(Tensor.of(DType.F64, Shape.of(3, 2), 1, 2, 3, 4, 5, 6)), (w, stored) -> stored);
        Tensor rows = embedding.forward(Tensor.of(Shape.of(1, 2), 2L, 0L));
        assertArrayEquals(new double[] {5, 6, 1, 2}, rows.toDoubles());
        assertArrayEquals(new double[] {17, 39, 61, 5, 11, 17}, embedding.scores(rows).toDoubles());
    }

    @Test
    void a_gated_feed_forward_is_its_formula() {
        Params params = Params.fresh(Key.of(1), DType.F64);
        SwiGlu ffn = new SwiGlu(params.at("ffn"), 1, 1);
        params.update(List.of(one(1), one(2), one(3)), (w, stored) -> stored);
        // gate 0.5, up 1: 3 * 0.5 sigmoid(0.5) * 1
        assertEquals(1.5 / (1 + Math.exp(-0.5)), ffn.forward(one(0.5)).item(), 1e-14);
        assertEquals(List.of("ffn.gate.weight", "ffn.up.weight", "ffn.down.weight"), params.names());
    }

    private static Tensor one(double value) {
        return Tensor.of(DType.F64, Shape.of(1, 1), value);
    }

    @Test
    void hidden_features_are_rounded_up() {
        assertEquals(352, SwiGlu.hidden(128, 32));
        assertEquals(3, SwiGlu.hidden(1, 1));
        assertEquals(64, SwiGlu.hidden(24, 32));
    }
}
