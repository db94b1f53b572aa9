package dev.gatun.ops;

import static dev.gatun.ops.Embedding.embedding;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.gatun.engine.DType;
import dev.gatun.engine.Shape;
import dev.gatun.engine.ShapeException;
import dev.gatun.engine.Tensor;
import dev.gatun.ops.Embedding.EmbeddingGradient;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class EmbeddingTest {

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64", "BF16"})
    void rows_are_picked_and_storage_types_widened(DType dtype) {
        Tensor table = Tensor.of(dtype, Shape.of(3, 2), 1, 2, 3, 4, 5, 6);
        Tensor y = embedding(table, Tensor.of(Shape.of(2, 2), 2L, 0L, 0L, 1L));
        assertEquals(Shape.of(2, 2, 2), y.shape());
        assertEquals(dtype == DType.BF16 ? DType.F32 : dtype, y.dtype());
        assertArrayEquals(new double[] {5, 6, 1, 2, 1, 2, 3, 4}, y.toDoubles());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void gradients_of_a_row_used_often_are_summed_and_of_one_never_used_are_zero(DType dtype) {
        // 200 times id 1: more than one run of the summation
        long[] ids = new long[201];
        java.util.Arrays.fill(ids, 1);
        ids[77] = 3;
        Tensor g = Tensor.arange(dtype, 201).reshape(201, 1).mul(Tensor.of(dtype, 1, 2));
        Tensor y = new EmbeddingGradient(4).apply(g, Tensor.of(Shape.of(201), ids));
        double sum = 200 * 201 / 2 - 77;
        assertArrayEquals(new double[] {0, 0, sum, 2 * sum, 0, 0, 77, 154}, y.toDoubles());
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F64"})
    void an_id_beyond_the_table_is_named(DType dtype) {
        Tensor table = Tensor.zeros(dtype, Shape.of(3, 2));
        assertEquals("embedding: id 3 of a table with 3 rows\n  weight: " + dtype + "[3, 2]\n  ids: i64[1]",
                assertThrows(IndexOutOfBoundsException.class, () -> embedding(table, Tensor.of(Shape.of(1), 3L))).getMessage());
        assertEquals("embedding: the table has two axes, this one has 1\n  weight: " + dtype + "[3] cpu\n  ids: i64[1] cpu",
                assertThrows(ShapeException.class, () -> embedding(Tensor.zeros(dtype, Shape.of(3)), Tensor.of(Shape.of(1), 0L))).getMessage());
    }
}
