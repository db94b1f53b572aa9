package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.CausalConv.causalConv;
import static dev.gatun.ops.sequence.DecayMatrix.decayMatrix;
import static dev.gatun.ops.sequence.LinearScan.linearScan;
import static dev.gatun.ops.sequence.LinearScan.reverseLinearScan;
import static dev.gatun.ops.sequence.NewtonSchulz.newtonSchulz;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.DType;
import dev.gatun.engine.Key;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Random;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ScansTest {

    private static final double INF = Double.POSITIVE_INFINITY;

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void scans_worked_out_by_hand(DType dtype) {
        Tensor a = Tensor.of(dtype, Shape.of(3, 1), 2, 3, 4);
        Tensor b = Tensor.of(dtype, Shape.of(3, 1), 1, 1, 1);
        Tensor state = Tensor.of(dtype, 1);
        assertArrayEquals(new double[] {3, 10, 41}, linearScan(a, b, state).toDoubles());
        assertArrayEquals(new double[] {33, 16, 5}, reverseLinearScan(a, b, state).toDoubles());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void a_scan_of_no_steps_is_empty(DType dtype) {
        Tensor none = Tensor.zeros(dtype, Shape.of(2, 0, 3));
        assertEquals(Shape.of(2, 0, 3), linearScan(none, none, Tensor.zeros(dtype, Shape.of(2, 3))).shape());
    }

    @Test
    void a_scan_needs_a_state_for_each_line() {
        Tensor a = Tensor.zeros(DType.F32, Shape.of(2, 5, 3));
        assertEquals("""
                linearScan: a state for each line is needed: a is [2, 5, 3], the state [3]
                  a: f32[2, 5, 3] cpu
                  b: f32[2, 5, 3] cpu
                  state: f32[3] cpu""",
                assertThrows(ShapeException.class, () -> linearScan(a, a, Tensor.zeros(DType.F32, Shape.of(3)))).getMessage());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void the_last_tap_meets_the_current_input(DType dtype) {
        Tensor x = Tensor.of(dtype, Shape.of(1, 3, 1), 1, 2, 3);
        Tensor w = Tensor.of(dtype, Shape.of(1, 2), 10, 1);
        assertArrayEquals(new double[] {1, 12, 23}, causalConv(x, w, null, false).y().toDoubles());
        CausalConv.Result result = causalConv(x, w, Tensor.of(dtype, 100), Tensor.of(dtype, Shape.of(1, 1, 1), 5), false);
        assertArrayEquals(new double[] {151, 112, 123}, result.y().toDoubles());
        assertArrayEquals(new double[] {3}, result.state().toDoubles());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void cutting_a_sequence_and_carrying_the_state_changes_no_bit(DType dtype) {
        Key key = Key.of(3);
        Tensor x = Random.normal(key.child("x"), dtype, Shape.of(2, 9, 20));
        Tensor w = Random.normal(key.child("w"), dtype, Shape.of(20, 4));
        Tensor bias = Random.normal(key.child("bias"), dtype, Shape.of(20));
        CausalConv.Result whole = causalConv(x, w, bias, true);
        for (long cut : new long[] {1, 2, 5}) { // below, at and above the length of the state
            CausalConv.Result head = causalConv(x.slice(1, 0, cut), w, bias, true);
            CausalConv.Result tail = causalConv(x.slice(1, cut, 9), w, bias, head.state(), true);
            assertArrayEquals(whole.y().toDoubles(), Tensor.concat(1, List.of(head.y(), tail.y())).toDoubles());
            assertArrayEquals(whole.state().toDoubles(), tail.state().toDoubles());
        }
    }

    @Test
    void a_state_of_another_length_is_refused() {
        Tensor x = Tensor.zeros(DType.F32, Shape.of(1, 3, 2));
        Tensor w = Tensor.zeros(DType.F32, Shape.of(2, 4));
        assertEquals("""
                causalConv: the state is [1, 2, 2], for these x and w it must be [1, 3, 2]
                  x: f32[1, 3, 2] cpu
                  w: f32[2, 4] cpu
                  state: f32[1, 2, 2] cpu""",
                assertThrows(ShapeException.class, () -> causalConv(x, w, null, Tensor.zeros(DType.F32, Shape.of(1, 2, 2)), false)).getMessage());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void a_decay_of_zero_cuts_the_past_off(DType dtype) {
        Tensor decay = decayMatrix(Tensor.of(dtype, Math.log(0.5), Math.log(0.5), -INF, Math.log(0.25)));
        assertArrayEquals(new double[] {
            1, 0, 0, 0,
            0.5, 1, 0, 0,
            0, 0, 1, 0,
            0, 0, 0.25, 1,
        }, decay.toDoubles(), 1e-7);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void singular_values_move_near_one_and_tall_is_wide_turned(DType dtype) {
        Tensor g = Random.normal(Key.of(9), dtype, Shape.of(2, 4, 9));
        Tensor x = newtonSchulz(g);
        Tensor squares = x.matmul(x.transpose()).sub(Tensor.of(dtype, Shape.of(4, 4), 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1));
        // squares of 0.68 to 1.16, less one, on the diagonal and around it
        assertTrue(squares.abs().reshape(-1).max(0).item() < 0.6);
        assertArrayEquals(x.toDoubles(), newtonSchulz(g.transpose()).transpose().toDoubles(), 1e-5);
        assertArrayEquals(new double[4], newtonSchulz(Tensor.zeros(dtype, Shape.of(2, 2))).toDoubles());
    }
}
