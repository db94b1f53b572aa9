package dev.gatun.ops;

import static dev.gatun.ops.CrossEntropy.crossEntropy;
import static dev.gatun.ops.CrossEntropy.crossEntropyRows;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.DTypeException;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class CrossEntropyTest {

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void knowing_nothing_costs_the_logarithm_of_the_number_of_classes(DType dtype) {
        Tensor loss = crossEntropy(Tensor.full(dtype, Shape.of(3, 16), 40), Tensor.of(Shape.of(3), 0L, 7L, 15L));
        assertEquals(Math.log(16), loss.item(), 1e-6);
        assertEquals(Shape.of(), loss.shape());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void ignored_rows_count_neither_above_nor_below(DType dtype) {
        Tensor logits = Tensor.of(dtype, Shape.of(3, 2), 0, 0, 5, -5, Math.log(3), 0);
        Tensor target = Tensor.of(Shape.of(3), 0L, -100L, 1L);
        assertArrayEquals(new double[] {Math.log(2), 0, Math.log(4)}, crossEntropyRows(logits, target, 0).toDoubles(), 1e-7);
        assertEquals(Math.log(8) / 2, crossEntropy(logits, target).item(), 1e-7);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void when_all_rows_are_ignored_the_loss_is_zero(DType dtype) {
        assertEquals(0, crossEntropy(Tensor.ones(dtype, Shape.of(2, 3)), Tensor.of(Shape.of(2), -100L, -100L)).item());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void smoothing_gives_every_class_a_share_of_the_target(DType dtype) {
        Tensor logits = Tensor.of(dtype, Shape.of(1, 2), Math.log(3), 0);
        // shares 3/4 and 1/4; target 0 weighs 0.9 + 0.05
        assertEquals(-0.95 * Math.log(0.75) - 0.05 * Math.log(0.25), crossEntropy(logits, Tensor.of(Shape.of(1), 0L), 0.1).item(), 1e-7);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void an_excluded_class_costs_nothing_unless_it_is_the_target(DType dtype) {
        Tensor logits = Tensor.of(dtype, Shape.of(1, 3), 0, Double.NEGATIVE_INFINITY, 0);
        assertEquals(Math.log(2), crossEntropy(logits, Tensor.of(Shape.of(1), 2L)).item(), 1e-7);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void a_target_that_is_no_class_is_named_with_its_row(DType dtype) {
        Tensor logits = Tensor.zeros(dtype, Shape.of(2, 3));
        Tensor target = Tensor.of(Shape.of(2), 0L, 3L);
        assertEquals("crossEntropy: target 3 in row 1 is not one of 3 classes\n  logits: " + dtype + "[2, 3]\n  target: i64[2]",
                assertThrows(IndexOutOfBoundsException.class, () -> crossEntropy(logits, target)).getMessage());
    }

    @Test
    void there_must_be_a_target_for_each_row() {
        Tensor logits = Tensor.zeros(DType.F32, Shape.of(2, 3));
        assertEquals("""
                crossEntropy: a target for each row is needed: logits are [2, 3], targets [3]
                  logits: f32[2, 3] cpu
                  target: i64[3] cpu""",
                assertThrows(ShapeException.class, () -> crossEntropy(logits, Tensor.of(Shape.of(3), 0L, 0L, 0L))).getMessage());
        assertEquals("""
                crossEntropy: targets are whole numbers, not f32
                  logits: f32[2, 3] cpu
                  target: f32[2] cpu""",
                assertThrows(DTypeException.class, () -> crossEntropyRows(logits, Tensor.zeros(DType.F32, Shape.of(2)), 0)).getMessage());
    }
}
