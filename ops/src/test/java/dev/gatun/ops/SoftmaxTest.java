package dev.gatun.ops;

import static dev.gatun.ops.LogSoftmax.logSoftmax;
import static dev.gatun.ops.LogSumExp.logSumExp;
import static dev.gatun.ops.Softmax.softmax;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Tensor;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.api.Test;

class SoftmaxTest {

    private static final double INF = Double.POSITIVE_INFINITY;

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void a_row_of_equal_numbers_becomes_equal_shares(DType dtype) {
        double[] fifths = new double[40];
        Arrays.fill(fifths, 0.025);
        assertArrayEquals(fifths, softmax(Tensor.full(dtype, Shape.of(40), 700), -1).toDoubles(), 1e-8);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void logarithms_of_one_two_and_five_become_their_shares(DType dtype) {
        Tensor x = Tensor.of(dtype, Math.log(1), Math.log(2), Math.log(5));
        assertArrayEquals(new double[] {0.125, 0.25, 0.625}, softmax(x, -1).toDoubles(), 1e-7);
        assertArrayEquals(new double[] {Math.log(0.125), Math.log(0.25), Math.log(0.625)}, logSoftmax(x, -1).toDoubles(), 1e-7);
        assertEquals(Math.log(8), logSumExp(x, -1).item(), 1e-6);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void nothing_to_share_is_zeros_and_its_logarithm_minus_infinity(DType dtype) {
        Tensor x = Tensor.of(dtype, Shape.of(2, 2), -INF, -INF, -INF, 3);
        assertArrayEquals(new double[] {0, 0, 0, 1}, softmax(x, -1).toDoubles());
        assertArrayEquals(new double[] {-INF, -INF, -INF, 0}, logSoftmax(x, -1).toDoubles());
        assertArrayEquals(new double[] {-INF, 3}, logSumExp(x, -1).toDoubles());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void a_nan_spoils_its_own_row_only(DType dtype) {
        Tensor x = Tensor.of(dtype, Shape.of(2, 3), 1, Double.NaN, 2, 0, 0, 0);
        assertArrayEquals(new double[] {Double.NaN, Double.NaN, Double.NaN, 1 / 3., 1 / 3., 1 / 3.}, softmax(x, -1).toDoubles(), 1e-7);
        assertEquals(Double.NaN, logSumExp(x, -1).get(0, 0));
    }

    @Test
    void an_empty_axis_sums_to_the_logarithm_of_nothing() {
        assertArrayEquals(new double[] {-INF, -INF}, logSumExp(Tensor.zeros(DType.F32, Shape.of(2, 0)), -1).toDoubles());
        assertEquals(Shape.of(2, 0), softmax(Tensor.zeros(DType.F32, Shape.of(2, 0)), -1).shape());
    }

    @Test
    void the_first_axis_works_like_the_last() {
        Tensor x = Tensor.of(DType.F64, Shape.of(2, 3), 1, 2, 3, 4, 6, 8);
        assertArrayEquals(softmax(x.transpose(), -1).transpose().toDoubles(), softmax(x, 0).toDoubles());
        assertEquals(Shape.of(1, 3), logSumExp(x, 0).shape());
    }

    @Test
    void whole_numbers_are_refused() {
        Tensor x = Tensor.of(Shape.of(2), 1L, 2L);
        assertEquals("softmax: real numbers are needed, not i64\n  x: i64[2] cpu",
                assertThrows(DTypeException.class, () -> softmax(x, -1)).getMessage());
    }
}
