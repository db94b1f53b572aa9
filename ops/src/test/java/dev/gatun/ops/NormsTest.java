package dev.gatun.ops;

import static dev.gatun.ops.LayerNorm.layerNorm;
import static dev.gatun.ops.Norms.gateThenRmsNorm;
import static dev.gatun.ops.Norms.groupLayerNorm;
import static dev.gatun.ops.Norms.l2Norm;
import static dev.gatun.ops.Norms.rmsNormThenGate;
import static dev.gatun.ops.RmsNorm.rmsNorm;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NormsTest {

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void rows_worked_out_by_hand(DType dtype) {
        Tensor x = Tensor.of(dtype, 1, 3);
        Tensor w = Tensor.of(dtype, 2, 5);
        assertArrayEquals(new double[] {-2 + 10, 5 + 20}, layerNorm(x, w, Tensor.of(dtype, 10, 20), 0).toDoubles(), 1e-6);
        assertArrayEquals(new double[] {2 / Math.sqrt(5), 15 / Math.sqrt(5)}, rmsNorm(x, w, 0).toDoubles(), 1e-6);
        assertArrayEquals(new double[] {0.6, 0.8}, l2Norm(Tensor.of(dtype, 3, 4), 0).toDoubles(), 1e-7);
        assertArrayEquals(new double[] {-1, 1, -2, 2},
                groupLayerNorm(Tensor.of(dtype, 1, 3, 10, 30), 2, Tensor.of(dtype, 1, 1, 2, 2), 0).toDoubles(), 1e-6);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void a_gate_of_zero_closes(DType dtype) {
        Tensor x = Tensor.of(dtype, 1, 3);
        Tensor one = Tensor.ones(dtype, Shape.of(2));
        Tensor zero = Tensor.zeros(dtype, Shape.of(2));
        assertArrayEquals(new double[2], rmsNormThenGate(x, zero, one, 1e-5).toDoubles());
        assertArrayEquals(new double[2], gateThenRmsNorm(x, zero, one, 1e-5).toDoubles());
    }

    @Test
    void a_mean_a_thousand_times_the_spread_costs_float_no_more_than_its_rounding() {
        Tensor spread = Random.uniform(Key.of(1), DType.F64, Shape.of(4, 100), -1, 1).to(DType.F32);
        Tensor x = spread.add(1024);
        Tensor one = Tensor.ones(DType.F32, Shape.of(100));
        // Half a unit in the last place of the mean is 2^-14, and its sum of four rounds loses as much in each; over a
        // spread of 0.58. In one pass, the variance would be lost altogether.
        assertArrayEquals(layerNorm(x.to(DType.F64), one.to(DType.F64), 0).toDoubles(), layerNorm(x, one, 0).toDoubles(), 5 * 0x1p-14 / 0.58);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void heads_may_have_weights_of_their_own(DType dtype) {
        Tensor x = Random.normal(Key.of(2), dtype, Shape.of(3, 2, 20));
        Tensor w = Random.normal(Key.of(3), dtype, Shape.of(2, 20));
        Tensor plain = rmsNorm(x, Tensor.ones(dtype, Shape.of(20)), 1e-5).mul(w);
        assertArrayEquals(plain.toDoubles(), rmsNorm(x, w, 1e-5).toDoubles(), 1e-6);
    }

    @Test
    void a_weight_must_fit_the_last_axes() {
        Tensor x = Tensor.zeros(DType.F32, Shape.of(2, 3));
        assertEquals("""
                rmsNorm: the weight is [4] and does not fit the last axes of x, [2, 3]
                  x: f32[2, 3] cpu
                  w: f32[4] cpu""",
                assertThrows(ShapeException.class, () -> rmsNorm(x, Tensor.zeros(DType.F32, Shape.of(4)), 0)).getMessage());
        Tensor w = Tensor.zeros(DType.F32, Shape.of(3));
        assertEquals("""
                layerNorm: the bias is f32[1], the weight f32[3]
                  x: f32[2, 3] cpu
                  w: f32[3] cpu
                  b: f32[1] cpu""",
                assertThrows(ShapeException.class, () -> layerNorm(x, w, Tensor.zeros(DType.F32, Shape.of(1)), 0)).getMessage());
        assertEquals("groupLayerNorm: a width of 3 does not divide by 2 groups\n  x: f32[2, 3] cpu",
                assertThrows(ShapeException.class, () -> groupLayerNorm(x, 2, w, 0)).getMessage());
    }
}
