package dev.gatun.layers;

import static dev.gatun.ops.Random.normal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.LinearAttention.Config;
import java.util.List;
import org.junit.jupiter.api.Test;

class LinearAttentionTest extends SequenceLayerLaws {

    @Override
    List<Kind> kinds() {
        Config normalized = Config.of(WIDTH, 2);
        return List.of(
                kind("elu + 1, normalised", normalized),
                kind("elu + 1, other sizes, chunks of 7", normalized.sizes(3, 5).chunk(7)),
                kind("elu + 1, not normalised", normalized.normalized(false).scale(0.5, 0)),
                kind("plain", normalized.plain().chunk(13)));
    }

    private static Kind kind(String name, Config config) {
        return new Kind(name, p -> new LinearAttention(p, config));
    }

    @Test
    void without_order_the_last_query_reads_what_it_reads_with_order() {
        Tensor q = normal(Key.of(1), DType.F64, Shape.of(2, 2, 9, 3));
        Tensor k = normal(Key.of(2), DType.F64, Shape.of(2, 2, 9, 3));
        Tensor v = normal(Key.of(3), DType.F64, Shape.of(2, 2, 9, 4));
        boolean[] seen = new boolean[18];
        for (int i = 0; i < seen.length; i++) {
            seen[i] = i % 3 != 1;
        }
        Tensor mask = Tensor.of(Shape.of(2, 9), seen);
        Config config = Config.of(6, 2).sizes(3, 4);
        LinearAttention.State none = new LinearAttention.State(Tensor.zeros(DType.F64, Shape.of(2, 2, 3, 4)),
                Tensor.zeros(DType.F64, Shape.of(2, 2, 3)));
        Tensor causal = LinearAttention.attend(config, q, k, v, mask, none, Form.PARALLEL).y();
        Tensor all = LinearAttention.bidirectional(config, q, k, v, mask);
        assertArrayEquals(all.slice(2, 8, 9).toDoubles(), causal.slice(2, 8, 9).toDoubles(), 1e-13);
    }

    @Test
    void bad_input_is_refused_with_both_values() {
        var e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 3));
        assertEquals("linear attention: a width of 8 does not divide into 3 heads", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 2).plain().normalized(true));
        assertEquals("linear attention: only positive features can be normalised, IDENTITY is not", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 2).chunk(-4));
        assertEquals("linear attention: a chunk of -4 tokens, at least 1 is needed", e.getMessage());

        LinearAttention layer = new LinearAttention(Params.fresh(Key.of(1), DType.F32), Config.of(8, 2));
        Tensor x = Tensor.zeros(DType.F32, Shape.of(2, 3, 8));
        Tensor narrow = Tensor.zeros(DType.F32, Shape.of(2, 3, 6));
        e = assertThrows(ShapeException.class, () -> layer.forward(narrow, layer.start(2), Form.PARALLEL));
        assertEquals("linear attention: x has 6 features, the layer has 8\n  x: f32[2, 3, 6] cpu", e.getMessage());
        e = assertThrows(ShapeException.class, () -> layer.forward(x, layer.start(3), Form.PARALLEL));
        assertEquals("linear attention: the state's sums is [3, 2, 4, 4], for x [2, 3, 8] it must be [2, 2, 4, 4]\n"
                + "  x: f32[2, 3, 8] cpu\n  sums: f32[3, 2, 4, 4] cpu", e.getMessage());
    }
}
