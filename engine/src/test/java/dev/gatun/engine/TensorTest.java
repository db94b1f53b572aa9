package dev.gatun.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.gatun.engine.algebra.Arithmetic;
import dev.gatun.engine.cuda.Gpu;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.junit.jupiter.api.Test;

class TensorTest {

    private final Tensor x = Tensor.of(DType.F64, Shape.of(2, 3), 1, 2, 3, 4, 5, 6);

    @Test
    void views_share_memory_and_copy_nothing() {
        Tensor view = x.transpose().slice(0, 1, 3).insertAxis(0);
        assertSame(x.memory(), view.memory());
        assertArrayEquals(new double[] {2, 5, 3, 6}, view.toDoubles());
        assertFalse(view.isContiguous());
    }

    @Test
    void a_reshape_is_a_view_when_strides_can_say_it() {
        Tensor wide = Tensor.arange(DType.F32, 48).reshape(4, 12).slice(1, 0, 6);
        assertSame(wide.memory(), wide.reshape(2, 2, 2, 3).memory());
        assertArrayEquals(wide.toDoubles(), wide.reshape(2, 2, 2, 3).toDoubles());
        Tensor turned = x.transpose();
        assertArrayEquals(new double[] {1, 4, 2, 5, 3, 6}, turned.reshape(6).toDoubles());
        assertArrayEquals(new double[] {1, 4, 2, 5, 3, 6}, turned.reshape(-1, 2).toDoubles());
    }

    @Test
    void a_reshape_that_joins_a_repeated_axis_with_another_one_copies() {
        Tensor repeated = Tensor.of(DType.F32, Shape.of(2, 1, 2), 1, 2, 3, 4).expand(Shape.of(2, 2, 2));
        assertArrayEquals(new double[] {1, 2, 1, 2, 3, 4, 3, 4}, repeated.reshape(4, 2).toDoubles());
        Tensor last = Tensor.of(DType.F32, Shape.of(2, 1), 1, 2).expand(Shape.of(2, 3));
        assertArrayEquals(new double[] {1, 1, 1, 2, 2, 2}, last.reshape(6).toDoubles());
    }

    @Test
    void expanding_repeats_with_a_stride_of_zero() {
        Tensor repeated = x.slice(1, 0, 1).expand(Shape.of(2, 2, 3));
        assertArrayEquals(new double[] {1, 1, 1, 4, 4, 4, 1, 1, 1, 4, 4, 4}, repeated.toDoubles());
        assertArrayEquals(new long[] {0, 3, 0}, repeated.strides());
    }

    @Test
    void storage_types_round_on_writing_and_widen_on_reading() {
        Tensor half = Tensor.of(DType.F32, 1.00048828125, 65504, 1e-8, Double.NaN).to(DType.F16);
        assertArrayEquals(new double[] {1, 65504, 0, Double.NaN}, half.toDoubles());
        // 1 + 2^-8 lies in the middle and goes to the even neighbour, 1 + 3 * 2^-8 up.
        Tensor brain = Tensor.of(DType.F32, 1.00390625, 1.01171875, Double.NaN).to(DType.BF16);
        assertArrayEquals(new double[] {1, 1.015625, Double.NaN}, brain.toDoubles());
        assertEquals(DType.F32, brain.add(half.slice(0, 0, 3)).dtype());
    }

    @Test
    void whole_numbers_and_truth_compute_as_what_they_are() {
        Tensor i = Tensor.of(Shape.of(3), 7L, -7L, (1L << 53) + 1);
        assertArrayEquals(new long[] {8, -6, (1L << 53) + 2}, i.add(1).toLongs());
        assertArrayEquals(new double[] {1, 0, 1}, i.gt(0).toDoubles());
        assertArrayEquals(new double[] {0, 1, 0}, i.gt(0).not().toDoubles());
        assertArrayEquals(new long[] {2, -3, 0}, Tensor.of(DType.F64, 2.9, -3.9, 0.5).to(DType.I64).toLongs());
    }

