package dev.gatun.layers;

import static dev.gatun.ops.Random.normal;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.GatedLinearAttention.Config;
import dev.gatun.ops.sequence.DecayChunk;
import java.util.List;
import org.junit.jupiter.api.Test;

class GatedLinearAttentionTest extends SequenceLayerLaws {

    @Override
    List<Kind> kinds() {
        return List.of(
                new Kind("plain", p -> new GatedLinearAttention(p, Config.of(WIDTH, 2).rank(3))),
                new Kind("fast gates, chunks of 9", p -> new GatedLinearAttention(p, new Config(WIDTH, 2, 6, 2, 1, 9))));
    }

    @Test
    void equal_gates_for_all_channels_are_one_gate() {
        Key key = Key.of(3);
        Tensor q = normal(key.child("q"), DType.F64, Shape.of(2, 2, 40, 3));
        Tensor k = normal(key.child("k"), DType.F64, Shape.of(2, 2, 40, 3));
        Tensor v = normal(key.child("v"), DType.F64, Shape.of(2, 2, 40, 4));
        Tensor g = normal(key.child("g"), DType.F64, Shape.of(2, 2, 40)).abs().neg();
        Tensor state = normal(key.child("state"), DType.F64, Shape.of(2, 2, 3, 4));
        DecayChunk.Result one = DecayChunk.decayChunk(q, k, v, g, state, null, 0);
        DecayChunk.Result each = DecayChunk.decayChunk(q, k, v, g.insertAxis(-1).expand(q.shape()), state, null, 0);
        assertArrayEquals(one.y().toDoubles(), each.y().toDoubles(), 1e-12);
        assertArrayEquals(one.state().toDoubles(), each.state().toDoubles(), 1e-12);
    }

    @Test
    void bad_options_are_refused_with_both_values() {
        var e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 3));
        assertEquals("gated linear attention: values of 8 and keys of 4 features do not divide into 3 heads", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 2).rank(0));
        assertEquals("gated linear attention: rank and temper must be positive, are 0 and 16.0", e.getMessage());
    }
}
