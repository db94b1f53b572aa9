package dev.gatun.layers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.layers.MLstm.Config;
import java.util.List;
import org.junit.jupiter.api.Test;

class MLstmTest extends SequenceLayerLaws {

    @Override
    List<Kind> kinds() {
        Config plain = Config.of(WIDTH, 2).inputBias(-1);
        MLstmBlock.Config block = MLstmBlock.Config.of(WIDTH, 2).inner(16);
        return List.of(
                new Kind("7B", p -> new MLstm(p, plain)),
                new Kind("7B, no cap, other keys, chunks of 5", p -> new MLstm(p, plain.gateCap(0).keyWidth(6).chunk(5))),
                new Kind("7B, small input gates", p -> new MLstm(p, plain.inputBias(-10))),
                new Kind("7B, sigmoid input gate", p -> new MLstm(p, plain.sigmoidInput(true))),
                new Kind("7B, eps", p -> new MLstm(p, plain.eps(1e-3))),
                new Kind("v1", p -> new MLstmBlock(p, block)),
                new Kind("v1, sigmoid input gate, chunks of 6", p -> new MLstmBlock(p, block.cell(true, 0).sizes(3, 2).chunk(6))));
    }

    @Test
    void forget_gates_start_between_three_and_six() {
        Params params = Params.fresh(Key.of(1), DType.F64);
        new MLstm(params, Config.of(12, 3));
        assertArrayEquals(new double[] {3, 4.5, 6}, params.entries().get("forget_gate.bias").toDoubles());
        assertArrayEquals(new double[] {-10, -10, -10}, params.entries().get("input_gate.bias").toDoubles());
    }

    @Test
    void bad_input_is_refused_with_both_values() {
        var e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 3));
        assertEquals("mlstm: values of 8 and keys of 4 features do not divide into 3 heads", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> Config.of(8, 2).eps(-1));
        assertEquals("mlstm: eps and the cap of gates must not be negative, are -1.0 and 15.0", e.getMessage());
        e = assertThrows(IllegalArgumentException.class, () -> MLstmBlock.Config.of(8, 2).sizes(4, 5));
        assertEquals("mlstm block: 64 features do not divide into blocks of 5", e.getMessage());

        MLstm layer = new MLstm(Params.fresh(Key.of(1), DType.F32), Config.of(8, 2));
        MLstm.State other = MLstm.State.empty(DType.F32, 1, 2, 3, 4);
        e = assertThrows(ShapeException.class, () -> layer.forward(Tensor.zeros(DType.F32, Shape.of(1, 2, 8)), other, Form.PARALLEL));
        assertEquals("mlstm: the state's c is [1, 2, 3, 4], for x [1, 2, 8] it must be [1, 2, 2, 4]\n"
                + "  x: f32[1, 2, 8] cpu\n  c: f32[1, 2, 3, 4] cpu", e.getMessage());
    }
}