    @Test
    void a_tensor_over_memory_reads_it_in_place() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment s = arena.allocateFrom(ValueLayout.JAVA_DOUBLE, 3, 4);
            Tensor over = Tensor.over(new Spec(DType.F64, Shape.of(2)), s);
            assertEquals(7, over.sum().item());
        }
        assertThrows(IllegalArgumentException.class, () -> Tensor.over(new Spec(DType.F32, Shape.of(1)), MemorySegment.ofArray(new float[1])));
    }

    @Test
    void a_spec_without_numbers_gives_specs() {
        Tensor none = Tensor.of(new Spec(DType.F64, Shape.of(3, 2)));
        assertEquals("f64[2, 2] none", none.transpose().matmul(none).describe());
        assertEquals("""
                item: x has a spec only and no numbers
                  x: f64[] none""", assertThrows(DeviceException.class, () -> none.sum().item()).getMessage());
    }

    @Test
    void inputs_on_different_devices_are_refused() {
        assertEquals("""
                mul: inputs on different devices: a on cpu, b on none
                  a: f64[2, 3] cpu
                  b: f64[3] none""",
                assertThrows(DeviceException.class, () -> x.mul(Tensor.of(new Spec(DType.F64, Shape.of(3))))).getMessage());
        assertEquals("to: no way from cpu to cuda:99, " + Gpu.missing(99).orElseThrow() + "\n  x: f64[2, 3] cpu",
                assertThrows(DeviceException.class, () -> x.to(Device.cuda(99))).getMessage());
    }

    @Test
    void shapes_and_dtypes_are_refused_with_both_numbers() {
        assertEquals("""
                matmul: inner sizes differ: a ends with 3, b starts with 2
                  a: f64[2, 3] cpu
                  b: f64[2, 3] cpu""", assertThrows(ShapeException.class, () -> x.matmul(x)).getMessage());
        assertEquals("""
                add: dtypes differ: f64 and f32
                  a: f64[2, 3] cpu
                  b: f32[3] cpu""", assertThrows(DTypeException.class, () -> x.add(Tensor.of(DType.F32, 1, 2, 3))).getMessage());
        assertEquals("""
                slice: 1..4 with step 1 of axis 1, which has size 3
                  x: f64[2, 3] cpu""", assertThrows(ShapeException.class, () -> x.slice(1, 1, 4)).getMessage());
    }

    @Test
    void overwriting_asks_for_plain_memory_of_the_right_spec() {
        Tensor target = Tensor.zeros(DType.F64, Shape.of(2, 3));
        Dispatch.overwrite(new Arithmetic.Add(), List.of(x, x), List.of(target));
        assertArrayEquals(new double[] {2, 4, 6, 8, 10, 12}, target.toDoubles());
        assertThrows(ShapeException.class, () -> Dispatch.overwrite(new Arithmetic.Add(),
                List.of(x, x), List.of(target.transpose())));
    }

    @Test
    void overwriting_without_a_kernel_is_refused_and_not_skipped() {
        Tensor whole = Tensor.of(Shape.of(2), 1L, 2L);
        try (Backend.Narrowed vectors = Backend.only(Backend.VECTOR)) {
            assertEquals("""
                    add: no kernel for these inputs on the backends that are on
                      a: i64[2] cpu
                      b: i64[2] cpu""", assertThrows(DeviceException.class,
                    () -> Dispatch.overwrite(new Arithmetic.Add(), List.of(whole, whole), List.of(whole))).getMessage());
        }
    }

    @Test
    void empty_tensors_pass_through() {
        Tensor empty = Tensor.zeros(DType.F64, Shape.of(0, 3));
        assertEquals(Shape.of(0, 3), empty.exp().add(x.slice(0, 0, 1)).shape());
        assertArrayEquals(new double[] {0, 0, 0}, empty.sum(0).toDoubles());
        assertArrayEquals(new double[4], Tensor.zeros(DType.F64, Shape.of(2, 0)).matmul(Tensor.zeros(DType.F64, Shape.of(0, 2))).toDoubles());
        assertTrue(Double.isNaN(empty.mean().div(0).item()));
    }
}
